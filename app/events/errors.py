"""What can go wrong with the event log, from the side of whoever uses it."""


class EventsFull(RuntimeError):  # noqa: N818 - said as a caller says it
    """No more events can be kept until the event store takes some; `retry_after` is in seconds."""

    def __init__(self, retry_after: int = 5) -> None:
        self.retry_after = retry_after
        super().__init__("the events that wait for the event store fill their space")


class EventStoreError(RuntimeError):
    """The event store cannot be reached, or refuses. The message holds no password and nothing of any event."""
