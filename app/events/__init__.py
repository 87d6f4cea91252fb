"""The log of what was served and what became of it, from which the next student learns."""

from app.events.event import Feedback, FeedbackKind, Serve, ServedTool
from app.events.protocol import NO_EVENTS, Events, EventsFull

__all__ = [
    "NO_EVENTS",
    "Events",
    "EventsFull",
    "Feedback",
    "FeedbackKind",
    "Serve",
    "ServedTool",
]
