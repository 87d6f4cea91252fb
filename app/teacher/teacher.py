"""The teacher: a large model behind an OpenAI-compatible server, asked for one tool at a time.

It answers where the student cannot, inside what is left of the request's deadline.
"""

import asyncio
import logging
import random
from collections.abc import Sequence
from dataclasses import dataclass

from openai import AsyncOpenAI

from app.grade import ToolSettings
from app.prompts.teacher import Message, messages
from app.settings import Settings
from app.teacher.breaker import Breaker
from app.teacher.call import Completion, Failure, call, connect
from app.teacher.errors import TeacherError, TeacherReason
from app.teacher.price import dollars
from app.teacher.reading import Reading, read
from app.telemetry.metrics import TEACHER_COST, TEACHER_REQUESTS, TEACHER_TOKENS

BACKOFF_SECONDS = 0.25
NOT_SENT = ("breaker_open", "no_time")
"""Pause before the first retry where the server names none; doubles with each further one."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class TeacherAnswer:
    """`settings` are canonical: None where the teacher does not use the tool. The tokens are those of this answer."""

    settings: ToolSettings | None
    reasoning: str
    prompt_tokens: int
    completion_tokens: int


class Teacher:
    """Off when no key is set. One instance serves all requests; it belongs to one event loop.

    Raises ValueError for a key or an address that cannot be used.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._client = connect(settings.teacher_api_key, settings.teacher_base_url, "RECOLOR_TEACHER")
        self._slots = asyncio.Semaphore(settings.teacher_concurrency)
        self._breaker = Breaker(settings.teacher_breaker_failures, settings.teacher_breaker_seconds)

    @property
    def enabled(self) -> bool:
        """Whether there is a teacher at all."""
        return self._client is not None

    @property
    def ready(self) -> bool:
        """Whether the teacher may be asked now: the breaker is closed or would let a probe through."""
        return self.enabled and not self._breaker.is_open

    async def answer(self, intent: str, tool: str, timeout: float) -> TeacherAnswer:  # noqa: ASYNC109
        """The settings of `tool` for `intent` within `timeout` seconds, waiting and retries included.

        A try is begun only while `teacher_typical_seconds` are left. Raises TeacherError; GradeError for no such tool.
        """
        if self._client is None:
            raise TeacherError("teacher_error", "there is no teacher: no key is set, or it is closed")
        deadline = asyncio.get_running_loop().time() + timeout
        result = await self._ask(self._client, tool, messages(tool, intent), deadline)
        if isinstance(result, Failure):
            reason: TeacherReason = "timeout" if result.outcome in ("timeout", "no_time") else "teacher_error"
            raise TeacherError(reason, f"{tool}: {result.detail}", asked=result.outcome not in NOT_SENT)
        reading = self._read(tool, result)
        return TeacherAnswer(reading.settings, reading.reasoning, result.prompt_tokens, result.completion_tokens)

    async def close(self) -> None:
        """Let go of the connections; the teacher is off from here on."""
        client, self._client = self._client, None
        if client is not None:
            await client.close()

    async def _ask(
        self, client: AsyncOpenAI, tool: str, asked: Sequence[Message], deadline: float
    ) -> Completion | Failure:
        """Try, and try again after a passing failure where another try can still finish."""
        for retry in range(self._settings.teacher_retries + 1):
            result = await self._try(client, asked, deadline)
            if isinstance(result, Completion):
                return result
            TEACHER_REQUESTS.labels(result.outcome).inc()
            pause = result.retry_after
            if pause is None:
                pause = BACKOFF_SECONDS * 2**retry * random.uniform(0.5, 1)
            last = retry == self._settings.teacher_retries
            if last or not result.passing or not self._fits(deadline - pause):
                break
            await asyncio.sleep(pause)
        return result

    async def _try(self, client: AsyncOpenAI, asked: Sequence[Message], deadline: float) -> Completion | Failure:
        """One call, if the breaker, a free slot and the time allow it. The slot is held only while it runs."""
        refused = Failure("breaker_open", "the circuit breaker is open", passing=False)
        no_time = Failure("no_time", "too little time for a call", passing=False)
        if self._breaker.is_open:
            return refused
        if not await self._enter(deadline):
            return no_time
        try:
            if not self._fits(deadline):
                return no_time
            with self._breaker.attempt() as attempt:
                if attempt is None:
                    return refused
                seconds = deadline - asyncio.get_running_loop().time()
                result = await call(client, self._settings.teacher_model, asked, seconds)
                if isinstance(result, Failure):
                    log.warning("teacher call failed: %s, %s", result.outcome, result.detail)
                attempt.server_works = isinstance(result, Completion) or not result.blames_server
                return result
        except asyncio.CancelledError:
            TEACHER_REQUESTS.labels("cancelled").inc()
            raise
        finally:
            self._slots.release()

    async def _enter(self, deadline: float) -> bool:
        """Take a slot, and wait for the verdict of a probe that is under way; False where that takes too long."""
        try:
            async with asyncio.timeout_at(deadline - self._settings.teacher_typical_seconds):
                await self._slots.acquire()
                try:
                    await self._breaker.probed()
                except BaseException:
                    self._slots.release()
                    raise
        except TimeoutError:
            return False
        return True

    def _fits(self, deadline: float) -> bool:
        """Whether a call begun now would typically be answered before `deadline`."""
        return deadline - asyncio.get_running_loop().time() >= self._settings.teacher_typical_seconds

    def _read(self, tool: str, completion: Completion) -> Reading:
        """Read the answer and count it; an unreadable one costs as much, and would be the same again."""
        prompt, answer = completion.prompt_tokens, completion.completion_tokens
        TEACHER_TOKENS.labels("prompt").inc(prompt)
        TEACHER_TOKENS.labels("completion").inc(answer)
        TEACHER_COST.inc(dollars(self._settings, prompt, answer))
        try:
            reading = read(tool, completion.text, cut=completion.cut)
        except TeacherError as error:
            TEACHER_REQUESTS.labels("unreadable").inc()
            log.warning("teacher answer unreadable: tool=%s reason=%s", tool, error.reason)
            log.debug("teacher answer: %r", completion.text)
            raise
        TEACHER_REQUESTS.labels("ok").inc()
        return reading
