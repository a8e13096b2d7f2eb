"""Which attempts rang the customer first, and which of them met nobody."""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns; before now nobody was rung first."""
    for name in ("customer_first", "abandoned"):
        none = sa.Column(name, sa.Boolean, nullable=False, server_default=sa.false())
        op.add_column("visit_attempts", none)
    op.create_index("ix_visit_attempts_ended", "visit_attempts", ["ended_at"])
