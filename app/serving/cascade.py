"""The cascade of two models: the student answers, the teacher only what the student could not."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from time import perf_counter

from app.grade.codecs import DecodeError
from app.serving.deadline import Deadline
from app.serving.timings import Timings
from app.serving.verdict import LOW_CONFIDENCE, Decided, Failed, Verdict
from app.settings import Settings
from app.students import Answer, EngineError, Prompt, Student
from app.teacher import Teacher, TeacherError
from app.telemetry import traces
from app.telemetry.metrics import FALLBACKS
from app.telemetry.stages import stage

Report = Callable[[str, Verdict], Awaitable[None]]
"""Takes each tool's verdict as soon as it is known."""


class Cascade:
    """Decides tools. A failure of one tool never costs another."""

    def __init__(self, student: Student, teacher: Teacher, settings: Settings) -> None:
        self._student, self._teacher = student, teacher
        self._student_seconds = settings.student_seconds

    async def decide(
        self, intent: str, tools: Sequence[str], deadline: Deadline, timings: Timings, report: Report
    ) -> None:
        """Report a verdict on every tool before the deadline. Raises Overloaded."""
        failed: dict[str, Failed] = {}
        for tool, verdict in (await self._ask_student(intent, tools, deadline, timings)).items():
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

    async def _ask_student(
        self, intent: str, tools: Sequence[str], deadline: Deadline, timings: Timings
    ) -> dict[str, Verdict]:
        """All tools in one call, inside the student's share of the deadline."""
        began = perf_counter()
        try:
            async with asyncio.timeout(deadline.share(self._student_seconds)):
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
            return Decided(self._student.codec.decode(tool, answer.text), "student")
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
            answer = await self._teacher.answer(intent, tool, deadline.remaining())
        except TeacherError as error:
            return Failed(error.reason)
        return Decided(answer.settings, "teacher", answer.reasoning)
