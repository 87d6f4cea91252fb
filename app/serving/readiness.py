"""Who answers here, and whether they can."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class StudentInfo:
    """The student in service: ``name@version``, and how it writes; None where it has never started."""

    model: str
    codec: str | None
    decoding: str | None
    ready: bool


@dataclass(frozen=True, slots=True)
class TeacherInfo:
    """The teacher: the name its server knows it by; not `enabled` without a key."""

    model: str
    enabled: bool
    ready: bool


@dataclass(frozen=True, slots=True)
class Readiness:
    """Who could answer a request now. `rivals` are the students of an experiment's other variants.

    Where one of these is dead its projects are the teacher's, or without one the control's, and the control's until it
    has started: that is not `degraded`.
    """

    student: StudentInfo
    teacher: TeacherInfo
    rivals: Sequence[StudentInfo] = ()

    @property
    def ready(self) -> bool:
        return self.student.ready or self.teacher.ready

    @property
    def degraded(self) -> bool:
        """Only the teacher can answer: slower, and it costs money."""
        return self.teacher.ready and not self.student.ready
