"""The time that one request may take."""

from time import monotonic


class Deadline:
    """Counts down from the moment it is made, in seconds of the monotonic clock."""

    def __init__(self, seconds: float) -> None:
        self._end = monotonic() + seconds

    def remaining(self) -> float:
        """Seconds left, never below zero."""
        return max(0.0, self._end - monotonic())

    def share(self, seconds: float) -> float:
        """A stage's own limit, cut to what is left."""
        return min(seconds, self.remaining())
