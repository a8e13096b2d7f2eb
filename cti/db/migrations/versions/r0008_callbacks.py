"""Callbacks that the house owes."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

OPEN = sa.text("ended_at IS NULL")


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "callbacks",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("number", sa.String(64), nullable=False),
        sa.Column("department", sa.String(64), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("reason", sa.String(32), nullable=False),
        sa.Column("line", sa.Text(), nullable=False),
        sa.Column("owed_since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("times", sa.Integer(), nullable=False),
        sa.Column("contact_after", sa.DateTime(timezone=True), nullable=False),
        sa.Column("from_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("zone", sa.String(64), nullable=False),
        sa.Column("policy", sa.String(64), nullable=False),
        sa.Column("owner", sa.String(32)),
        sa.Column("lease_until", sa.DateTime(timezone=True)),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("breached", sa.Boolean(), nullable=False),
        sa.Column("result", sa.String(16)),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("fulfilled_by", sa.String(32)),
        sa.Column("ended_by", sa.String(32)),
        sa.Column("ended_at", sa.DateTime(timezone=True)),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_index(
        "uq_callbacks_open",
        "callbacks",
        ["kind", "number"],
        unique=True,
        sqlite_where=OPEN,
        postgresql_where=OPEN,
    )
    op.create_index(
        "ix_callbacks_open",
        "callbacks",
        ["due_at", "id"],
        sqlite_where=OPEN,
        postgresql_where=OPEN,
    )
    op.create_index("ix_callbacks_due_at_id", "callbacks", ["due_at", "id"])
    op.create_index("ix_callbacks_state_due_at_id", "callbacks", ["state", "due_at", "id"])
    op.create_index("ix_callbacks_owner_due_at_id", "callbacks", ["owner", "due_at", "id"])
    op.create_index("ix_callbacks_fulfilled_by", "callbacks", ["fulfilled_by"])
    op.create_table(
        "callback_misses",
        sa.Column("call", sa.String(32), primary_key=True),
        sa.Column(
            "callback",
            sa.String(32),
            sa.ForeignKey("callbacks.id", name="fk_callback_misses_callback_callbacks"),
        ),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("reason", sa.String(32), nullable=False),
        sa.Column("none", sa.String(16)),
    )
    op.create_index("ix_callback_misses_callback", "callback_misses", ["callback"])
    op.create_table(
        "callback_cursor",
        sa.Column("id", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
    )
