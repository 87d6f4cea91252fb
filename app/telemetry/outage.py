"""Something that ought to be there and is not: one alarm when it goes, one word when it is back."""

from time import monotonic

import structlog

log = structlog.get_logger(__name__)


class Outage:
    """Of `what`, e.g. "the event store"."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._since: float | None = None
        self._kind = ""

    def began(self, reason: str) -> bool:
        """Raise the alarm, unless it has been raised; returns whether it was raised now.

        A reason of another kind (what stands before its colon) is logged, too: the first need not be what keeps on.
        """
        first, kind = self._since is None, reason.partition(":")[0]
        if first:
            self._since = monotonic()
        if first or kind != self._kind:
            log.error(f"{self._what} fails", reason=reason)
            self._kind = kind
        return first

    def over(self) -> None:
        if self._since is not None:
            log.info(f"{self._what} works again", seconds=round(monotonic() - self._since, 1))
            self._since = None
