"""Why a request got no answer at all. Both pass: the caller may come back after `retry_after` seconds."""

from collections.abc import Mapping

from app.students import Overloaded

__all__ = ["Overloaded", "Unavailable"]


class Unavailable(RuntimeError):  # noqa: N818 - said as a caller says it
    """No requested tool could be answered, for reasons that pass; `failed` has each tool's reason.

    `model` and `variant` are those that should have answered, as in a `Recoloring`.
    """

    def __init__(self, failed: Mapping[str, str], model: str, variant: str, retry_after: int = 5) -> None:
        self.failed, self.model, self.variant, self.retry_after = dict(failed), model, variant, retry_after
        reasons = ", ".join(f"{tool}: {reason}" for tool, reason in failed.items())
        super().__init__(f"no tool could be answered ({reasons})")
