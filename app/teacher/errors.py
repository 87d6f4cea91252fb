"""Why the teacher gave no settings."""

from typing import Literal

TeacherReason = Literal["teacher_error", "timeout", "invalid_json", "schema", "truncated"]


class TeacherError(Exception):
    """The teacher could not be asked or not be read.

    `reason` is the name that metrics and responses use. The message never holds the API key or the text of the
    server's error, which may repeat the key. `asked` is False where the last try sent nothing, which costs nothing.
    """

    def __init__(self, reason: TeacherReason, detail: str = "", asked: bool = True) -> None:
        self.reason: TeacherReason = reason
        self.asked = asked
        super().__init__(f"{reason}: {detail}" if detail else reason)
