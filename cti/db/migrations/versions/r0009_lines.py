"""Dials, line tests and faults."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_OPEN = sa.text("ended_at IS NULL")


def upgrade() -> None:
    """Make the tables."""
    calls()
    dials()
    tests()
    faults()


def calls() -> None:
    """Let a call say why we made it, and what became of the far end."""
    op.add_column("calls", sa.Column("purpose", sa.String(16)))
    op.add_column("calls", sa.Column("said", sa.JSON))
    op.add_column("calls", sa.Column("far_outcome", sa.String(32)))
    op.add_column("calls", sa.Column("far_picked_at", sa.DateTime(timezone=True)))
    op.create_index("ix_calls_purpose", "calls", ["purpose"])


def dials() -> None:
    """Make the attempts and the switch."""
    op.create_table(
        "dial_attempts",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("purpose", sa.String(32), nullable=False),
        sa.Column("subject", sa.String(96), nullable=False),
        sa.Column("pbx", sa.String(32), nullable=False),
        sa.Column("trunk", sa.String(64), nullable=False),
        sa.Column("number", sa.String(32), nullable=False),
        sa.Column("customer_first", sa.Boolean, nullable=False),
        sa.Column("agent", sa.String(32), nullable=False),
        sa.Column("who", sa.String(64), nullable=False),
        sa.Column("state", sa.String(24), nullable=False),
        sa.Column("cause", sa.String(32), nullable=False),
        sa.Column("planned_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("committed_at", sa.DateTime(timezone=True)),
        sa.Column("deadline", sa.BigInteger),
        sa.Column("sent_at", sa.DateTime(timezone=True)),
        sa.Column("ended_at", sa.DateTime(timezone=True)),
        sa.Column("call", sa.String(32)),
    )
    for column in ("subject", "committed_at", "ended_at"):
        op.create_index(f"ix_dial_attempts_{column}", "dial_attempts", [column])
    for name, column in (("open_subject", "subject"), ("live_number", "number")):
        op.create_index(
            f"uq_dial_attempts_{name}",
            "dial_attempts",
            [column],
            unique=True,
            sqlite_where=_OPEN,
            postgresql_where=_OPEN,
        )
    op.create_table(
        "dial_switch",
        sa.Column("name", sa.String(16), primary_key=True),
        sa.Column("off", sa.Boolean, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("who", sa.String(64), nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
    )


def tests() -> None:
    """Make the line tests."""
    op.create_table(
        "line_tests",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("slot", sa.String(200), nullable=False),
        sa.Column("source", sa.String(8), nullable=False),
        sa.Column("day", sa.Date, nullable=False),
        sa.Column("shift", sa.String(64), nullable=False),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("trunk", sa.String(64), nullable=False),
        sa.Column("dial", sa.String(32), nullable=False),
        sa.Column("arrives_at", sa.String(64), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("cause", sa.String(32), nullable=False),
        sa.Column("person", sa.String(32)),
        sa.Column("asked_by", sa.String(32)),
        sa.Column("tries", sa.Integer, nullable=False),
        sa.Column("code", sa.String(16), nullable=False),
        sa.Column("attempt", sa.String(64)),
        sa.Column("done_at", sa.DateTime(timezone=True)),
        sa.Column("by", sa.String(32)),
        sa.Column("call", sa.String(32)),
        sa.Column("confirmed_at", sa.DateTime(timezone=True)),
        sa.Column("confirmed_by", sa.String(32)),
        sa.Column("quality", sa.String(8), nullable=False),
        sa.Column("remark", sa.Text, nullable=False),
        sa.UniqueConstraint("slot", name="uq_line_tests_slot"),
    )
    for column in ("due_at", "state", "person"):
        op.create_index(f"ix_line_tests_{column}", "line_tests", [column])


def faults() -> None:
    """Make the faults and their steps, the bills, and the watch."""
    op.create_table(
        "line_faults",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("place", sa.String(100), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("source", sa.String(8), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("began_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("found_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("found_by", sa.String(32), nullable=False),
        sa.Column("note", sa.Text, nullable=False),
        sa.Column("test", sa.String(32)),
        sa.Column("fixed_at", sa.DateTime(timezone=True)),
        sa.Column("ended_at", sa.DateTime(timezone=True)),
        sa.Column("judged_at", sa.DateTime(timezone=True)),
    )
    op.create_index("ix_line_faults_place", "line_faults", ["place"])
    op.create_index(
        "uq_line_faults_open_place",
        "line_faults",
        ["place"],
        unique=True,
        sqlite_where=_OPEN,
        postgresql_where=_OPEN,
    )
    op.create_table(
        "line_fault_steps",
        sa.Column(
            "fault",
            sa.String(32),
            sa.ForeignKey("line_faults.id", ondelete="CASCADE"),
            primary_key=True,
        ),
        sa.Column("n", sa.Integer, primary_key=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("who", sa.String(32), nullable=False),
        sa.Column("step", sa.String(16), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("note", sa.Text, nullable=False),
    )
    op.create_table(
        "line_bills",
        sa.Column("month", sa.String(7), primary_key=True),
        sa.Column("who", sa.String(32), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_table(
        "line_watch",
        sa.Column("name", sa.String(8), primary_key=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
    )
