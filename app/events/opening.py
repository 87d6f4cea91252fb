"""The event log and its store as the settings want them."""

from sqlalchemy import URL

from app.events.database import Database
from app.events.log import EventLog
from app.events.protocol import NO_EVENTS, Events
from app.events.spool import Spool
from app.events.store import EventStore
from app.settings import Settings

OFF = "none"
"""The URL that switches events off."""


def open_events(settings: Settings) -> Events:
    """What a service hands its events to. Raises ValueError for a URL that cannot be used."""
    store = open_store(settings)
    if store is None:
        return NO_EVENTS
    return EventLog(store, Spool(settings.events_folder / "spool", settings.events_spool_bytes), settings)


def open_store(settings: Settings) -> EventStore | None:
    """The store alone; None where events are switched off. Raises ValueError for a URL that cannot be used."""
    url = settings.events_url.get_secret_value() if settings.events_url else ""
    if url == OFF:
        return None
    file = settings.events_folder.absolute() / "events.sqlite3"
    return EventStore(Database(url or URL.create("sqlite", database=str(file))))
