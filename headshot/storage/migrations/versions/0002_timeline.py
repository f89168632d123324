"""A timeline for each job, and how often the service was asked about it."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Make the table `events`, and count polls."""
    op.add_column("jobs", sa.Column("polls", sa.Integer, nullable=False, server_default=sa.text("0")))
    op.create_table(
        "events",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("job", sa.Text, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("what", sa.Text, nullable=False),
        sa.Column("sentence", sa.Text, nullable=False),
        sa.Column("details", sa.JSON, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_events"),
        sa.ForeignKeyConstraint(["job"], ["jobs.id"], name="fk_events_job", ondelete="CASCADE"),
    )
    op.create_index("ix_events_job", "events", ["job"])
    # Of the jobs there are already, only the beginning is known.
    op.execute(
        "INSERT INTO events (job, at, what, sentence, details) SELECT id, created_at, 'added', '', '{}' FROM jobs"
    )
