"""Why a recording was deleted and by which rules; what a person says who holds one."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns: tombstones and holds were not made before."""
    policy = sa.Column("gone_policy", sa.String(64), nullable=False, server_default="")
    op.add_column("recordings", policy)
    reason = sa.Column("reason", sa.Text, nullable=False, server_default="")
    op.add_column("recording_holds", reason)
