"""What the rest of the system knows of the event log."""

from typing import Protocol

from app.events.event import Feedback, Serve


class Events(Protocol):
    """Takes events and never waits: whatever is slow happens elsewhere. Safe to call from any thread."""

    def start(self) -> None: ...

    def served(self, serve: Serve) -> None:
        """Keep what was served. Never fails: an answer is worth more than its record."""
        ...

    def feedback(self, feedback: Feedback) -> None:
        """Keep what a user did, known or not yet known request alike. Raises EventsFull."""
        ...

    def close(self) -> None:
        """Put everything taken into the store, or onto disk for the next start. Blocks, for seconds at most."""
        ...


class NoEvents:
    """Forgets every event: for the command line, and where events are switched off."""

    def start(self) -> None: ...

    def served(self, serve: Serve) -> None: ...

    def feedback(self, feedback: Feedback) -> None: ...

    def close(self) -> None: ...


NO_EVENTS = NoEvents()
