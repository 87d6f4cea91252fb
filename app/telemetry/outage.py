"""Something that ought to be there and is not: one alarm when it goes, one word when it is back."""

from threading import Lock
from time import monotonic

import structlog

log = structlog.get_logger(__name__)


class Outage:
    """Of `what`, e.g. "the event store". Safe to use from any thread."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._guard = Lock()
        self._since: float | None = None
        self._kinds: set[str] = set()

    def began(self, reason: str) -> bool:
        """Raise the alarm, unless it has been raised; returns whether it was raised now.

        A reason of another kind (what stands before its colon) is logged, too, once: the first need not be what lasts.
        """
        kind = reason.partition(":")[0]
        with self._guard:
            first, new = self._since is None, kind not in self._kinds
            if first:
                self._since = monotonic()
            self._kinds.add(kind)
        if new:
            log.error(f"{self._what} fails", reason=reason)
        return first

    def over(self) -> None:
        with self._guard:
            since, self._since = self._since, None
            self._kinds.clear()
        if since is not None:
            log.info(f"{self._what} works again", seconds=round(monotonic() - since, 1))
