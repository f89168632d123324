"""A name for the runs that belong together, as a team."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add `group_name` to the comparisons."""
    op.add_column("comparisons", sa.Column("group_name", sa.Text, nullable=False, server_default=sa.text("''")))
