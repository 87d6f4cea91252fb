"""A PostgreSQL server of the tests' own: on a local socket, in a temporary folder, stopped and started at will."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

_NUMBERS = count(1)


class Cluster:
    """`programs` is the folder of initdb and pg_ctl."""

    def __init__(self, programs: Path, folder: Path) -> None:
        self._programs, self.folder = programs, folder
        self._data = folder / "data"
        # The server refuses to run as root.
        self._as: dict[str, Any] = (
            {"user": "postgres", "group": "postgres", "extra_groups": []} if os.geteuid() == 0 else {}
        )
        if self._as:
            shutil.chown(folder, "postgres", "postgres")
        self._run("initdb", "--auth=trust", "--username=recolor", "--encoding=UTF8", "--no-locale", "--no-sync")

    def start(self) -> None:
        # Tests end processes, not machines: nothing depends on fsync here.
        options = f"-k {self.folder} -c listen_addresses= -c fsync=off -c max_connections=50"
        self._run("pg_ctl", "start", "--wait", "--timeout=240", f"--options={options}", f"--log={self.folder / 'log'}")

    def stop(self) -> None:
        """End every session at once, as a crash would."""
        self._run("pg_ctl", "stop", "--wait", "--timeout=240", "--mode=immediate")

    def database(self) -> str:
        """The URL of a new, empty database."""
        name = f"events{next(_NUMBERS)}"
        with self.connect("postgres") as connection:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        return f"postgresql://recolor:a-secret@/{name}?host={self.folder}"

    def connect(self, database: str | None) -> psycopg.Connection[tuple[Any, ...]]:
        return psycopg.connect(host=str(self.folder), user="recolor", dbname=database, autocommit=True)

    def _run(self, program: str, *arguments: str) -> None:
        command = [self._programs / program, f"--pgdata={self._data}", *arguments]
        done = subprocess.run(
            command, cwd=self.folder, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=False, **self._as
        )
        assert done.returncode == 0, f"{program} failed: {self._log()}"

    def _log(self) -> str:
        log = self.folder / "log"
        return log.read_text(encoding="utf-8") if log.exists() else ""


@contextmanager
def cluster(programs: Path) -> Iterator[Cluster]:
    """A server that runs. The folder's name is short: a socket's path has at most 107 bytes."""
    with tempfile.TemporaryDirectory(prefix="recolor-pg-") as folder:
        running = Cluster(programs, Path(folder))
        running.start()
        try:
            yield running
        finally:
            running.stop()
