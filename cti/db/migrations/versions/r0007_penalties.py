"""Missed calls, incidents, lines, decisions, appeals, statements."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    op.create_index("ix_calls_outcome_seen_at", "calls", ["outcome", "seen_at"])
    misses()
    money()
    months()


def misses() -> None:
    """Make missed calls, and the incidents that they are."""
    op.create_table(
        "incidents",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("source", sa.String(128), nullable=False, unique=True),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("state", sa.String(32), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("number", sa.String(64)),
        sa.Column("department", sa.String(64), nullable=False),
        sa.Column("entry", sa.String(200), nullable=False),
        sa.Column("reason", sa.String(32), nullable=False),
        sa.Column("call", sa.String(32)),
        sa.Column("fault", sa.String(64), nullable=False),
        sa.Column("bundle", sa.String(32), nullable=False, index=True),
        sa.Column("recovered", sa.Boolean, nullable=False),
        sa.Column("note", sa.Text, nullable=False),
        sa.Column("ref", sa.String(32), nullable=False),
        sa.Column("entered_by", sa.String(32), nullable=False),
        sa.Column("policy", sa.String(64), nullable=False),
        sa.Column("roster", sa.String(128), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("proposed_at", sa.DateTime(timezone=True)),
        sa.Column("escalate_at", sa.DateTime(timezone=True)),
        sa.Column("escalated_at", sa.DateTime(timezone=True)),
        sa.Column("lapse_at", sa.DateTime(timezone=True)),
        sa.Index("ix_incidents_state_due_at", "state", "due_at"),
    )
    op.create_table(
        "missed_calls",
        sa.Column("call", sa.String(32), primary_key=True),
        sa.Column(
            "incident", sa.String(32), sa.ForeignKey("incidents.id"), nullable=False, index=True
        ),
        sa.Column("joined", sa.Integer, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("number", sa.String(64)),
        sa.Column("department", sa.String(64), nullable=False),
        sa.Column("entry", sa.String(200), nullable=False),
        sa.Column("reason", sa.String(32), nullable=False),
        sa.Column("recovered_by", sa.String(32)),
        sa.Column("evidence", sa.Text, nullable=False),
        sa.Index("ix_missed_calls_number", "number", "ended_at"),
        sa.Index("ix_missed_calls_at", "at", "call"),
    )
    op.create_table(
        "missed_rang",
        sa.Column("person", sa.String(32), primary_key=True),
        sa.Column("call", sa.String(32), sa.ForeignKey("missed_calls.call"), primary_key=True),
    )
    op.create_table(
        "incident_bundles",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("source", sa.String(128), nullable=False, unique=True),
        sa.Column("fault", sa.String(64), nullable=False),
        sa.Column("began", sa.DateTime(timezone=True), nullable=False, index=True),
        sa.Column("decided", sa.String(32)),
        sa.Column("decided_by", sa.String(32)),
        sa.Column("decided_at", sa.DateTime(timezone=True)),
    )
    op.create_table(
        "penalties_began",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
    )


def money() -> None:
    """Make what incidents may cost, and what was decided."""
    op.create_table(
        "penalty_lines",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("incident", sa.String(32), sa.ForeignKey("incidents.id"), nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("rule", sa.String(64), nullable=False),
        sa.Column("person", sa.String(32), nullable=False),
        sa.Column("role", sa.String(32), nullable=False),
        sa.Column("amount", sa.String(24)),
        sa.Column("proposed", sa.String(24)),
        sa.Column("unit", sa.String(16), nullable=False),
        sa.Column("state", sa.String(32), nullable=False),
        sa.Column("exemption", sa.String(32), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("department", sa.String(64), nullable=False),
        sa.Column("shift", sa.String(64), nullable=False),
        sa.Column("entry", sa.String(200), nullable=False),
        sa.Column("reason", sa.String(32), nullable=False),
        sa.Column("policy", sa.String(64), nullable=False),
        sa.Column("proposed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("lapse_at", sa.DateTime(timezone=True)),
        sa.Column("decided_at", sa.DateTime(timezone=True)),
        sa.Column("decided_by", sa.String(32)),
        sa.Column("notice_at", sa.DateTime(timezone=True), index=True),
        sa.Column("notified_at", sa.DateTime(timezone=True)),
        sa.Column("appeal_until", sa.DateTime(timezone=True)),
        sa.Column("final_at", sa.DateTime(timezone=True), index=True),
        sa.Column("seen_at", sa.DateTime(timezone=True)),
        sa.Column("appealed", sa.Boolean, nullable=False),
        sa.Column("escalated", sa.Boolean, nullable=False),
        sa.Column("bundle", sa.String(32), nullable=False),
        sa.Column("month", sa.Date, index=True),
        sa.Column("version", sa.Integer, nullable=False),
        sa.UniqueConstraint("incident", "person", "rule"),
        sa.Index("ix_penalty_lines_at", "at", "id"),
        sa.Index("ix_penalty_lines_state_at", "state", "at", "id"),
        sa.Index("ix_penalty_lines_person_at", "person", "at", "id"),
    )
    op.create_table(
        "penalty_decisions",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column(
            "incident", sa.String(32), sa.ForeignKey("incidents.id"), nullable=False, index=True
        ),
        sa.Column("line", sa.String(32), nullable=False),
        sa.Column("what", sa.String(32), nullable=False),
        sa.Column("by", sa.String(32), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False, index=True),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("before", sa.String(32), nullable=False),
        sa.Column("after", sa.String(32), nullable=False),
        sa.Column("amount_before", sa.String(24)),
        sa.Column("amount_after", sa.String(24)),
    )
    op.create_table(
        "penalty_appeals",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column(
            "line", sa.String(32), sa.ForeignKey("penalty_lines.id"), nullable=False, unique=True
        ),
        sa.Column(
            "incident", sa.String(32), sa.ForeignKey("incidents.id"), nullable=False, index=True
        ),
        sa.Column("person", sa.String(32), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("verdict", sa.String(32)),
        sa.Column("decided_by", sa.String(32)),
        sa.Column("decided_at", sa.DateTime(timezone=True)),
        sa.Column("reason", sa.Text, nullable=False),
    )


def months() -> None:
    """Make bonus lines and statements."""
    op.create_table(
        "bonus_lines",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("person", sa.String(32), nullable=False),
        sa.Column("month", sa.Date, nullable=False),
        sa.Column("what", sa.String(80), nullable=False),
        sa.Column("amount", sa.String(24), nullable=False),
        sa.Column("note", sa.Text, nullable=False),
        sa.Column("source", sa.String(32), nullable=False),
        sa.Column("reverses", sa.String(32), unique=True),
        sa.Column("entered_by", sa.String(32), nullable=False),
        sa.Column("entered_at", sa.DateTime(timezone=True), nullable=False),
        sa.Index("ix_bonus_lines_month", "month", "person"),
    )
    op.create_table(
        "statements",
        sa.Column("person", sa.String(32), primary_key=True),
        sa.Column("month", sa.Date, primary_key=True),
        sa.Column("state", sa.String(32), nullable=False),
        sa.Column("published_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("final_at", sa.DateTime(timezone=True)),
        sa.Column("exported_at", sa.DateTime(timezone=True)),
        sa.Column("content", sa.Text),
        sa.Index("ix_statements_month", "month"),
    )
