"""The link to the Redis that replicas share: a help, never a condition.

Everything is asked on one connection, and what is asked at once travels together. An answer that does not come in time
breaks the link. While it is broken nobody waits for Redis: the link's own task goes on trying to mend it.

Redis fails when the link cannot be mended, when it refuses a command, and when the same command breaks the link twice
running. Each fails until it works again, and so a Redis that only proves itself well is seen.
"""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, TypeVar
from urllib.parse import urlsplit

from redis.asyncio.connection import AbstractConnection, Connection, parse_url
from redis.exceptions import RedisError, ResponseError

from app.settings import Settings
from app.telemetry.metrics import CACHE_UP
from app.telemetry.outage import Outage

T = TypeVar("T")
Command = tuple[str | bytes | int, ...]

CONNECT_SECONDS = 1.0
"""Connecting takes longer than an answer, and nobody waits for it."""

PAUSE_SECONDS = 0.5
"""Between two tries to mend the link."""

IDLE_SECONDS = 5.0
"""After so long without a question the link tries whether it still holds."""

MOST_AT_ONCE = 256
"""More commands are sent in turns, so that a crowd of requests does not look like a server that hangs."""

_PROOF: Command = ("EVAL", "return redis.call('SET', KEYS[1], '', 'PX', 1000)", 1, "recolor:proof")
"""A Redis that only reads (a replica, or one that is full) shares nothing."""

_LINK = "the link"
"""Fails, beside kinds of commands, as long as it cannot be mended."""


class RedisLink:
    """`start` it in a running loop; `close` it to send what was asked last. Raises ValueError for an unusable URL."""

    def __init__(self, settings: Settings) -> None:
        self._connection = _connections(settings.redis_url.get_secret_value() if settings.redis_url else "")
        self._seconds = settings.redis_seconds
        self._outage = Outage("Redis")
        self._asked: list[tuple[Command, asyncio.Future[Any]]] = []
        self._awake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._broke: set[str] = set()
        self._failing: set[str] = set()
        self.up = False

    def start(self) -> None:
        CACHE_UP.set(0)
        self._task = asyncio.create_task(self._run())

    async def close(self) -> None:
        if self._task:
            await self.ask("PING")  # answered after everything before it
            self._task.cancel()
            await asyncio.wait([self._task])

    def ask(self, *command: str | bytes | int) -> asyncio.Future[Any]:
        """What Redis answers; None where it does not, or not in time. Sent whether or not somebody waits for it."""
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        if self.up:
            self._asked.append((command, answer))
            self._awake.set()
        else:
            answer.set_result(None)
        return answer

    async def _run(self) -> None:
        while True:
            connection = await self._mend()
            try:
                self.up = True
                await self._serve(connection)
            except Exception:  # noqa: BLE001, S110 - whatever broke it: if it goes on, that is logged
                pass
            finally:
                self.up = False
                _settle(self._asked, [None] * len(self._asked))
                self._asked.clear()
                with suppress(Exception):  # it is broken already
                    await connection.disconnect(nowait=True)

    async def _mend(self) -> AbstractConnection:
        """A connection to a Redis that works, however long it takes."""
        while True:
            if self._failing:
                await asyncio.sleep(PAUSE_SECONDS)
            try:
                connection = await self._connect()
            except Exception as error:  # noqa: BLE001 - whatever it is, Redis is no use now
                self._fails({_LINK}, error)
            else:
                self._works({_LINK})
                return connection

    async def _connect(self) -> AbstractConnection:
        connection = self._connection()
        try:
            await _within(CONNECT_SECONDS, connection.connect())  # type: ignore[no-untyped-call]
            await self._prove(connection)
        except BaseException:
            await connection.disconnect(nowait=True)
            raise
        return connection

    async def _serve(self, connection: AbstractConnection) -> None:
        """Send what is asked until the connection breaks."""
        while True:
            try:
                async with asyncio.timeout(IDLE_SECONDS):
                    await self._awake.wait()
            except TimeoutError:
                await self._prove(connection)
            self._awake.clear()
            while asked := self._asked[:MOST_AT_ONCE]:
                answers = await self._answers(connection, [command for command, _ in asked])
                _settle(asked, answers)
                del self._asked[: len(asked)]
                if any(isinstance(answer, ResponseError) for answer in answers):
                    await self._prove(connection)
                self._judge([command for command, _ in asked], answers)

    async def _answers(self, connection: AbstractConnection, commands: Sequence[Command]) -> list[Any]:
        """As `_exchange`. To break once is no failure: any connection may be cut."""
        kinds = {_kind(command) for command in commands}
        try:
            return await self._exchange(connection, commands)
        except Exception as error:
            if again := self._broke & kinds:
                self._fails(again, error)
            self._broke |= kinds
            raise

    def _judge(self, commands: Sequence[Command], answers: Sequence[Any]) -> None:
        kinds = [_kind(command) for command in commands]
        refused = {kind: one for kind, one in zip(kinds, answers, strict=True) if isinstance(one, ResponseError)}
        for kind, refusal in refused.items():
            self._fails({kind}, refusal)
        self._works(set(kinds) - refused.keys())

    def _fails(self, kinds: set[str], error: Exception) -> None:
        self._failing |= kinds
        CACHE_UP.set(0)
        self._outage.began(f"{type(error).__name__}: {error}")

    def _works(self, kinds: set[str]) -> None:
        self._broke -= kinds
        self._failing -= kinds
        if not self._failing:
            CACHE_UP.set(1)
            self._outage.over()

    async def _prove(self, connection: AbstractConnection) -> None:
        (answer,) = await self._exchange(connection, [_PROOF])
        if isinstance(answer, ResponseError):
            raise answer

    async def _exchange(self, connection: AbstractConnection, commands: Sequence[Command]) -> list[Any]:
        """Answers in order, refusals among them. Raises TimeoutError, and whatever breaks a connection."""
        return await _within(self._seconds, _converse(connection, commands))


def _kind(command: Command) -> str:
    """What Redis may refuse, or be slow at, without being so at everything: a command's name, or its script."""
    return str(command[1] if command[0] == "EVAL" else command[0])


async def _converse(connection: AbstractConnection, commands: Sequence[Command]) -> list[Any]:
    await connection.send_packed_command(connection.pack_commands(commands))
    answers: list[Any] = []
    for _ in commands:
        try:
            answers.append(await connection.read_response())
        except ResponseError as error:
            answers.append(error)
    return answers


async def _within(seconds: float, work: Coroutine[Any, Any, T]) -> T:
    """Raises TimeoutError.

    In two halves: after a moment in which this process itself was busy, an answer that is there is still seen.
    """
    task = asyncio.create_task(work)
    try:
        for _ in range(2):
            await asyncio.wait([task], timeout=seconds / 2)
            if task.done():
                return task.result()
        raise TimeoutError(f"no answer within {seconds:g} s")
    finally:
        task.cancel()


def _settle(asked: Sequence[tuple[Command, asyncio.Future[Any]]], answers: Sequence[Any]) -> None:
    for (_, future), answer in zip(asked, answers, strict=True):
        if not future.done():  # whoever asked may have left
            future.set_result(None if isinstance(answer, ResponseError) else answer)


def _connections(url: str) -> Callable[[], AbstractConnection]:
    """Makes connections that neither try again nor wait by themselves. Raises ValueError, which shows no password."""
    try:
        options: dict[str, Any] = dict(parse_url(url))
        kind = options.pop("connection_class", Connection)
        ours = {"socket_timeout": None, "socket_connect_timeout": None, "protocol": 2, "driver_info": None}
        make = partial(kind, **{**options, **ours})
        make()  # an option in the URL that no connection has
        database = urlsplit(url).path.strip("/")
        if "path" in options or (options.get("host") and (not database or database.isdecimal())):
            return make
    except (ValueError, TypeError, RedisError):  # their messages may quote the password
        pass
    raise ValueError(
        "RECOLOR_REDIS_URL is no address of a Redis server: write redis://host:6379/0, rediss://… or unix:///path, "
        "and what is special in a password as %40"
    )
