"""A port for a program that cannot be asked which one the system gave it."""

import random
import socket
from pathlib import Path

_GIVEN = Path("/proc/sys/net/ipv4/ip_local_port_range")


def free_port() -> int:
    """A port of the loopback interface that stays free until it is used.

    It lies below those that the system gives to whoever asks for any: between the choice and its use there are seconds,
    in which connections and servers of everything else on the machine come and go.
    """
    given_from = int(_GIVEN.read_text(encoding="ascii").split()[0])
    while True:
        port = random.randrange(given_from // 2, given_from)
        try:
            with socket.create_server(("127.0.0.1", port)):
                return port
        except OSError:  # taken
            continue
