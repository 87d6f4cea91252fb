"""Ports for programs that must be told one."""

from contextlib import suppress
from random import SystemRandom
from socket import create_server

GIVEN_AWAY = 32_768
"""From here on Linux gives ports away by itself, to whoever asks for any or connects: a free one may soon be taken."""


def free_port() -> int:
    """A port at which nothing listens, and which the system gives to nobody before its server has it."""
    while True:
        port = SystemRandom().randrange(GIVEN_AWAY - 10_000, GIVEN_AWAY)
        with suppress(OSError), create_server(("127.0.0.1", port)):
            return port
