"""Experiments have names, and a project one variant in each.

A replica of the version before, which knows nothing of experiments, can go on writing: what it writes is of none.
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

FIRST = """
INSERT INTO projects (project_id, variant, milestone, time)
SELECT project_id, variant, milestone, time FROM (
  SELECT b.*, row_number() OVER (PARTITION BY project_id, milestone ORDER BY time, variant) AS place
  FROM projects_before b
) ranked WHERE place = 1
"""


def upgrade() -> None:
    op.add_column("served", sa.Column("experiment", sa.Text))
    # SQLite cannot change a primary key.
    op.execute("CREATE TABLE projects_before AS SELECT * FROM projects")
    op.drop_table("projects")
    op.create_table(
        "projects",
        sa.Column("project_id", sa.Text, nullable=False),
        sa.Column("experiment", sa.Text, nullable=False, server_default=""),
        sa.Column("variant", sa.Text, nullable=False),
        sa.Column("milestone", sa.Text, nullable=False),
        sa.Column("time", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("project_id", "experiment", "milestone", name="projects_pkey"),
    )
    op.execute(FIRST)
    op.drop_table("projects_before")
