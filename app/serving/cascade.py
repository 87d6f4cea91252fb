"""The cascade of two models: one answers, the other only what the first could not."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from time import perf_counter

from app.grade.codecs import DecodeError
from app.serving.cache import CacheKey, cache_key, teacher_key
from app.serving.deadline import Deadline
from app.serving.errors import Overloaded
from app.serving.timings import Timings
from app.serving.variant import CONTROL
from app.serving.verdict import LOW_CONFIDENCE, Decided, Failed, Verdict
from app.settings import Settings
from app.students import Answer, EngineError, Prompt, Student, has_started
from app.teacher import Teacher, TeacherAnswer, TeacherError
from app.telemetry import traces
from app.telemetry.metrics import FALLBACKS
from app.telemetry.stages import stage

SPARE_SECONDS = 0.5
"""For everything else that a request of a teacher and then a student does."""

Report = Callable[[str, Verdict], Awaitable[None]]
"""Takes each tool's verdict as soon as it is known."""


class Cascade:
    """Decides tools, the student first. A failure of one tool never costs another.

    `variant` is the experiment's that it answers for.
    """

    def __init__(self, student: Student, teacher: Teacher, settings: Settings, variant: str = CONTROL) -> None:
        self.variant = variant
        self._student, self._teacher = student, teacher
        self._student_seconds, self._teacher_model = settings.student_seconds, settings.teacher_model
        self._teacher_seconds = settings.teacher_typical_seconds

    @property
    def model(self) -> str:
        """Who answers first, as responses and metrics name it."""
        return self._student.model

    @property
    def ready(self) -> bool:
        """Whether one of the two can answer now; not before the student has started, by which answers are kept."""
        return self._student.ready or (self._teacher.ready and has_started(self._student))

    def key(self, tool: str, intent: str) -> CacheKey:
        """What the answer is kept under in the cache, and shared by while it is worked on."""
        return cache_key(self._student, tool, intent)

    def keeps(self, decided: Decided) -> bool:
        """Whether an answer may be kept under its key."""
        return True

    async def decide(
        self, intent: str, tools: Sequence[str], deadline: Deadline, timings: Timings, report: Report
    ) -> None:
        """Report a verdict on every tool before the deadline. Raises Overloaded."""
        failed: dict[str, Failed] = {}
        for tool, verdict in (await self._ask_student(intent, tools, self._share(deadline), timings)).items():
            if isinstance(verdict, Decided):
                await report(tool, verdict)
            else:
                FALLBACKS.labels(tool, verdict.reason, self._student.model).inc()
                failed[tool] = verdict
        if failed and self._teacher.enabled:
            await self._ask_teacher(intent, failed, deadline, timings, report)
        else:
            for tool, verdict in failed.items():
                await report(tool, verdict)

    def _share(self, deadline: Deadline) -> float:
        """The student's seconds: its share where a teacher can use the rest, else all there are."""
        left = deadline.remaining()
        teachable = self._teacher.ready and left >= self._student_seconds + self._teacher_seconds
        return self._student_seconds if teachable else left

    async def _ask_student(
        self, intent: str, tools: Sequence[str], seconds: float, timings: Timings
    ) -> dict[str, Verdict]:
        """All tools in one call, within so many seconds."""
        began = perf_counter()
        try:
            async with asyncio.timeout(seconds):
                generation = await self._student.generate([Prompt(intent, tool) for tool in tools])
        except (TimeoutError, EngineError) as error:
            reason = "timeout" if isinstance(error, TimeoutError) else "engine_error"
            traces.past("generate", perf_counter() - began, facts={"recolor.outcome": reason})
            return dict.fromkeys(tools, Failed(reason))
        timings.add("queue", generation.queued)
        timings.add("generate", generation.generating)
        with stage("validate", self._student.model):
            return {tool: self._read(tool, answer) for tool, answer in zip(tools, generation.answers, strict=True)}

    def _read(self, tool: str, answer: Answer) -> Verdict:
        if answer.text is None:
            return Failed(LOW_CONFIDENCE)
        if answer.truncated:
            return Failed("truncated")
        try:
            return Decided(self._student.codec.decode(tool, answer.text), "student", self._student.model)
        except DecodeError as error:
            return Failed(error.reason)

    async def _ask_teacher(
        self, intent: str, tools: Iterable[str], deadline: Deadline, timings: Timings, report: Report
    ) -> None:
        """Each tool on its own and all at once, inside what is left of the deadline."""
        began = perf_counter()

        async def ask(tool: str) -> None:
            with stage("teacher", self._student.model, {"recolor.tool": tool}) as span:
                verdict = await self._teach(intent, tool, deadline)
                span.note({"recolor.outcome": verdict.reason if isinstance(verdict, Failed) else "ok"})
            timings.add("teacher", perf_counter() - began)
            await report(tool, verdict)

        async with asyncio.TaskGroup() as group:
            for tool in tools:
                group.create_task(ask(tool))

    async def _teach(self, intent: str, tool: str, deadline: Deadline) -> Verdict:
        try:
            answer = await self._ask(intent, tool, deadline.remaining())
        except TeacherError as error:
            return Failed(error.reason)
        return Decided(answer.settings, "teacher", self._teacher_model, answer.reasoning)

    async def _ask(self, intent: str, tool: str, seconds: float) -> TeacherAnswer:
        """Raises TeacherError."""
        return await self._teacher.answer(intent, tool, seconds)


class TeacherFirst(Cascade):
    """The other way round: the student answers what the teacher could not, in its share of the time at least."""

    def __init__(self, student: Student, teacher: Teacher, settings: Settings, variant: str = CONTROL) -> None:
        """Raises ValueError where there is no teacher, or no time for it."""
        super().__init__(student, teacher, settings, variant)
        if not teacher.enabled:
            raise ValueError("RECOLOR_VARIANTS: the teacher needs its key, RECOLOR_TEACHER_API_KEY")
        if settings.deadline_seconds < settings.student_seconds + settings.teacher_typical_seconds + SPARE_SECONDS:
            raise ValueError(
                "RECOLOR_DEADLINE_SECONDS leaves no time for the teacher, RECOLOR_TEACHER_TYPICAL_SECONDS, and then "
                "the student, RECOLOR_STUDENT_SECONDS"
            )

    @property
    def model(self) -> str:
        return self._teacher_model

    def key(self, tool: str, intent: str) -> CacheKey:
        return teacher_key(self._teacher_model, tool, intent)

    def keeps(self, decided: Decided) -> bool:
        """The student stands in for once; next time the teacher is asked again."""
        return decided.source == "teacher"

    async def decide(
        self, intent: str, tools: Sequence[str], deadline: Deadline, timings: Timings, report: Report
    ) -> None:
        failed: dict[str, Verdict] = {}

        async def settle(tool: str, verdict: Verdict) -> None:
            if isinstance(verdict, Decided):
                await report(tool, verdict)
            else:
                failed[tool] = verdict

        before = Deadline(max(0.0, deadline.remaining() - self._student_seconds))
        await self._ask_teacher(intent, tools, before, timings, settle)
        if not failed:
            return
        try:
            answers = await self._ask_student(intent, list(failed), deadline.remaining(), timings)
        except Overloaded:
            if len(failed) == len(tools):
                raise
            answers = {}  # what the teacher has decided is not refused for the rest
        for tool, verdict in failed.items():
            # Where both fail it is for the teacher's reason: that the student cannot read a text is not the last word.
            answer = answers.get(tool)
            await report(tool, answer if isinstance(answer, Decided) else verdict)
