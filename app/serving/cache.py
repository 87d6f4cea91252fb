"""Answers that were given before: validated tools only, never a failure."""

import json
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from hashlib import sha256
from typing import NamedTuple, Protocol

from cachetools import LRUCache

from app.grade import json_schemas
from app.serving.variant import TEACHER
from app.serving.verdict import Decided
from app.students import Student
from app.telemetry.metrics import CACHE_UP

# Derived, so that a changed tool can never meet the answers of its former self.
SCHEMA_VERSION = sha256(json.dumps(json_schemas(), sort_keys=True).encode()).hexdigest()[:12]


class CacheKey(NamedTuple):
    """Names an answer by all that it depends on: `scope` is who gives it and how, the intent is folded."""

    scope: str
    tool: str
    intent: str


def cache_key(student: Student, tool: str, intent: str) -> CacheKey:
    return CacheKey(f"{SCHEMA_VERSION}|{student.model}|{student.codec.name}|{student.decoding}", tool, intent)


def teacher_key(model: str, tool: str, intent: str) -> CacheKey:
    """As `cache_key`, of an answer that only the teacher may give. No student has its name: it lacks the ``@``."""
    return CacheKey(f"{SCHEMA_VERSION}|{TEACHER}|{model}", tool, intent)


class Cache(Protocol):
    """Keeps what was decided. A cache that cannot be reached knows nothing: it never raises."""

    async def get_many(self, keys: Sequence[CacheKey]) -> list[Decided | None]:
        """What is kept under each key, in order; None where there is nothing."""
        ...

    async def set(self, key: CacheKey, decided: Decided) -> None: ...

    def lease(
        self, keys: Sequence[CacheKey], patience: float
    ) -> AbstractAsyncContextManager[Mapping[CacheKey, Decided]]:
        """Put around making these answers, so that no other replica makes them meanwhile.

        Where others are making all of them already, it waits for theirs, at most `patience` seconds, and gives those.
        """
        ...


class MemoryCache:
    """The `entries` most recently used answers, in this process. None are kept with 0."""

    def __init__(self, entries: int) -> None:
        self._kept: LRUCache[CacheKey, Decided] = LRUCache(entries)
        CACHE_UP.set(1)

    async def get_many(self, keys: Sequence[CacheKey]) -> list[Decided | None]:
        return [self._kept.get(key) for key in keys]

    async def set(self, key: CacheKey, decided: Decided) -> None:
        if self._kept.maxsize:
            self._kept[key] = decided

    def lease(
        self, keys: Sequence[CacheKey], patience: float
    ) -> AbstractAsyncContextManager[Mapping[CacheKey, Decided]]:
        return nullcontext({})  # within a process, requests share what is in flight
