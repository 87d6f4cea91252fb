"""Brings the event store's tables up to date."""

from pathlib import Path

import structlog
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text

from app.events.database import Database

log = structlog.get_logger(__name__)

LOCK = 0x7265636F
"""Any number, the same for all replicas."""


def migrate(database: Database) -> None:
    """Run the migrations that are missing, all or none; replicas that start at once wait for each other.

    Tables of a later version are left as they are: migrations only add, so that during a release, and after it was
    taken back, an older replica can go on writing. Raises EventStoreError.
    """
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    script = ScriptDirectory.from_config(config)
    with database.transaction() as connection:
        if not database.is_sqlite:  # there, a transaction that writes is alone anyway
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
        revision = MigrationContext.configure(connection).get_current_revision()
        if revision == script.get_current_head():
            return
        if revision is not None and not _is_known(revision, script):
            log.warning("the event store is of a later version", revision=revision)
            return
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
    log.info("the event store is migrated", was=revision, store=str(database))


def _is_known(revision: str, script: ScriptDirectory) -> bool:
    return any(known.revision == revision for known in script.walk_revisions())
