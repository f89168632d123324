"""The history of headshots, the saved settings, and the votes."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Make the tables of the history."""
    op.create_table(
        "comparisons",
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("owner", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("group", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("favourite", sa.Boolean, nullable=False),
        sa.Column("backend", sa.Text, nullable=False),
        sa.Column("photo_sha256", sa.Text, nullable=False),
        sa.Column("face", sa.Integer),
        sa.Column("requests", sa.JSON, nullable=False),
        sa.Column("ended", sa.Boolean, nullable=False),
        sa.Column("begun", sa.DateTime(timezone=True), nullable=False),
        sa.Column("kept_since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("search", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_comparisons"),
        sa.CheckConstraint("kind IN ('comparison', 'matrix', 'team')", name=op.f("ck_comparisons_kind")),
    )
    op.create_index("ix_comparisons_owner_begun_id", "comparisons", ["owner", "begun", "id"])
    op.create_index("ix_comparisons_owner_group", "comparisons", ["owner", "group"])
    op.create_index("ix_comparisons_kept_since", "comparisons", ["kept_since"])
    op.create_table(
        "shots",
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("owner", sa.Text, nullable=False),
        sa.Column("comparison", sa.Text, nullable=False),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("backend", sa.Text, nullable=False),
        sa.Column("filename", sa.Text, nullable=False),
        sa.Column("width", sa.Integer, nullable=False),
        sa.Column("height", sa.Integer, nullable=False),
        sa.Column("facts", sa.JSON, nullable=False),
        sa.Column("favourite", sa.Boolean, nullable=False),
        sa.Column("picture_sha256", sa.Text, nullable=False),
        sa.Column("size_bytes", sa.Integer, nullable=False),
        sa.Column("made", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_shots"),
        _gone_with("shots", "comparison", "comparisons.id"),
    )
    op.create_index("ix_shots_owner_favourite", "shots", ["owner", "favourite"])
    op.create_index("ix_shots_comparison", "shots", ["comparison"])
    op.create_index("ix_shots_picture_sha256", "shots", ["picture_sha256"])
    op.create_table(
        "thumbnails",
        sa.Column("shot", sa.Text, nullable=False),
        sa.Column("webp", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("shot", name="pk_thumbnails"),
        _gone_with("thumbnails", "shot", "shots.id"),
    )
    op.create_table(
        "failures",
        sa.Column("comparison", sa.Text, nullable=False),
        sa.Column("position", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("sentence", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("comparison", "position", name="pk_failures"),
        _gone_with("failures", "comparison", "comparisons.id"),
    )
    op.create_table(
        "looks",
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("owner", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("settings", sa.JSON, nullable=False),
        sa.Column("saved_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_looks"),
        sa.UniqueConstraint("owner", "name", name="uq_looks_owner"),
    )
    op.create_index("ix_looks_saved_at", "looks", ["saved_at"])
    op.create_table(
        "votes",
        sa.Column("code", sa.Text, nullable=False),
        sa.Column("owner", sa.Text, nullable=False),
        sa.Column("comparison", sa.Text, nullable=False),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("open", sa.Boolean, nullable=False),
        sa.Column("begun", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("code", name="pk_votes"),
        _gone_with("votes", "comparison", "comparisons.id"),
    )
    op.create_index("ix_votes_owner", "votes", ["owner"])
    op.create_index("ix_votes_comparison", "votes", ["comparison"])
    op.create_table(
        "candidates",
        sa.Column("vote", sa.Text, nullable=False),
        sa.Column("shot", sa.Text, nullable=False),
        sa.Column("position", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("vote", "shot", name="pk_candidates"),
        _gone_with("candidates", "vote", "votes.code"),
        _gone_with("candidates", "shot", "shots.id"),
    )
    op.create_index("ix_candidates_shot", "candidates", ["shot"])
    op.create_table(
        "ballots",
        sa.Column("vote", sa.Text, nullable=False),
        sa.Column("voter", sa.Text, nullable=False),
        sa.Column("left_shot", sa.Text, nullable=False),
        sa.Column("right_shot", sa.Text, nullable=False),
        sa.Column("outcome", sa.Text, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("vote", "voter", "left_shot", "right_shot", name="pk_ballots"),
        _gone_with("ballots", "vote", "votes.code"),
        _gone_with("ballots", "left_shot", "shots.id"),
        _gone_with("ballots", "right_shot", "shots.id"),
        sa.CheckConstraint("outcome IN ('left', 'right', 'tie')", name=op.f("ck_ballots_outcome")),
    )
    op.create_index("ix_ballots_left_shot", "ballots", ["left_shot"])
    op.create_index("ix_ballots_right_shot", "ballots", ["right_shot"])


def _gone_with(table: str, column: str, of: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [of], name=f"fk_{table}_{column}", ondelete="CASCADE")
