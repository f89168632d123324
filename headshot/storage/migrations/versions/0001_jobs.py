"""The jobs, and the store they are in."""

import secrets

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make the tables `store` and `jobs`."""
    store = op.create_table(
        "store",
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("salt", sa.LargeBinary(32), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_store"),
    )
    op.bulk_insert(store, [{"name": secrets.token_hex(8), "salt": secrets.token_bytes(32)}])
    op.create_table(
        "jobs",
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("owner", sa.Text, nullable=False),
        sa.Column("comparison", sa.Text, nullable=False),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("request", sa.JSON, nullable=False),
        sa.Column("api", sa.Text, nullable=False),
        sa.Column("key_mark", sa.Text, nullable=False),
        sa.Column("photo_sha256", sa.Text, nullable=False),
        sa.Column("track_id", sa.Text),
        sa.Column("webhook_mark", sa.Text),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("stranded", sa.Boolean, nullable=False),
        sa.Column("remote_id", sa.Text),
        sa.Column("eta_seconds", sa.Double),
        sa.Column("sentence", sa.Text, nullable=False),
        sa.Column("picture_sha256", sa.Text),
        sa.Column("filename", sa.Text),
        sa.Column("facts", sa.JSON, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_jobs"),
        sa.UniqueConstraint("webhook_mark", name="uq_jobs_webhook_mark"),
        sa.CheckConstraint(
            "state IN ('pending', 'sent', 'processing', 'unknown', 'done', 'failed')", name=op.f("ck_jobs_state")
        ),
        sa.CheckConstraint("(state = 'done') = (picture_sha256 IS NOT NULL)", name=op.f("ck_jobs_picture_when_done")),
    )
    op.create_index("ix_jobs_owner_created_at_id", "jobs", ["owner", "created_at", "id"])
    op.create_index("ix_jobs_owner_comparison", "jobs", ["owner", "comparison"])
    for column in ("state", "remote_id", "picture_sha256"):
        op.create_index(f"ix_jobs_{column}", "jobs", [column])
