"""Experiments have names, and a project one variant in each.

A replica of the version before, which knows nothing of experiments, can go on writing: what it writes is of none.
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

LATER = """
DELETE FROM projects WHERE EXISTS (
  SELECT 1 FROM projects first WHERE first.project_id = projects.project_id AND first.milestone = projects.milestone
  AND (first.time, first.variant) < (projects.time, projects.variant)
)
"""


def upgrade() -> None:
    op.add_column("served", sa.Column("experiment", sa.Text))
    op.execute(LATER)
    # SQLite cannot change a primary key: there the table is written anew. Elsewhere it stays, and the grants on it.
    with op.batch_alter_table("projects") as projects:
        projects.add_column(sa.Column("experiment", sa.Text, nullable=False, server_default=""))
        projects.drop_constraint("projects_pkey", type_="primary")
        projects.create_primary_key("projects_pkey", ["project_id", "experiment", "milestone"])
