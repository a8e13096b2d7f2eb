"""How does the house tell us what happened to customers: by a file, or by a program?

A customer is named by external_id, by our id (`customer`), or by a phone that is his alone. What
is good is kept, the rest is told with its reasons; the same again changes nothing.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import Final

from cti.customers import events
from cti.customers.events import EventEntry, read_event
from cti.customers.imports import Broken, Records
from cti.customers.rules import normal
from cti.customers.store import CustomerStore, EventStore
from cti.db import audit
from cti.db.engine import Database

NAMES: Final = ("external_id", "customer", "phone")
"""How a customer may be named; the first that is given counts."""
COLUMNS: Final = (*NAMES, *events.COLUMNS)
AT_ONCE: Final = 500


@dataclass(slots=True)
class Told:
    """What became of events: how many are new, changed or the same, and what was broken."""

    added: int = 0
    changed: int = 0
    same: int = 0
    broken: list[Broken] = field(default_factory=list)

    def lines(self, name: str) -> list[str]:
        """Say it for people."""
        counts = f"{self.added} added, {self.changed} changed, {self.same} the same"
        told = [f"  line {line.line}: {'; '.join(line.reasons)}" for line in self.broken]
        return [f"{name}: {counts}, {len(self.broken)} broken", *told]


class Happenings:
    """Takes what is told of customers, in batches, each one transaction with its audit row."""

    def __init__(
        self, db: Database, customers: CustomerStore, store: EventStore, region: str
    ) -> None:
        """`region` is the house's country, for numbers without country code."""
        self._db, self._customers, self._store, self._region = db, customers, store, region

    async def take_file(self, text: str, name: str, *, now: datetime, who: str) -> Told:
        """Take the events of a CSV file. Raises `ConfigError` (customers_heading)."""
        told, records = Told(), Records(text, name, COLUMNS, _lacks)
        while chunk := list(islice(records, AT_ONCE)):
            told.broken += [one for one in chunk if isinstance(one, Broken)]
            said = [one for one in chunk if not isinstance(one, Broken)]
            await self._take(told, said, now=now, source="csv", who=who)
        told.broken.sort(key=lambda one: one.line)
        return told

    async def take(
        self,
        said: Sequence[Mapping[str, str]],
        *,
        now: datetime,
        source: str,
        who: str,
        address: str = "",
    ) -> Told:
        """Take events as a program tells them; broken ones are named by place, from 0."""
        told = Told()
        await self._take(
            told, list(enumerate(said)), now=now, source=source, who=who, address=address
        )
        return told

    async def _take(
        self,
        told: Told,
        said: Sequence[tuple[int, Mapping[str, str]]],
        *,
        now: datetime,
        source: str,
        who: str,
        address: str = "",
    ) -> None:
        whose = await self._whose([one for _line, one in said])
        good = list[tuple[str, EventEntry]]()
        for (line, one), customer in zip(said, whose, strict=True):
            entry, faults = read_event(one)
            reasons = [f"{name}: {why}" for name, why in faults]
            if customer.startswith("!"):
                reasons.append(customer[1:])
            if reasons or entry is None:
                told.broken.append(Broken(line, tuple(reasons)))
            else:
                good.append((customer, entry))
        if not good:
            return
        async with self._db.write() as conn:
            kept = await self._store.keep(conn, good, now=now, source=source, who=who)
            if kept.added or kept.changed:
                await audit.record(
                    conn,
                    at=now,
                    who=who,
                    what="events_told",
                    about=f"source:{source}",
                    after={"added": kept.added, "changed": kept.changed},
                    address=address,
                )
        told.added += kept.added
        told.changed += kept.changed
        told.same += kept.same

    async def _whose(self, said: Sequence[Mapping[str, str]]) -> list[str]:
        """Give the customer of each line, or `!` and why there is none."""
        outer = await self._customers.by_external_ids(_said(said, "external_id"))
        inner = await self._customers.some(_said(said, "customer"))
        numbers = {text: normal(text, self._region).normal or "" for text in _said(said, "phone")}
        owners = await self._customers.find_all(numbers.values())
        found = list[str]()
        for one in said:
            name = next((name for name in NAMES if one.get(name, "").strip()), "")
            text = one.get(name, "").strip()
            if not name:
                found.append("!it names no customer: external_id, customer or phone")
            elif name == "phone":
                his = owners.get(numbers[text], ())
                why = "several customers have" if his else "no customer has"
                found.append(his[0].id if len(his) == 1 else f"!{why} the phone {text[:40]!r}")
            elif name == "customer" and text in inner:
                found.append(text)
            elif name == "external_id" and text in outer:
                found.append(outer[text])
            else:
                found.append(f"!there is no customer with the {name} {text[:64]!r}")
        return found


def _said(said: Iterable[Mapping[str, str]], name: str) -> set[str]:
    return {text for one in said if (text := one.get(name, "").strip())}


def _lacks(heading: Sequence[str]) -> str:
    if not set(NAMES) & set(heading) or not {"kind", "day"} <= set(heading):
        return "the columns kind, day, and external_id, customer or phone, must be there"
    return ""
