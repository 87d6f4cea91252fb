"""The event log: takes events without waiting, has them on disk within a moment, and delivers them exactly once.

Two threads, so that a slow database never delays the disk: the *journal* appends what was taken to the spool, all of it
together with one fsync every `events_flush_seconds`; the *delivery* writes what the spool holds to the event store. An
event is deleted from disk only when the store has committed it, and delivered again where that is not sure; the store
knows it by its id. So a process that is killed loses the events of its last `events_flush_seconds` and nothing else,
and a store that is down, slow or full costs nothing until the spool is full. From then on events are refused at the
door, the newest first to go: what was accepted is never given up for what comes later. Where the disk fails, the
journal delivers by itself.

The stage ``events`` is the time in which the store takes a batch: handing over takes microseconds.
"""

import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from threading import Event, Thread

import structlog

from app.events.errors import EventsFull, EventStoreError
from app.events.event import Feedback, Serve
from app.events.record import Entry, Record, line_of, record_of
from app.events.spool import Spool
from app.events.store import EventStore
from app.events.user import UserHash
from app.settings import Settings
from app.telemetry.logs import log_failure
from app.telemetry.metrics import EVENTS_SPOOLED, PROJECTS_EXPORTED, PROJECTS_STARTED, REJECTED
from app.telemetry.outage import Outage
from app.telemetry.stages import stage

log = structlog.get_logger(__name__)

MOST_LINES = 1000
"""Appended to the spool at once."""

RETRY_SECONDS = 1.0
"""Between tries to reach a store that failed."""

CLOSE_SECONDS = 5.0
"""What the disk gets to take the last events, and then the store; what the store has not taken then stays on disk."""


class EventLog:
    """The `Events` of a service. Events may be handed over from any thread once it has started."""

    def __init__(self, store: EventStore, spool: Spool, settings: Settings) -> None:
        self._store, self._spool = store, spool
        self._model, self._experiment = settings.model, settings.experiment or ""
        self._most, self._flush_seconds = settings.events_queue, settings.events_flush_seconds
        self._user_hash = UserHash(settings.events_user_key) if settings.events_user_key else None
        self._queue: deque[Entry] = deque()
        self._closing, self._spooled, self._ended, self._give_up = Event(), Event(), Event(), Event()
        self._journal = Thread(target=self._keep_journal, name="events-journal", daemon=True)
        self._delivery = Thread(target=self._keep_delivering, name="events-delivery", daemon=True)
        self._store_outage, self._disk_outage = Outage("the event store"), Outage("the disk for events")
        self._room_outage = Outage("taking events")
        self._missed_key = False

    def start(self) -> None:
        EVENTS_SPOOLED.set_function(lambda: self._spool.waiting)
        self._journal.start()
        self._delivery.start()

    def served(self, serve: Serve) -> None:
        if not self._take(serve):
            REJECTED.labels("events_dropped").inc()

    def feedback(self, feedback: Feedback) -> None:
        if not self._take(feedback):
            raise EventsFull

    def close(self) -> None:
        self._closing.set()
        self._journal.join(CLOSE_SECONDS)
        if self._journal.is_alive():
            log.error("events are lost: the disk does not answer", events=len(self._queue))
        self._delivery.join(CLOSE_SECONDS)
        self._give_up.set()
        if waiting := self._spool.waiting:
            log.warning("events stay on disk and are delivered after the next start", events=waiting)
        if not self._journal.is_alive():  # else the file that it is writing might be deleted under it
            self._spool.close()
        if not self._delivery.is_alive():
            self._store.close()

    def _take(self, event: Serve | Feedback) -> bool:
        """Whether there was room for the event."""
        if self._closing.is_set():
            return False
        if len(self._queue) >= self._most or self._spool.full:
            self._room_outage.began("the space for events that wait is full; new ones are refused")
            return False
        self._queue.append(Entry(event, time.time(), self._hash_of(event.user_id)))
        return True

    def _hash_of(self, user_id: str | None) -> str | None:
        if not user_id:
            return None
        if self._user_hash is None:
            if not self._missed_key:
                self._missed_key = True
                log.warning("no user is stored with events: RECOLOR_EVENTS_USER_KEY is not set")
            return None
        return self._user_hash(user_id)

    # The journal's thread

    def _keep_journal(self) -> None:
        with suppress(OSError):  # tried again with the first event
            self._spool.open()
        self._spooled.set()
        closing = False
        while not closing:
            closing = self._closing.wait(self._flush_seconds)
            try:
                self._empty_queue()
            except Exception as error:  # noqa: BLE001 - a mistake over one event must not end the journal
                log_failure(log, "events are lost", error)
        self._ended.set()
        self._spooled.set()

    def _empty_queue(self) -> None:
        while self._queue:
            lines = [line_of(self._queue.popleft()) for _ in range(min(len(self._queue), MOST_LINES))]
            while not self._keep(lines):
                if self._closing.wait(RETRY_SECONDS):
                    lost = len(lines) + len(self._queue)
                    log.error("events are lost: neither the disk nor the event store takes them", events=lost)
                    REJECTED.labels("events_dropped").inc(lost)
                    self._queue.clear()
                    return
        if not self._spool.full:
            self._room_outage.over()

    def _keep(self, lines: Sequence[bytes]) -> bool:
        """Put lines onto the disk, or where it fails into the store."""
        try:
            self._spool.append(lines)
        except OSError as error:
            self._disk_outage.began(error.strerror or str(error))
        else:
            self._disk_outage.over()
            self._spooled.set()
            return True
        try:
            self._write(lines)
        except EventStoreError as error:
            self._store_outage.began(str(error))
            return False
        return True

    # The delivery's thread

    def _keep_delivering(self) -> None:
        while True:
            last = self._ended.is_set()
            delivered = self._deliver()
            if last:
                return
            if delivered:
                self._spooled.wait()
                self._spooled.clear()
            else:
                self._ended.wait(RETRY_SECONDS)

    def _deliver(self) -> bool:
        """Write everything that waits to the store; False where it failed."""
        try:
            self._prepare()
            while not self._give_up.is_set() and (batch := self._spool.read()):
                self._write(batch.lines)
                self._spool.delivered(batch)
        except (EventStoreError, OSError) as error:
            self._store_outage.began(str(error))
            return False
        except Exception as error:  # noqa: BLE001 - whatever it is, the events are on disk and are tried again
            if self._store_outage.began(type(error).__name__):
                log_failure(log, "delivering events failed", error)
            return False
        self._store_outage.over()
        return True

    def _prepare(self) -> None:
        """Raises EventStoreError."""
        if said := self._store.prepare():
            log.info("the event store is ready", store=str(self._store.database), tables=said)

    def _write(self, lines: Sequence[bytes]) -> None:
        """Raises EventStoreError."""
        records = [record for line in lines if (record := self._read(line)) is not None]
        self._prepare()
        with stage("events", self._model, {"recolor.events": len(records)}):
            new = self._store.write(records, self._experiment)
        for variant, count in new.started.items():
            PROJECTS_STARTED.labels(variant).inc(count)
        for variant, count in new.exported.items():
            PROJECTS_EXPORTED.labels(variant).inc(count)

    def _read(self, line: bytes) -> Record | None:
        record = record_of(line)
        if record is None:
            log.error("an event cannot be read: the disk has damaged it", bytes=len(line))
            REJECTED.labels("events_damaged").inc()
        return record
