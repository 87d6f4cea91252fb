"""Answers that replicas share: in Redis, and before it those that this process remembers."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from app.grade import tool_model
from app.serving.cache import CacheKey, MemoryCache
from app.serving.deadline import Deadline
from app.serving.lease import Lease, lease_name
from app.serving.verdict import Decided, Source

if TYPE_CHECKING:
    from app.serving.redis_link import RedisLink

SHORTEST_PAUSE, LONGEST_PAUSE = 0.005, 0.05
"""Seconds between two looks at what another replica is making: short beside making it, for a fast student as well."""


class RedisCache:
    """`near` is asked first and remembers what Redis knew. Redis forgets after `keep_seconds`, or when it is full."""

    def __init__(self, near: MemoryCache, redis: "RedisLink", keep_seconds: int) -> None:
        self._near, self._redis, self._keep_seconds = near, redis, keep_seconds

    async def get_many(self, keys: Sequence[CacheKey]) -> list[Decided | None]:
        found = await self._near.get_many(keys)
        missing = [key for key, decided in zip(keys, found, strict=True) if decided is None]
        shared = await self._read(missing, await self._redis.ask("MGET", *map(_name, missing))) if missing else {}
        return [decided or shared.get(key) for key, decided in zip(keys, found, strict=True)]

    async def set(self, key: CacheKey, decided: Decided) -> None:
        """Kept here at once; on its way to Redis, for which nobody waits."""
        await self._near.set(key, decided)
        self._redis.ask("SET", _name(key), _text(decided), "EX", self._keep_seconds)

    @asynccontextmanager
    async def lease(self, keys: Sequence[CacheKey], patience: float) -> AsyncIterator[Mapping[CacheKey, Decided]]:
        lease = Lease(self._redis, [_name(key) for key in keys])
        if not await lease.take():
            yield await self._made_elsewhere(keys, patience)
            return
        try:
            yield {}
        finally:
            lease.release()

    async def _made_elsewhere(self, keys: Sequence[CacheKey], patience: float) -> dict[CacheKey, Decided]:
        """What other replicas make of these, until they have made all of it or given up."""
        names, deadline, pause = [_name(key) for key in keys], Deadline(patience), SHORTEST_PAUSE
        while True:
            values = await self._redis.ask("MGET", *names, *map(lease_name, names)) or [None] * 2 * len(keys)
            found = await self._read(keys, values[: len(keys)])
            leased = dict(zip(keys, values[len(keys) :], strict=True))
            if not any(leased[key] for key in keys if key not in found) or not deadline.remaining():
                return found
            await asyncio.sleep(deadline.share(pause))
            pause = min(1.5 * pause, LONGEST_PAUSE)

    async def _read(self, keys: Sequence[CacheKey], values: Sequence[bytes | None] | None) -> dict[CacheKey, Decided]:
        """What Redis has of these, from now on remembered here."""
        read = {key: _decided(key.tool, value) for key, value in zip(keys, values or (), strict=bool(values)) if value}
        found = {key: decided for key, decided in read.items() if decided}
        for key, decided in found.items():
            await self._near.set(key, decided)
        return found


def _name(key: CacheKey) -> str:
    """Where an answer lies in Redis. What people typed is hashed: whoever may look at Redis need not read it."""
    return f"recolor:{key.scope}|{key.tool}|{sha256(key.intent.encode()).hexdigest()[:32]}"


class _Entry(BaseModel, extra="forbid"):
    """What lies in Redis, as JSON: all parameters of a used tool, null for an unused one."""

    source: Source
    model: str
    settings: dict[str, Any] | None


def _text(decided: Decided) -> str:
    settings = decided.settings and decided.settings.model_dump()
    return _Entry(source=decided.source, model=decided.model, settings=settings).model_dump_json()


def _decided(tool: str, value: bytes) -> Decided | None:
    """None for what no replica of this version has written: others may write to Redis, too."""
    try:
        entry = _Entry.model_validate_json(value)
        if entry.settings is None:
            return Decided(None, entry.source, entry.model)
        settings = tool_model(tool).parse(entry.settings)
    except ValueError:
        return None
    if not settings.is_used or settings.model_dump() != entry.settings:
        return None
    return Decided(settings, entry.source, entry.model)
