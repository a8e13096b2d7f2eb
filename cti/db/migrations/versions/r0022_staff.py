"""Who served a customer at an event, and how content he was with each of them."""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column and the table; of earlier events nobody is known."""
    nobody = sa.Column("staff", sa.String(1000), nullable=False, server_default="")
    op.add_column("customer_events", nobody)
    op.create_table(
        "visit_scores",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("record", sa.String(32), sa.ForeignKey("visit_records.id"), nullable=False),
        sa.Column("visit", sa.String(32), nullable=False),
        sa.Column("customer", sa.String(32), nullable=False),
        sa.Column("agent", sa.String(32), nullable=False),
        sa.Column("role", sa.String(32), nullable=False),
        sa.Column("person", sa.String(64), nullable=False),
        sa.Column("score", sa.String(24), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
    )
    for name in ("record", "customer", "at"):
        op.create_index(f"ix_visit_scores_{name}", "visit_scores", [name])
