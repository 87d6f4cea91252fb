"""A PostgreSQL server, as the event store's tests have one."""

from tests.events.conftest import postgres

__all__ = ["postgres"]
