"""What people and programs say of a customer: what he wants, and what happened to him.

Each change stands in the audit log, in the same transaction.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from datetime import date
from typing import Any, Final

from cti.clock import Clock
from cti.customers.events import Event, EventEntry, Fault, read_event, staff_text
from cti.customers.happenings import Happenings, Told
from cti.customers.rules import Customer, Entry, normal, read_entry
from cti.customers.store import CustomerStore, EventStore
from cti.db import audit
from cti.db.engine import Database
from cti.errors import Refused
from cti.house import House
from cti.people.rules import Directory, Person, Right

WISHES: Final = ("do_not_call", "do_not_sms", "consent", "hours", "zone", "care_flags")
"""What a customer says for himself, and whoever talks with him writes down or minds."""
FOUND_MOST: Final = 20


class CustomerDesk:
    """Customers as people see and change them."""

    def __init__(
        self,
        db: Database,
        *,
        customers: CustomerStore,
        events: EventStore,
        house: Callable[[], House],
        people: Callable[[], Directory],
        clock: Clock,
    ) -> None:
        self._db, self.customers, self.events = db, customers, events
        self._house, self._people, self._clock = house, people, clock

    async def find(self, text: str) -> list[Customer]:
        """Find customers by a number, by the house's id or by ours; at most `FOUND_MOST`."""
        text = text.strip()
        if not text:
            return []
        one = await self.customers.get(text) or await self.customers.by_external_id(text)
        number = normal(text, self._house().card.country).normal
        his = await self.customers.find(number) if number else []
        found = {who.id: who for who in ([one] if one else []) + his}
        return list(found.values())[:FOUND_MOST]

    async def get(self, customer: str) -> Customer:
        """Give one by our id. Raises `Refused` (no_such_customer)."""
        found = await self.customers.get(customer)
        if found is None:
            raise Refused("no_such_customer", "there is no such customer")
        return found

    async def wish(
        self, customer: str, said: Mapping[str, str], person: Person, address: str = ""
    ) -> None:
        """Keep what a customer wants and needs: `WISHES`. A care flag that he has may stay.

        Raises `Refused`: no_such_customer; wish_wrong (`why`); wish_lift, when somebody who is
        no supervisor takes back that he must not be called.
        """
        before = await self.get(customer)
        fields = {name: said.get(name, "") for name in WISHES}
        rules = self._house().customers
        rules = replace(rules, care_flags=(*rules.care_flags, *before.care_flags))
        entry, reasons = read_entry({"name": "?", "external_id": "?", **fields}, "", rules=rules)
        if entry is None:
            raise Refused("wish_wrong", "; ".join(reasons), why="; ".join(reasons))
        wish = Entry(
            name=before.name,
            do_not_call=entry.do_not_call,
            do_not_sms=entry.do_not_sms,
            consent=entry.consent or {},
            hours=entry.hours or (),
            zone=entry.zone,
            care_flags=entry.care_flags,
        )
        if before.do_not_call and not wish.do_not_call and not person.may(Right.REVIEW):
            raise Refused("wish_lift", "only a supervisor lets him be called again")
        await self._change(customer, wish, "customer_wishes", person, address)

    async def give(self, customer: str, owner: str, person: Person, address: str = "") -> None:
        """Give a customer to somebody by number, or to nobody. Raises `Refused` (no_person)."""
        before = await self.get(customer)
        found = [one for one in self._people().people.values() if one.number == owner.strip()]
        if owner.strip() and not (found and found[0].active):
            raise Refused("no_person", "there is nobody with this number")
        entry = Entry(name=before.name, owner=found[0].id if found else "")
        await self._change(customer, entry, "customer_owner", person, address)

    async def rank(self, customer: str, tier: str, person: Person, address: str = "") -> None:
        """Give a customer a tier of the house, or (empty) none. Raises `Refused` (tier_wrong)."""
        before, rules = await self.get(customer), self._house().customers
        found = rules.tier(tier) if tier else ""
        if found is None:
            raise Refused("tier_wrong", f"the house has no tier {tier[:32]!r}")
        entry = Entry(name=before.name, tier=found)
        await self._change(customer, entry, "customer_tier", person, address)

    async def _change(
        self, customer: str, entry: Entry, what: str, person: Person, address: str
    ) -> None:
        said = {name: one for name, one in asdict(entry).items() if one is not None}
        async with self._db.write() as conn:
            before = await self.customers.change(conn, customer, entry)
            was = {name: getattr(before, name) for name in said if hasattr(before, name)}
            await audit.record(
                conn,
                at=self._clock.now(),
                who=person.id,
                what=what,
                about=f"customer:{customer}",
                before=_plain(was),
                after=_plain(said),
                policy=self._house().version,
                address=address,
            )

    # -- events

    async def happened(
        self, customer: str, said: Mapping[str, str], person: Person, address: str = ""
    ) -> None:
        """Keep what happened to a customer, or that it is moved or cancelled.

        Raises `Refused`: no_such_customer; event_wrong (`fields` says which, parted by blanks).
        """
        await self.get(customer)
        entry, faults = read_event(said)
        if entry is None:
            raise _event_wrong(faults)
        await self._keep(customer, entry, person, address)

    async def correct(
        self, event: str, day: str, *, cancelled: bool, person: Person, address: str = ""
    ) -> str:
        """Move an event to another day, cancel it, or let it be again; give its customer.

        Raises `Refused`: no_event, event_wrong.
        """
        known = await self.events.get(event)
        if known is None:
            raise Refused("no_event", "there is no such event")
        entry, faults = read_event({**_said(known), "day": day})
        if entry is None:
            raise _event_wrong(faults)
        await self._keep(known.customer, replace(entry, cancelled=cancelled), person, address)
        return known.customer

    async def _keep(self, customer: str, entry: EventEntry, person: Person, address: str) -> None:
        now, told = self._clock.now(), asdict(entry)
        del told["untold"]
        async with self._db.write() as conn:
            kept = await self.events.keep(
                conn, [(customer, entry)], now=now, source="form", who=person.id
            )
            if kept.same:
                return
            await audit.record(
                conn,
                at=now,
                who=person.id,
                what="event_told" if kept.added else "event_changed",
                about=f"customer:{customer}",
                after=_plain(told),
                policy=self._house().version,
                address=address,
            )

    async def take(self, said: Sequence[Mapping[str, str]], machine: str, address: str) -> Told:
        """Take events that a program tells; broken ones are named by place, from 0."""
        country = self._house().card.country
        takes = Happenings(self._db, self.customers, self.events, country)
        now, who = self._clock.now(), f"machine:{machine}"
        return await takes.take(said, now=now, source="api", who=who, address=address)

    async def give_area(self, area: str, owner: str, person: Person, address: str = "") -> None:
        """Give an area of responsibility to a supervisor by number, or to nobody.

        Raises `Refused` (no_person).
        """
        found = [one for one in self._people().people.values() if one.number == owner.strip()]
        if owner.strip() and not (found and found[0].may(Right.REVIEW)):
            raise Refused("no_person", "there is no supervisor with this number")
        async with self._db.write() as conn:
            await self.events.give_area(conn, area, found[0].id if found else "")
            await audit.record(
                conn,
                at=self._clock.now(),
                who=person.id,
                what="area_given",
                about=f"area:{area}",
                after={"supervisor": found[0].id if found else ""},
                policy=self._house().version,
                address=address,
            )


def _event_wrong(faults: Sequence[Fault]) -> Refused:
    why = "; ".join(f"{name}: {one}" for name, one in faults)
    return Refused("event_wrong", why, fields=" ".join(name for name, _why in faults))


def _said(event: Event) -> dict[str, str]:
    return {
        "kind": event.kind,
        "ref": event.ref,
        "time": f"{event.time:%H:%M}" if event.time else "",
        "staff": staff_text(event.staff),
        "amount": "" if event.amount is None else str(event.amount),
        "department": event.department,
        "merchant": event.merchant,
    }


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    """Write values so that JSON can."""
    return {
        name: one if isinstance(one, str | bool | int | dict | None) else _text(one)
        for name, one in values.items()
    }


def _text(one: Any) -> Any:
    if isinstance(one, tuple | list):
        return [_text(part) for part in one]
    return one.isoformat() if hasattr(one, "isoformat") else str(one)


def today(house: House, clock: Clock) -> date:
    """Give the day of the house."""
    return clock.now().astimezone(house.zone).date()
