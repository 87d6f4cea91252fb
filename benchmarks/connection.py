"""A client that costs little beside what it measures: one kept HTTP connection on a bare socket."""

import asyncio
import json
import re
from typing import Any, Self

from benchmarks.harness import BenchmarkError

_LENGTH = re.compile(rb"\r\ncontent-length: (\d+)\r\n", re.IGNORECASE)


class Connection:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    @classmethod
    async def to(cls, port: int) -> Self:
        return cls(*await asyncio.open_connection("127.0.0.1", port))

    async def post(self, path: str, body: Any) -> Any:
        """The answer's JSON. Raises BenchmarkError for anything but 200."""
        content = json.dumps(body).encode()
        self._writer.write(
            b"POST %b HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b"
            % (path.encode(), len(content), content)
        )
        try:
            head = await self._reader.readuntil(b"\r\n\r\n")
            length = _LENGTH.search(head)
            answer = await self._reader.readexactly(int(length[1])) if length else b""
        except asyncio.IncompleteReadError:
            raise BenchmarkError(f"{path}: the server hung up") from None
        if not head.startswith(b"HTTP/1.1 200 "):
            raise BenchmarkError(f"{path} answered {head.decode()}{answer.decode()}")
        return json.loads(answer)

    def close(self) -> None:
        self._writer.close()
