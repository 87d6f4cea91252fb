"""Brings the event store's tables up to date.

A migration is a module in `migrations/versions` with an `upgrade`; it names the one before it as its `down_revision`.
What all of them lead to must be the tables in `app.events.schema`, which a test compares.
"""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text

from app.events.database import Database

LOCK = 0x7265636F
"""Any number, the same for all replicas."""


def migrate(database: Database) -> str:
    """Run the migrations that are missing, all or none; replicas that start at once wait for each other.

    Returns what there is to say about it, empty where there was nothing to do.

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
            return ""
        if revision is not None and not _is_known(revision, script):
            return f"left as it is: {revision} is of a later version"
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
    return f"migrated from {revision or 'nothing'} to {script.get_current_head()}"


def _is_known(revision: str, script: ScriptDirectory) -> bool:
    return any(known.revision == revision for known in script.walk_revisions())
