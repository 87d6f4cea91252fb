"""Where the time of one request went."""

from time import perf_counter


class Timings:
    """Counts from the moment it is made; keeps seconds by stage, for the stages that happened."""

    def __init__(self) -> None:
        self._began = perf_counter()
        self._stages: dict[str, float] = {}

    @property
    def total(self) -> float:
        """Seconds until now."""
        return perf_counter() - self._began

    def add(self, stage: str, seconds: float) -> None:
        """Set a stage's time; of calls made at once the last, which took longest, counts."""
        self._stages[stage] = seconds

    def milliseconds(self) -> dict[str, float]:
        """``total`` until now, and the stages."""
        seconds = {"total": self.total, **self._stages}
        return {stage: round(1000 * value, 2) for stage, value in seconds.items()}
