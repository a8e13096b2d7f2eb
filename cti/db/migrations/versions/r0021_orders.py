"""At which restaurant a guest has a table, and what became of it."""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns; of earlier events nothing of it is known."""
    for name, length in (("merchant", 64), ("seating", 16), ("note", 500)):
        none = sa.Column(name, sa.String(length), nullable=False, server_default="")
        op.add_column("customer_events", none)
