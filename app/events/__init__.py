"""The log of what was served and what became of it, from which the next student learns.

What the rest of the system hands over is named here; the log itself, and its store, are in `app.events.opening`: who
keeps no events need not load a database.
"""

from app.events.errors import EventsFull, EventStoreError
from app.events.event import Feedback, FeedbackKind, Serve, ServedTool
from app.events.protocol import NO_EVENTS, Events

__all__ = [
    "NO_EVENTS",
    "EventStoreError",
    "Events",
    "EventsFull",
    "Feedback",
    "FeedbackKind",
    "Serve",
    "ServedTool",
]
