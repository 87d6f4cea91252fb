"""The first tables, and the view that joins them."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

WITH_USER = sa.text("user_hash IS NOT NULL")

VIEW = """
CREATE VIEW served_with_feedback AS
SELECT
  s.event_id, s.tool, s.request_id, s.time, s.intent, s.output, s.reasoning,
  s.source, s.model, s.cached, s.variant, s.project_id, s.user_hash,
  CASE
    WHEN e.request_id IS NOT NULL THEN 1
    WHEN r.request_id IS NOT NULL AND s.output IS NULL THEN 1
    ELSE 0
  END AS exported,
  CASE
    WHEN e.request_id IS NOT NULL THEN 0
    WHEN r.request_id IS NOT NULL AND s.output IS NULL THEN 0
    WHEN r.request_id IS NOT NULL OR d.request_id IS NOT NULL THEN 1
    ELSE 0
  END AS discarded
FROM served s
LEFT JOIN feedback e ON e.request_id = s.request_id AND e.tool = s.tool AND e.outcome = 'exported'
LEFT JOIN feedback r ON r.request_id = s.request_id AND r.tool = s.tool AND r.outcome = 'removed'
LEFT JOIN feedback d ON d.request_id = s.request_id AND d.tool = s.tool AND d.outcome = 'discarded'
"""


def upgrade() -> None:
    time = sa.DateTime(timezone=True)
    op.create_table(
        "served",
        sa.Column("event_id", sa.Text, nullable=False),
        sa.Column("tool", sa.Text, nullable=False),
        sa.Column("request_id", sa.Text, nullable=False),
        sa.Column("time", time, nullable=False),
        sa.Column("intent", sa.Text, nullable=False),
        sa.Column("output", sa.Text),
        sa.Column("reasoning", sa.Text),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("cached", sa.Boolean, nullable=False),
        sa.Column("variant", sa.Text, nullable=False),
        sa.Column("project_id", sa.Text),
        sa.Column("user_hash", sa.Text),
        sa.PrimaryKeyConstraint("event_id", "tool", name="served_pkey"),
    )
    op.create_index("served_request", "served", ["request_id"])
    op.create_index("served_time", "served", ["time"])
    op.create_index("served_user", "served", ["user_hash"], sqlite_where=WITH_USER, postgresql_where=WITH_USER)
    op.create_table(
        "feedback",
        sa.Column("request_id", sa.Text, nullable=False),
        sa.Column("tool", sa.Text, nullable=False),
        sa.Column("outcome", sa.Text, nullable=False),
        sa.Column("time", time, nullable=False),
        sa.Column("project_id", sa.Text),
        sa.Column("user_hash", sa.Text),
        sa.PrimaryKeyConstraint("request_id", "tool", "outcome", name="feedback_pkey"),
    )
    op.create_index("feedback_time", "feedback", ["time"])
    op.create_index("feedback_user", "feedback", ["user_hash"], sqlite_where=WITH_USER, postgresql_where=WITH_USER)
    op.create_table(
        "projects",
        sa.Column("project_id", sa.Text, nullable=False),
        sa.Column("variant", sa.Text, nullable=False),
        sa.Column("milestone", sa.Text, nullable=False),
        sa.Column("time", time, nullable=False),
        sa.PrimaryKeyConstraint("project_id", "variant", "milestone", name="projects_pkey"),
    )
    op.create_table(
        "forgotten",
        sa.Column("user_hash", sa.Text, nullable=False),
        sa.Column("time", time, nullable=False),
        sa.PrimaryKeyConstraint("user_hash", name="forgotten_pkey"),
    )
    op.execute(VIEW)
