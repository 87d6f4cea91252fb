"""Why nothing can be said of a canary."""


class CanaryError(Exception):
    """The message says what is wrong, and what to do; it shows no secret."""


class ServerAwayError(CanaryError):
    """The server does not answer now; it may later."""
