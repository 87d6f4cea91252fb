"""A Redis server of the tests' own: on a local socket, in a temporary folder, killed, stopped and started at will."""

import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import redis


class RedisServer:
    """`client` looks into it from outside; `url` is what the service is told."""

    def __init__(self, program: str, folder: Path) -> None:
        self._program, self._socket = program, folder / "redis.sock"
        self._process: subprocess.Popen[bytes] | None = None
        self.url = f"unix://{self._socket}"
        self.client = redis.Redis(unix_socket_path=str(self._socket), protocol=2, decode_responses=True)

    def start(self) -> None:
        options = ["--port", "0", "--unixsocket", str(self._socket), "--save", "", "--dir", str(self._socket.parent)]
        quiet: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        self._process = subprocess.Popen([self._program, *options], **quiet)
        end = monotonic() + 30
        while not self._answers():
            assert monotonic() < end, "redis-server does not start"
            sleep(0.01)

    def kill(self) -> None:
        """As a crash does it: everything it knew is lost."""
        if self._process:
            self._process.kill()
            self._process.wait()
            self._process = None

    def hang(self) -> None:
        """It takes connections and commands and answers nothing."""
        assert self._process
        self._process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        assert self._process
        self._process.send_signal(signal.SIGCONT)

    def protect(self, password: str) -> None:
        self.client.config_set("requirepass", password)
        self.client.execute_command("AUTH", password)

    def limit(self, *rules: str) -> str:
        """The URL of a user who may do everything but what these rules of access take back, from now on."""
        self.client.execute_command("ACL", "SETUSER", "limited", "on", "nopass", "~*", "+@all", *rules)
        return self.url.replace("unix://", "unix://limited:any@")

    def reset(self) -> None:
        """As if it had just been started."""
        if self._process is None:
            self.start()
        self.go_on()
        self.client.replicaof("NO", "ONE")
        self.client.config_set("maxmemory", 0)
        self.client.config_set("requirepass", "")
        self.client.flushall()

    def names(self) -> set[str]:
        """Of everything it keeps, without the link's own proof."""
        return set(self.client.keys("*")) - {"recolor:proof"}

    def _answers(self) -> bool:
        with suppress(redis.ConnectionError):
            return bool(self.client.ping())
        return False


@contextmanager
def redis_server(program: str) -> Iterator[RedisServer]:
    """The folder's name is short: a socket's path has at most 107 bytes."""
    with tempfile.TemporaryDirectory(prefix="recolor-redis-") as folder:
        server = RedisServer(program, Path(folder))
        try:
            yield server
        finally:
            server.kill()
            server.client.close()
