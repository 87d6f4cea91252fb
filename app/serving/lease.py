"""A lease on work that several replicas would do at once: whoever holds it works, the others wait for its answers."""

import asyncio
import uuid
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from app.serving.redis_link import RedisLink

LIFETIME_MS = 1000
"""Held no longer than this without being renewed: what a holder's death costs those that wait."""

_TAKE = """
local taken, half = 0, #KEYS / 2
for i = 1, half do
  if redis.call('EXISTS', KEYS[i]) == 0
      and redis.call('SET', KEYS[half + i], ARGV[1], 'NX', 'PX', ARGV[2]) then
    taken = taken + 1
  end
end
return taken
"""
_KEEP = """
for _, key in ipairs(KEYS) do
  if redis.call('GET', key) == ARGV[1] then redis.call('PEXPIRE', key, ARGV[2]) end
end
return 1
"""
"""For so many milliseconds from now; 0 gives it back. Whoever holds it by now is not disturbed."""


def lease_name(answer: str) -> str:
    """Where the lease on an answer lies in Redis."""
    return f"{answer}:lease"


class Lease:
    """On making the `answers`, which are named as in Redis."""

    def __init__(self, redis: "RedisLink", answers: Sequence[str]) -> None:
        self._redis, self._answers = redis, answers
        self._names = [lease_name(answer) for answer in answers]
        self._token = uuid.uuid4().hex
        self._renewal: asyncio.Task[None] | None = None

    async def take(self) -> bool:
        """Whether there is work to do here; not where each of the answers is there or being made elsewhere.

        A part is work, too: a student answers all tools in one batch. Without Redis everybody works.
        """
        names = (*self._answers, *self._names)
        taken: int | None = await self._redis.ask("EVAL", _TAKE, len(names), *names, self._token, LIFETIME_MS)
        if taken:
            self._renewal = asyncio.create_task(self._renew())
        return taken != 0

    def release(self) -> None:
        """After everything that was asked of Redis before."""
        if self._renewal:
            self._renewal.cancel()
            self._keep(0)

    async def _renew(self) -> None:
        while True:
            await asyncio.sleep(LIFETIME_MS / 3000)
            self._keep(LIFETIME_MS)

    def _keep(self, milliseconds: int) -> None:
        self._redis.ask("EVAL", _KEEP, len(self._names), *self._names, self._token, milliseconds)
