"""A student in service as an engine: what serves online is scored offline."""

import asyncio
from collections.abc import Sequence

from app.students.protocol import Answer, Prompt, Student


class OfflineEngine:
    """An `Engine` by a `Student`, which it starts. Raises what starting raises."""

    def __init__(self, student: Student) -> None:
        self._student, self._runner = student, asyncio.Runner()
        self._runner.run(student.start())
        self.model, self.codec, self.decoding = student.model, student.codec, student.decoding

    def generate(self, prompts: Sequence[Prompt]) -> list[Answer]:
        """Raises EngineError."""
        return self._runner.run(self._student.generate(prompts)).answers

    def close(self) -> None:
        self._runner.run(self._student.close())
        self._runner.close()
