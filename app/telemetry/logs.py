"""Logs: one JSON object a line, on standard error, from our own code and from the libraries below it.

The text of an intent is logged at debug only, keys and headers never.
"""

import logging
import sys
import traceback
from typing import Any

import structlog

from app.telemetry import traces

LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


def _with_trace(
    logger: structlog.types.WrappedLogger, name: str, event: structlog.types.EventDict
) -> structlog.types.EventDict:
    """The trace of the request in which a line is written."""
    if trace_id := traces.trace_id():
        event["trace_id"] = trace_id
    return event


_SHARED: tuple[structlog.types.Processor, ...] = (
    structlog.contextvars.merge_contextvars,
    _with_trace,
    structlog.processors.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    structlog.processors.StackInfoRenderer(),
    # Plain tracebacks: structured ones would carry local variables, and with them intents and keys.
    structlog.processors.format_exc_info,
)


def configure(level: str) -> None:
    """Send every log of this process through one JSON renderer. Call once, before anything is logged.

    Args:
        level: debug, info, warning or error: the least that our own code writes. Libraries write warnings
            only; below that they would log requests, and so intents and keys.
    """
    structlog.configure(
        processors=[*_SHARED, structlog.processors.JSONRenderer()],
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level]),
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter())
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(max(LEVELS[level], logging.WARNING))
    logging.getLogger("app").setLevel(LEVELS[level])
    logging.captureWarnings(True)


def formatter() -> logging.Formatter:
    """Renders what libraries log as JSON. Processes that a library spawns name it in their own configuration."""
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=_SHARED,
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            _without_colour,
            structlog.processors.JSONRenderer(),
        ],
    )


def log_failure(log: Any, event: str, error: BaseException, **facts: object) -> None:
    """Where it happened, for everybody; an exception's message may quote an intent and is for debug only."""
    log.error(event, error=type(error).__name__, frames=where(error), **facts)
    log.debug(f"{event}, in full", exc_info=error, **facts)


def where(error: BaseException) -> list[str]:
    """The frames through which it came: file, line and function, without the line's text."""
    frames = traceback.extract_tb(error.__traceback__)
    return [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames]


def _without_colour(
    logger: structlog.types.WrappedLogger, name: str, event: structlog.types.EventDict
) -> structlog.types.EventDict:
    """The HTTP server adds its message a second time, with terminal colours."""
    event.pop("color_message", None)
    return event
