"""Who answers here, and whether they can."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class StudentInfo:
    """The student in service: ``name@version``, and how it writes."""

    model: str
    codec: str
    decoding: str
    ready: bool


@dataclass(frozen=True, slots=True)
class TeacherInfo:
    """The teacher: the name its server knows it by; not `enabled` without a key."""

    model: str
    enabled: bool
    ready: bool


@dataclass(frozen=True, slots=True)
class Readiness:
    """Who could answer a request now."""

    student: StudentInfo
    teacher: TeacherInfo

    @property
    def ready(self) -> bool:
        return self.student.ready or self.teacher.ready

    @property
    def degraded(self) -> bool:
        """Only the teacher can answer: slower, and it costs money."""
        return self.teacher.ready and not self.student.ready
