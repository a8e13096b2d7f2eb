"""Where are the return visits kept, and who works on them?

`origin` is unique: whatever plans a visit again changes nothing. A visit that nobody holds is
`open`; whether it is planned, waiting or due follows from the time. Each attempt is a row of its
own, of which a customer has one open at a time.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    Date,
    ForeignKey,
    Index,
    Integer,
    Row,
    SmallInteger,
    String,
    Table,
    Text,
    Time,
    select,
    text,
)
from sqlalchemy.dialects import postgresql, sqlite

from cti.db.engine import Database
from cti.db.schema import Connection, Instant, metadata, new_id
from cti.visits.record import OPEN, Kind, Outcome, Owed, Try, Visit

_ID: Final = String(32)
_CODE: Final = String(24)
_NOT_OVER: Final = text("ended_at IS NULL")
_FREE: Final = text("state = 'open'")
_AT_ONCE: Final = 500
"""So many rows are written by one statement."""

visits: Final = Table(
    "visits",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("kind", _CODE, nullable=False),
    Column("origin", String(160), nullable=False, unique=True),
    Column("customer", ForeignKey("customers.id"), nullable=False),
    Column("rule", String(64), nullable=False),
    Column("purpose", _CODE, nullable=False),
    Column("period", String(32), nullable=False),
    Column("event", _ID, index=True),
    Column("campaign", _ID, index=True),
    Column("department", String(64), nullable=False),
    Column("form", String(64), nullable=False),
    Column("script", String(64), nullable=False),
    Column("channels", JSON, nullable=False),
    Column("by", _CODE, nullable=False),
    Column("at", Time),
    Column("state", _CODE, nullable=False),
    Column("from_at", Instant, nullable=False),
    Column("due_at", Instant, nullable=False),
    Column("give_up_at", Instant, nullable=False),
    Column("next_at", Instant, nullable=False),
    Column("appointment_at", Instant),
    Column("owner", _ID),
    Column("held_by", _ID),
    Column("lease_until", Instant),
    Column("epoch", Integer, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("explanations", Integer, nullable=False),
    Column("avoid_agent", _ID),
    Column("avoid_daypart", _CODE),
    Column("warned", SmallInteger, nullable=False),
    Column("breached", Boolean, nullable=False),
    Column("breach_cause", _CODE, nullable=False),
    Column("fallback_sent", Boolean, nullable=False),
    Column("outcome", _CODE),
    Column("note", Text, nullable=False),
    Column("zone", String(64), nullable=False),
    Column("policy", String(64), nullable=False),
    Column("merged_into", _ID, index=True),
    Column("ended_by", _ID),
    Column("ended_at", Instant),
    Column("opened_at", Instant, nullable=False),
    Index("ix_visits_free", "owner", "due_at", "id", sqlite_where=_FREE, postgresql_where=_FREE),
    Index(
        "ix_visits_held",
        "held_by",
        sqlite_where=text("held_by IS NOT NULL"),
        postgresql_where=text("held_by IS NOT NULL"),
    ),
    Index(
        "ix_visits_appointments",
        "appointment_at",
        sqlite_where=text("appointment_at IS NOT NULL AND ended_at IS NULL"),
        postgresql_where=text("appointment_at IS NOT NULL AND ended_at IS NULL"),
    ),
    Index("ix_visits_open", "due_at", "id", sqlite_where=_NOT_OVER, postgresql_where=_NOT_OVER),
    Index("ix_visits_customer", "customer", "due_at"),
    Index("ix_visits_period", "rule", "period", "state"),
)
"""One row per visit that we owe; what its columns mean stands at `record.Visit`."""

tries: Final = Table(
    "visit_attempts",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("visit", ForeignKey("visits.id"), nullable=False, index=True),
    Column("customer", _ID, nullable=False),
    Column("number", String(64), nullable=False),
    Column("agent", _ID, nullable=False),
    Column("purpose", _CODE, nullable=False),
    Column("daypart", _CODE, nullable=False),
    Column("day", Date, nullable=False),
    Column("allowed", String(32), nullable=False),
    Column("began_at", Instant, nullable=False),
    Column("ended_at", Instant),
    Column("outcome", _CODE),
    Column("counts", Boolean, nullable=False),
    Column("call", _ID),
    Index("ix_visit_attempts_customer", "customer", "began_at"),
    Index("ix_visit_attempts_agent", "agent", "began_at"),
    Index(
        "uq_visit_attempts_live",
        "customer",
        unique=True,
        sqlite_where=_NOT_OVER,
        postgresql_where=_NOT_OVER,
    ),
)
"""One row per attempt; `day` is that of the customer's clock. One lives per customer."""

plan_days: Final = Table(
    "visit_plan_days",
    metadata,
    Column("day", Date, primary_key=True),
    Column("policy", String(64), nullable=False),
    Column("at", Instant, nullable=False),
)
"""The days of which everything that is owed by the calendar was kept, and by which rules."""

_OWE: Final[Mapping[str, Any]] = {
    "sqlite": sqlite.insert(visits).on_conflict_do_nothing().returning(visits.c.id),
    "postgresql": postgresql.insert(visits).on_conflict_do_nothing().returning(visits.c.id),
}


class VisitStore:
    """Return visits in the database. Instants are aware UTC."""

    def __init__(self, db: Database) -> None:
        self._db = db

    # -- what is owed

    async def owe(self, conn: Connection, owed: Sequence[Owed], now: datetime, policy: str) -> int:
        """Keep visits that are owed, in the transaction of `conn`; give how many are new.

        What has its origin already is left as it is.
        """
        kept = 0
        for start in range(0, len(owed), _AT_ONCE):
            rows = [_fresh(one, now, policy) for one in owed[start : start + _AT_ONCE]]
            kept += len((await conn.execute(_OWE[self._db.dialect], rows)).all())
        return kept

    # -- reading

    async def get(self, visit: str) -> Visit | None:
        """Find one by its id."""
        async with self._db.read() as conn:
            row = (await conn.execute(select(visits).where(visits.c.id == visit))).first()
        return None if row is None else _visit(row)


def _fresh(owed: Owed, now: datetime, policy: str) -> dict[str, Any]:
    return {
        "id": new_id(now),
        "kind": owed.kind.value,
        "origin": owed.origin,
        "customer": owed.customer,
        "rule": owed.rule,
        "purpose": owed.purpose,
        "period": owed.period,
        "event": owed.event,
        "campaign": owed.campaign,
        "department": owed.department,
        "form": owed.form,
        "script": owed.script,
        "channels": list(owed.channels),
        "by": owed.by,
        "at": owed.at,
        "state": OPEN,
        "from_at": owed.from_at,
        "due_at": owed.due_at,
        "give_up_at": owed.give_up_at,
        "next_at": owed.appointment_at or owed.from_at,
        "appointment_at": owed.appointment_at,
        "owner": owed.owner,
        "held_by": None,
        "lease_until": None,
        "epoch": 0,
        "attempts": 0,
        "explanations": 0,
        "avoid_agent": None,
        "avoid_daypart": None,
        "warned": 0,
        "breached": owed.due_at <= now,
        "breach_cause": "",
        "fallback_sent": False,
        "outcome": None,
        "note": "",
        "zone": owed.zone,
        "policy": policy,
        "merged_into": None,
        "ended_by": None,
        "ended_at": None,
        "opened_at": now,
    }


def _visit(row: Row[Any]) -> Visit:
    values = dict(row._mapping)
    values["kind"] = Kind(row.kind)
    values["channels"] = tuple(row.channels)
    values["outcome"] = Outcome(row.outcome) if row.outcome else None
    return Visit(**values)


def _try(row: Row[Any]) -> Try:
    values = dict(row._mapping)
    del values["day"]
    values["outcome"] = Outcome(row.outcome) if row.outcome else None
    return Try(**values)
