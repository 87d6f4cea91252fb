"""What can be wrong with an event log as a whole; single bad rows are counted, not raised."""


class LogError(ValueError):
    """A log that cannot be read, or from which nothing can be kept; the message says which and what to do."""
