"""The tables of penalties: what is kept of missed calls, and of what they may cost."""

from decimal import Decimal
from typing import Final

from sqlalchemy import (
    Boolean,
    Column,
    Date,
    Dialect,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
)
from typing_extensions import override

from cti.db.schema import Instant, metadata

CTI: Final = "cti"
"""Who did it, where no person did."""
_ID = String(32)
_NAME = String(200)
_CODE = String(32)


class Money(TypeDecorator[Decimal]):
    """An exact amount, kept as text: SQLite has no decimals."""

    impl = String(24)
    cache_ok = True

    @override
    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> str | None:
        return None if value is None else str(value)

    @override
    def process_result_value(self, value: str | None, dialect: Dialect) -> Decimal | None:
        return None if value is None else Decimal(value)


incidents: Final = Table(
    "incidents",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("source", String(128), nullable=False, unique=True),
    Column("kind", _CODE, nullable=False),
    Column("state", _CODE, nullable=False),
    Column("at", Instant, nullable=False),
    Column("number", String(64)),
    Column("department", String(64), nullable=False),
    Column("entry", _NAME, nullable=False),
    Column("reason", _CODE, nullable=False),
    Column("call", _ID),
    Column("fault", String(64), nullable=False),
    Column("bundle", _ID, nullable=False, index=True),
    Column("recovered", Boolean, nullable=False),
    Column("note", Text, nullable=False),
    Column("ref", _ID, nullable=False),
    Column("entered_by", _ID, nullable=False),
    Column("policy", String(64), nullable=False),
    Column("roster", String(128), nullable=False),
    Column("due_at", Instant, nullable=False),
    Column("proposed_at", Instant),
    Column("escalate_at", Instant),
    Column("escalated_at", Instant),
    Column("lapse_at", Instant),
    Index("ix_incidents_state_due_at", "state", "due_at"),
)
"""`source` names what an incident is about, once for ever: its first call, a fault, a click.
`call` is the missed call from which its lines come."""

missed_calls: Final = Table(
    "missed_calls",
    metadata,
    Column("call", _ID, primary_key=True),
    Column("incident", _ID, ForeignKey("incidents.id"), nullable=False, index=True),
    Column("joined", Integer, nullable=False),
    Column("at", Instant, nullable=False),
    Column("ended_at", Instant, nullable=False),
    Column("number", String(64)),
    Column("department", String(64), nullable=False),
    Column("entry", _NAME, nullable=False),
    Column("reason", _CODE, nullable=False),
    Column("recovered_by", _ID),
    Column("evidence", Text, nullable=False),
    Index("ix_missed_calls_at", "at", "call"),
    Index("ix_missed_calls_number", "number", "ended_at"),
)
missed_rang: Final = Table(
    "missed_rang",
    metadata,
    Column("person", _ID, primary_key=True),
    Column("call", _ID, ForeignKey("missed_calls.call"), primary_key=True),
)
"""Whose phones rang."""

bundles: Final = Table(
    "incident_bundles",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("source", String(128), nullable=False, unique=True),
    Column("fault", String(64), nullable=False),
    Column("began", Instant, nullable=False, index=True),
    Column("decided", _CODE),
    Column("decided_by", _ID),
    Column("decided_at", Instant),
)

lines: Final = Table(
    "penalty_lines",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("incident", _ID, ForeignKey("incidents.id"), nullable=False),
    Column("kind", _CODE, nullable=False),
    Column("rule", String(64), nullable=False),
    Column("person", _ID, nullable=False),
    Column("role", _CODE, nullable=False),
    Column("amount", Money),
    Column("proposed", Money),
    Column("unit", String(16), nullable=False),
    Column("state", _CODE, nullable=False),
    Column("exemption", _CODE, nullable=False),
    Column("at", Instant, nullable=False),
    Column("department", String(64), nullable=False),
    Column("shift", String(64), nullable=False),
    Column("entry", _NAME, nullable=False),
    Column("reason", _CODE, nullable=False),
    Column("policy", String(64), nullable=False),
    Column("proposed_at", Instant, nullable=False),
    Column("lapse_at", Instant),
    Column("decided_at", Instant),
    Column("decided_by", _ID),
    Column("notice_at", Instant, index=True),
    Column("notified_at", Instant),
    Column("appeal_until", Instant),
    Column("final_at", Instant, index=True),
    Column("seen_at", Instant),
    Column("appealed", Boolean, nullable=False),
    Column("escalated", Boolean, nullable=False),
    Column("bundle", _ID, nullable=False),
    Column("month", Date, index=True),
    Column("version", Integer, nullable=False),
    UniqueConstraint("incident", "person", "rule"),
    Index("ix_penalty_lines_at", "at", "id"),
    Index("ix_penalty_lines_state_at", "state", "at", "id"),
    Index("ix_penalty_lines_person_at", "person", "at", "id"),
)
"""`notice_at` is when the notice of a decision is due, and empty once it went out."""

decisions: Final = Table(
    "penalty_decisions",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("incident", _ID, ForeignKey("incidents.id"), nullable=False, index=True),
    Column("line", _ID, nullable=False),
    Column("what", _CODE, nullable=False),
    Column("by", _ID, nullable=False),
    Column("at", Instant, nullable=False, index=True),
    Column("reason", Text, nullable=False),
    Column("before", _CODE, nullable=False),
    Column("after", _CODE, nullable=False),
    Column("amount_before", Money),
    Column("amount_after", Money),
)
appeals: Final = Table(
    "penalty_appeals",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("line", _ID, ForeignKey("penalty_lines.id"), nullable=False, unique=True),
    Column("incident", _ID, ForeignKey("incidents.id"), nullable=False, index=True),
    Column("person", _ID, nullable=False),
    Column("at", Instant, nullable=False),
    Column("text", Text, nullable=False),
    Column("verdict", _CODE),
    Column("decided_by", _ID),
    Column("decided_at", Instant),
    Column("reason", Text, nullable=False),
)
bonus: Final = Table(
    "bonus_lines",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("person", _ID, nullable=False),
    Column("month", Date, nullable=False),
    Column("what", String(80), nullable=False),
    Column("amount", Money, nullable=False),
    Column("note", Text, nullable=False),
    Column("source", _CODE, nullable=False),
    Column("reverses", _ID, unique=True),
    Column("entered_by", _ID, nullable=False),
    Column("entered_at", Instant, nullable=False),
    Index("ix_bonus_lines_month", "month", "person"),
)
statements: Final = Table(
    "statements",
    metadata,
    Column("person", _ID, primary_key=True),
    Column("month", Date, primary_key=True),
    Column("state", _CODE, nullable=False),
    Column("published_at", Instant, nullable=False),
    Column("final_at", Instant),
    Column("exported_at", Instant),
    Column("content", Text),
    Index("ix_statements_month", "month"),
)
"""`content` is the statement as it became final: later changes do not touch it (V18)."""

began: Final = Table(
    "penalties_began",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("at", Instant, nullable=False),
)
"""One row: calls that were missed before the desk first ran are not judged."""
