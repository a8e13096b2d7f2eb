"""Whom do criteria select? Reads customers, what they spent, and when they were last met (CB-28).

Tier, area and owner are found by index, and so is who spent something since a day; the rest is
looked at one customer after the other.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, exists, func, select, text

from cti.calls.store import calls
from cti.customers.store import customer_events, customers, phones
from cti.db.engine import Database
from cti.visits.criteria import NOBODY, Criteria
from cti.visits.record import State
from cti.visits.store import visits

_SAID: Final = {
    # as the indexes are partial: the same words have to stand in the question
    "tier": text("customers.tier <> ''"),
    "area": text("customers.area <> ''"),
    "owner": text("customers.owner <> ''"),
}
_KINDS: Final[dict[str, ColumnElement[bool]]] = {
    "member": customers.c.member.is_(True),
    "not_member": customers.c.member.is_(False),
    "merchant": customers.c.merchant.is_(True),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """A customer whom criteria select, with what tells people who he is."""

    id: str
    name: str
    tier: str
    area: str
    owner: str


class Selections:
    """Customers by criteria. Who must not be called, or was erased, is never among them."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def count(self, criteria: Criteria, now: datetime, today: date) -> int:
        """Count whom criteria select."""
        wanted = select(func.count()).select_from(customers).where(*_where(criteria, now, today))
        async with self._db.read() as conn:
            return int(await conn.scalar(wanted) or 0)

    async def page(
        self, criteria: Criteria, now: datetime, today: date, *, after: str = "", limit: int
    ) -> list[Chosen]:
        """Give whom criteria select, by id, from behind `after` on."""
        one = customers.c
        wanted = (
            select(one.id, one.name, one.tier, one.area, one.owner)
            .where(*_where(criteria, now, today), one.id > after)
            .order_by(one.id)
            .limit(limit)
        )
        async with self._db.read() as conn:
            return [Chosen(**row._mapping) for row in await conn.execute(wanted)]


def _where(criteria: Criteria, now: datetime, today: date) -> Iterator[Any]:
    one = customers.c
    yield one.do_not_call.is_(False)
    yield one.name != ""
    if criteria.kind:
        yield _KINDS[criteria.kind]
    for name in ("tier", "area"):
        if said := getattr(criteria, name):
            yield one[name] == said
            yield _SAID[name]
    if criteria.owner == NOBODY:
        yield one.owner == ""
    elif criteria.owner:
        yield one.owner == criteria.owner
        yield _SAID["owner"]
    if criteria.care:
        flag = json.dumps(criteria.care, ensure_ascii=False)
        yield one.care_flags.contains(flag, autoescape=True)
    if criteria.spent_least:
        yield one.id.in_(_spenders(criteria, today))
    if criteria.not_since:
        yield from _not_met(now - timedelta(days=criteria.not_since))


def _spenders(criteria: Criteria, today: date) -> Any:
    event = customer_events.c
    return (
        select(event.customer)
        .where(
            event.kind == "purchase",
            event.day > today - timedelta(days=criteria.spent_days),
            event.cancelled.is_(False),
        )
        .group_by(event.customer)
        .having(func.coalesce(func.sum(event.amount_cents), 0) >= criteria.spent_cents)
    )


def _not_met(since: datetime) -> Iterator[ColumnElement[bool]]:
    """Leave out with whom a visit was made, or a call answered, since an instant."""
    yield ~exists().where(
        visits.c.customer == customers.c.id,
        visits.c.state == State.DONE.value,
        visits.c.ended_at >= since,
    )
    talked = (
        select(calls.c.id)
        .join(phones, phones.c.normal == calls.c.number)
        .where(
            phones.c.customer_id == customers.c.id,
            calls.c.outcome == "answered",
            calls.c.seen_at >= since,
        )
    )
    yield ~talked.exists()
