"""The way of one request: cache, then whatever work is already under way, then student and teacher."""

import asyncio
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

import structlog

from app.events import NO_EVENTS, Events, Serve, ServedTool
from app.grade import TOOLS, fold
from app.serving.cache import Cache, CacheKey
from app.serving.cascade import Cascade
from app.serving.deadline import Deadline
from app.serving.errors import Overloaded, Unavailable
from app.serving.flight import SingleFlight
from app.serving.readiness import Readiness, StudentInfo, TeacherInfo
from app.serving.recoloring import Recoloring, RecolorRequest
from app.serving.routing import Routing
from app.serving.timings import Timings
from app.serving.verdict import LOW_CONFIDENCE, STUDENT_REASONS, Decided, Failed, Verdict
from app.settings import Settings
from app.students import EngineError, Student, has_started
from app.students.life import FIRST_PAUSE_SECONDS, load_anew
from app.teacher import Teacher
from app.telemetry.metrics import DEGRADED, FALLBACKS, INFLIGHT, REJECTED, TOOL_RESULTS
from app.telemetry.stages import stage

log = structlog.get_logger(__name__)


class Recolorer:
    """Answers requests. `start` it first; `close` it to finish what is in flight.

    What it serves is handed to `events`, which whoever made them starts and closes. `rivals` are the students of an
    experiment's other variants. Raises ValueError for an experiment that cannot be.
    """

    def __init__(
        self,
        student: Student,
        teacher: Teacher,
        cache: Cache,
        settings: Settings,
        events: Events = NO_EVENTS,
        rivals: Mapping[str, Student] = MappingProxyType({}),
    ) -> None:
        self._teacher, self._cache, self._settings, self._events = teacher, cache, settings, events
        self._students = [student, *rivals.values()]
        self._late: list[asyncio.Task[None]] = []
        self._routing = Routing(student, rivals, teacher, settings)
        self._flights: SingleFlight[CacheKey, Verdict] = SingleFlight()

    async def start(self) -> None:
        """Load the students and warm them up. Raises what the control's loading raises, and EngineError.

        A rival that cannot start is loaded again and again, as one that died; until then the control answers for it.
        """
        control, *rivals = self._students
        try:
            await control.start()
        except EngineError as error:
            raise EngineError(f"{control.model}: {error}") from error
        for rival in rivals:
            try:
                await rival.start()
            except Exception as error:
                log.error("a student of the experiment cannot start", model=rival.model, exc_info=error)
                self._late.append(asyncio.create_task(load_anew(rival.start, rival.model, FIRST_PAUSE_SECONDS)))
        for student in self._students:
            _expect(student.model)
        DEGRADED.set_function(lambda: self.readiness.degraded)

    async def close(self) -> None:
        """Finish what is in flight, inside the deadline of one request."""
        await self._flights.drain(self._settings.deadline_seconds)
        for starting in self._late:
            starting.cancel()
        await asyncio.gather(*self._late, return_exceptions=True)
        for student in self._students:
            await student.close()
        await self._teacher.close()

    @property
    def readiness(self) -> Readiness:
        """Who answers here, and whether they can now."""
        students = [_info(student) for student in self._students]
        teacher = TeacherInfo(self._settings.teacher_model, self._teacher.enabled, self._teacher.ready)
        return Readiness(students[0], teacher, students[1:])

    async def recolor(self, request: RecolorRequest) -> Recoloring:
        """The settings of each requested tool.

        A tool that nobody could answer is in `failed`. Raises Overloaded when too many prompts wait, and Unavailable
        when every requested tool failed; unless all are ``low_confidence``, which is an answer: asking again is no use.
        """
        with INFLIGHT.track_inprogress():
            timings = Timings()
            deadline = Deadline(self._settings.deadline_seconds)
            intent = fold(request.intent)
            cascade = self._routing.cascade_of(request)
            keys = {tool: cascade.key(tool, intent) for tool in request.tools}
            kept = await self._look_up(cascade, keys)
            missing = {tool: key for tool, key in keys.items() if tool not in kept}
            verdicts = kept | await self._decide(cascade, intent, missing, deadline, timings) if missing else kept
            self._count(cascade, verdicts, kept)
            answer = self._answer(cascade, {tool: verdicts[tool] for tool in keys}, not missing, timings)
            self._remember(cascade, request, intent, verdicts, kept)
            return answer

    async def _look_up(self, cascade: Cascade, keys: dict[str, CacheKey]) -> dict[str, Verdict]:
        """What the cache keeps of each tool, by the tool's key."""
        with stage("cache", cascade.model):
            found = await self._cache.get_many(list(keys.values()))
        return {tool: decided for tool, decided in zip(keys, found, strict=True) if decided is not None}

    async def _decide(
        self, cascade: Cascade, intent: str, keys: dict[str, CacheKey], deadline: Deadline, timings: Timings
    ) -> dict[str, Verdict]:
        """A verdict on each tool, shared with every request that asks the same meanwhile."""

        own: set[CacheKey] = set()

        async def work(fresh: Sequence[CacheKey], settle: Callable[[CacheKey, Verdict], None]) -> None:
            own.update(fresh)

            async def report(tool: str, verdict: Verdict) -> None:
                # Kept before it is settled: nobody may find it neither in the cache nor in flight.
                if isinstance(verdict, Decided) and cascade.keeps(verdict):
                    # The log has the reasoning once, beside the answer that it was written for.
                    await self._cache.set(keys[tool], replace(verdict, reasoning=""))
                settle(keys[tool], verdict)

            # Whoever waits for another replica keeps enough time for doing without it.
            patience = deadline.remaining() - self._settings.student_seconds
            async with self._cache.lease(fresh, patience) as made_elsewhere:
                for key, decided in made_elsewhere.items():
                    settle(key, decided)
                if tools := [tool for tool, key in keys.items() if key in fresh and key not in made_elsewhere]:
                    await cascade.decide(intent, tools, deadline, timings, report)

        try:
            verdicts = await self._flights.join(list(keys.values()), work)
            # Another request's time may have run out, which began earlier than this one.
            while (late := [key for key in keys.values() if _timed_out(verdicts[key]) and key not in own]) and (
                deadline.remaining() > 0
            ):
                verdicts |= await self._flights.join(late, work)
        except Overloaded:
            REJECTED.labels("queue").inc()
            raise
        return {tool: verdicts[key] for tool, key in keys.items()}

    def _count(self, cascade: Cascade, verdicts: dict[str, Verdict], kept: dict[str, Verdict]) -> None:
        for tool, verdict in verdicts.items():
            source = "cache" if tool in kept else verdict.source if isinstance(verdict, Decided) else "failed"
            TOOL_RESULTS.labels(tool, source, cascade.variant, cascade.model).inc()

    def _answer(self, cascade: Cascade, verdicts: dict[str, Verdict], cached: bool, timings: Timings) -> Recoloring:
        failed = {tool: verdict.reason for tool, verdict in verdicts.items() if isinstance(verdict, Failed)}
        decided = {tool: verdict for tool, verdict in verdicts.items() if isinstance(verdict, Decided)}
        if not decided and set(failed.values()) != {LOW_CONFIDENCE}:
            raise Unavailable(failed, cascade.model, cascade.variant)
        return Recoloring(
            tools={tool: decided[tool].settings if tool in decided else None for tool in verdicts},
            sources={tool: verdict.source for tool, verdict in decided.items()},
            failed=failed,
            cached=cached,
            model=cascade.model,
            variant=cascade.variant,
            timings_ms=timings.milliseconds(),
        )

    def _remember(
        self,
        cascade: Cascade,
        request: RecolorRequest,
        intent: str,
        verdicts: dict[str, Verdict],
        kept: dict[str, Verdict],
    ) -> None:
        """Hand over to the event log what was served; from the cache is served, too."""
        tools = [
            ServedTool(tool, verdict.settings, verdict.source, verdict.model, tool in kept, verdict.reasoning)
            for tool, verdict in verdicts.items()
            if isinstance(verdict, Decided)
        ]
        if not tools:
            return
        request_id = request.request_id or uuid.uuid4().hex
        experiment = self._routing.experiment_of(request)
        self._events.served(
            Serve(request_id, intent, tools, cascade.variant, request.project_id, request.user_id, experiment)
        )


def _info(student: Student) -> StudentInfo:
    if not has_started(student):
        return StudentInfo(student.model, None, None, ready=False)
    return StudentInfo(student.model, student.codec.name, student.decoding, student.ready)


def _timed_out(verdict: Verdict) -> bool:
    return isinstance(verdict, Failed) and verdict.reason == "timeout"


def _expect(model: str) -> None:
    """Have the counters there before what they count: Prometheus takes a new series' first value for its beginning."""
    for tool in TOOLS:
        for reason in STUDENT_REASONS:
            FALLBACKS.labels(tool, reason, model)
