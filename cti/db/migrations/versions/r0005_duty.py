"""Roster, clock, swaps, leave, breaks, hand-over, notices, checklists."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    roster()
    asked()
    rest()


def roster() -> None:
    """Make the roster and its publications."""
    op.create_table(
        "duty_assignments",
        sa.Column("id", sa.String(26), primary_key=True),
        sa.Column("person", sa.String(26), nullable=False, index=True),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("department", sa.String(64), nullable=False),
        sa.Column("day", sa.Date, nullable=False, index=True),
        sa.Column("shift", sa.String(64), nullable=False),
        sa.Column("starts", sa.DateTime(timezone=True), nullable=False, index=True),
        sa.Column("ends", sa.DateTime(timezone=True), nullable=False),
        sa.Column("relieved_by", sa.String(64), nullable=False),
        sa.Column("source", sa.String(16), nullable=False),
        sa.Column("clock_in", sa.DateTime(timezone=True)),
        sa.Column("clock_out", sa.DateTime(timezone=True)),
        sa.Column("offered_at", sa.DateTime(timezone=True)),
        sa.Column("handed_over_at", sa.DateTime(timezone=True)),
        sa.Column("took_over_at", sa.DateTime(timezone=True)),
        sa.Column("excused_from", sa.DateTime(timezone=True)),
        sa.Column("published_at", sa.DateTime(timezone=True)),
        sa.Column("removed_at", sa.DateTime(timezone=True)),
        sa.Column("dropping", sa.Boolean, nullable=False),
        sa.Column("swap", sa.String(26), nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
    )
    op.create_table(
        "duty_versions",
        sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False, index=True),
    )
    op.create_table(
        "duty_plans",
        sa.Column("id", sa.String(26), primary_key=True),
        sa.Column("week", sa.Date, nullable=False, index=True),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("by", sa.String(26), nullable=False),
    )
    op.create_table(
        "duty_gaps",
        sa.Column("plan", sa.String(26), primary_key=True),
        sa.Column("n", sa.Integer, primary_key=True),
        sa.Column("lack", sa.String(16), nullable=False),
        sa.Column("department", sa.String(64), nullable=False),
        sa.Column("began", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended", sa.DateTime(timezone=True), nullable=False),
        sa.Column("staff", sa.Integer, nullable=False),
        sa.Column("wanted", sa.Integer, nullable=False),
        sa.Column("shift", sa.String(64), nullable=False),
    )


def asked() -> None:
    """Make what people ask for and hand over."""
    op.create_table(
        "duty_swaps",
        sa.Column("id", sa.String(26), primary_key=True),
        sa.Column("asker", sa.String(26), nullable=False, index=True),
        sa.Column("peer", sa.String(26), nullable=False, index=True),
        sa.Column("first", sa.String(26), nullable=False),
        sa.Column("back", sa.String(26), nullable=False),
        sa.Column("month", sa.Date, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("state", sa.String(20), nullable=False, index=True),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True)),
        sa.Column("decided_by", sa.String(26), nullable=False),
        sa.Column("why", sa.Text, nullable=False),
    )
    op.create_table(
        "duty_leaves",
        sa.Column("id", sa.String(26), primary_key=True),
        sa.Column("person", sa.String(26), nullable=False, index=True),
        sa.Column("assignment", sa.String(26), nullable=False, index=True),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("state", sa.String(16), nullable=False, index=True),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True)),
        sa.Column("decided_by", sa.String(26), nullable=False),
        sa.Column("why", sa.Text, nullable=False),
    )
    op.create_table(
        "duty_away",
        sa.Column("id", sa.String(26), primary_key=True),
        sa.Column("person", sa.String(26), nullable=False, index=True),
        sa.Column("assignment", sa.String(26), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("minutes", sa.Integer, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False, index=True),
        sa.Column("began_at", sa.DateTime(timezone=True)),
        sa.Column("until_at", sa.DateTime(timezone=True)),
        sa.Column("ended_at", sa.DateTime(timezone=True)),
        sa.Column("decided_by", sa.String(26), nullable=False),
        sa.Column("why", sa.Text, nullable=False),
    )
    op.create_table(
        "duty_handovers",
        sa.Column("id", sa.String(26), primary_key=True),
        sa.Column("assignment", sa.String(26), nullable=False, unique=True),
        sa.Column("person", sa.String(26), nullable=False),
        sa.Column("notes", sa.Text, nullable=False),
        sa.Column("open_items", sa.Text, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("offered_at", sa.DateTime(timezone=True), nullable=False, index=True),
        sa.Column("to_assignment", sa.String(26), nullable=False),
        sa.Column("to_person", sa.String(26), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True)),
        sa.Column("decided_by", sa.String(26), nullable=False),
        sa.Column("why", sa.Text, nullable=False),
    )


def rest() -> None:
    """Make notices, checklists and chat seats."""
    op.create_table(
        "duty_notices",
        sa.Column("id", sa.String(26), primary_key=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False, index=True),
        sa.Column("by", sa.String(26), nullable=False),
        sa.Column("title", sa.String(120), nullable=False),
        sa.Column("body", sa.Text, nullable=False),
    )
    op.create_table(
        "duty_notice_reads",
        sa.Column("notice", sa.String(26), primary_key=True),
        sa.Column("person", sa.String(26), primary_key=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_table(
        "duty_checklists",
        sa.Column("assignment", sa.String(26), primary_key=True),
        sa.Column("kind", sa.String(8), primary_key=True),
        sa.Column("person", sa.String(26), nullable=False),
        sa.Column("items", sa.Text, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_table(
        "duty_chat_seats",
        sa.Column("assignment", sa.String(26), primary_key=True),
        sa.Column("day", sa.Date, nullable=False, index=True),
        sa.Column("shift", sa.String(64), nullable=False),
        sa.Column("by", sa.String(26), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
    )
