"""Why a request got no answer at all. Both pass: the caller may come back after `retry_after` seconds."""

from collections.abc import Mapping


class Overloaded(RuntimeError):  # noqa: N818 - said as a caller says it
    """Too many prompts wait for the student."""

    def __init__(self, retry_after: int = 1) -> None:
        self.retry_after = retry_after
        super().__init__("too many requests are waiting")


class Unavailable(RuntimeError):  # noqa: N818
    """No requested tool could be answered, for reasons that pass; `failed` has each tool's reason."""

    def __init__(self, failed: Mapping[str, str], retry_after: int = 5) -> None:
        self.failed, self.retry_after = dict(failed), retry_after
        reasons = ", ".join(f"{tool}: {reason}" for tool, reason in failed.items())
        super().__init__(f"no tool could be answered ({reasons})")
