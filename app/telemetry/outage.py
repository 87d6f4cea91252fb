"""Something that ought to be there and is not: one alarm when it goes, one word when it is back."""

from time import monotonic

import structlog

log = structlog.get_logger(__name__)


class Outage:
    """Of `what`, e.g. "the event store"."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._since: float | None = None
        self._kinds: set[str] = set()

    def began(self, reason: str) -> bool:
        """Raise the alarm, unless it has been raised; returns whether it was raised now.

        A reason of another kind (what stands before its colon) is logged, too, once: the first need not be what lasts.
        """
        first, kind = self._since is None, reason.partition(":")[0]
        if first:
            self._since = monotonic()
        if kind not in self._kinds:
            log.error(f"{self._what} fails", reason=reason)
            self._kinds.add(kind)
        return first

    def over(self) -> None:
        if self._since is not None:
            log.info(f"{self._what} works again", seconds=round(monotonic() - self._since, 1))
            self._since = None
            self._kinds.clear()
