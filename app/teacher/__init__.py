"""The OpenAI-compatible teacher, which answers where the student cannot."""

from app.teacher.errors import TeacherError, TeacherReason
from app.teacher.teacher import Teacher, TeacherAnswer

__all__ = ["Teacher", "TeacherAnswer", "TeacherError", "TeacherReason"]
