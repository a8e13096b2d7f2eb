"""What are the house's rules? Reads the house file (TOML) and says everything that is wrong.

Every finding names the key and the reason; all are said at once. A key that nobody reads is
refused: a typo must not become a silent default. Keys and defaults: requirement section 23.

    keys                              the kinds of values, and what is wrong with one
    basics, fines, duty, calling, …   the sections
    texts                             the forms and scripts that the rules name
    days                              the calendar: the country's holidays and the house's own
    cautions                          what is allowed, and should be known
"""

import hashlib
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from functools import partial
from pathlib import Path
from typing import Any, Final

from cti.clock import SystemClock
from cti.errors import HouseError
from cti.house import House
from cti.house_file import (
    basics,
    calling,
    customers,
    duty,
    fines,
    quality,
    recording,
    texts,
    visits,
)
from cti.house_file.cautions import cautions
from cti.house_file.days import KEY as OWN_DAYS
from cti.house_file.days import calendar, own_days
from cti.house_file.keys import Finding, Keys, Reading, is_whole, show, unknown, words

READ: Final = (
    "house",
    "hours",
    "ring",
    "call_limits",
    "inbound",
    "penalties",
    "line_test",
    "shifts",
    "visits",
    "dialing",
    "recordings",
    "quality",
    "customers",
)
LATER: Final = (
    "cases",
    "complaints",
    "orders",
    "assessment",
    "reports",
)
"""Sections whose keys only a later version reads and checks."""

SIZE_LIMIT: Final = 1_000_000
CALENDARS: Final = "calendars"
"""The folder beside the house file in which its own lists of days are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """The content of a house file, and of the files that it names: days, forms, scripts."""

    text: bytes
    days: bytes | None = None
    texts: Mapping[str, bytes] = field(default_factory=dict)
    """Forms and scripts, by where they stand beside the house file: `forms/stay.toml`."""

    @property
    def version(self) -> str:
        """The hash by which these rules are known."""
        parts = [self.text] if self.days is None else [self.text, b"\0", self.days]
        for name, content in sorted(self.texts.items()):
            parts += [b"\0", name.encode(), b"\0", content]
        return hashlib.sha256(b"".join(parts)).hexdigest()


def read(path: Path, now: datetime | None = None) -> House:
    """Read a house file. Raises `HouseError` with every finding (file, key, why).

    `now` (aware) says which years of holidays are wanted, and what is still to come.
    """
    return understood(load(path), str(path), now)


def parse(content: bytes, name: str = "house file", now: datetime | None = None) -> House:
    """Read the content of a house file. Raises `HouseError` with every finding."""
    return understood(Source(text=content), name, now)


def understood(source: Source, name: str = "house file", now: datetime | None = None) -> House:
    """Give the rules of a content. Raises `HouseError` with every finding."""
    reading = examine(source, now)
    if reading.findings:
        raise _error(name, reading.findings)
    return reading.house


def check_lines(path: Path, now: datetime | None = None) -> list[str]:
    """Say in lines what a good house file holds. Raises `HouseError` for one that is not."""
    reading = examine(load(path), now)
    if reading.findings:
        raise _error(str(path), reading.findings)
    house = reading.house
    lines = [
        f"{path}: good (house {house.card.id}, {house.card.name}, version {house.version[:12]})",
        f"  {house.card.business}, {house.card.timezone}, {house.card.locale}, "
        f"{house.card.currency}, numbers of {house.card.country}",
        f"  a ring lasts {house.ring.cycle.total_seconds():g} s; answered within "
        f"{house.ring.standard} rings; apology from ring {house.ring.apologise_from}",
    ]
    if house.effective_from:
        lines.append(f"  in force from {house.effective_from}")
    if reading.later:
        lines.append(
            "  read by a later version, NOT checked and without effect now: "
            + ", ".join(reading.later)
        )
    return lines + list(_warnings(house))


def _warnings(house: House) -> Iterator[str]:
    from cti.policy.told import caution_facts  # the page says them, too

    for one in house.warnings:
        facts = caution_facts(one, partial(words().say, "en"), partial(words().name, "en"))
        yield f"  WARNING {one.key}: {words().say('en', f'policy.caution.{one.code}', **facts)}"


def examine(source: Source, now: datetime | None = None) -> Reading:
    """Read what can be read and note all that is wrong. Raises nothing."""
    reading = Reading()
    try:
        tables = tomllib.loads(source.text.decode("utf-8-sig"))
    except UnicodeDecodeError as fault:
        reading.wrong("", "utf8", at=fault.start)
    except RecursionError:
        reading.wrong("", "deep")
    except ValueError as fault:
        reading.wrong("", "toml", fault=str(fault))
    else:
        _sections(reading, tables)
        _whole(reading, source, now or SystemClock().now())
    return reading


def _whole(reading: Reading, source: Source, now: datetime) -> None:
    """Add what follows from the whole: the calendar, the version, what should be known."""
    house = reading.house
    if house.card.holidays_file and source.days is None:
        reading.wrong(OWN_DAYS, "csv_missing", folder=CALENDARS)
    own = own_days(reading, source.days)
    customers.refuse_unknown_tiers(reading, house)
    forms, scripts = texts.read_texts(reading, house, source.texts)
    if reading.findings:
        return
    today = now.astimezone(house.zone).date()
    house = replace(house, calendar=calendar(house.card, own, today), version=source.version)
    house = replace(house, forms=forms, scripts=scripts)
    reading.house = replace(house, warnings=cautions(house, today))


def load(path: Path) -> Source:
    """Give the content of a house file, and of the files that it names.

    Raises `HouseError` (house_missing, house_file).
    """
    text = _content(path)
    try:
        tables = tomllib.loads(text.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        return Source(text=text)  # told when it is understood
    named = {name: texts.content(name, path.parent) for name in texts.named(tables)}
    return Source(
        text=text,
        days=_days(path, tables),
        texts={name: said for name, said in named.items() if said is not None},
    )


def _days(path: Path, tables: Mapping[str, Any]) -> bytes | None:
    house = tables.get("house")
    holidays = house.get("holidays") if isinstance(house, dict) else None
    name = holidays.get("file") if isinstance(holidays, dict) else None
    if not isinstance(name, str) or not name or not basics.is_csv_name(name):
        return None
    days = path.parent / CALENDARS / name
    return _content(days) if days.is_file() else None


def _content(path: Path) -> bytes:
    try:
        if path.stat().st_size > SIZE_LIMIT:
            raise _error(str(path), [Finding("", "large", {"most": SIZE_LIMIT})])
        return path.read_bytes()
    except OSError as fault:
        raise HouseError(
            f"house file {path}: cannot be read: {fault.strerror}",
            "name a house file that is there; config/houses/ holds seven to start from",
            code="house_missing",
            findings=[Finding("", "missing", {"why": fault.strerror})],
        ) from fault


def _error(name: str, findings: Sequence[Finding]) -> HouseError:
    lines = "".join(f"\n  {name}: {finding.line()}" for finding in findings)
    things = "one thing is" if len(findings) == 1 else f"{len(findings)} things are"
    return HouseError(
        f"house file {name}: {things} wrong{lines}",
        f"mend the file, then run: cti house check {name}",
        findings=findings,
    )


def _sections(reading: Reading, tables: Mapping[str, Any]) -> None:
    known = {"schema", "effective_from", *READ, *LATER}
    unknown(reading, "", tables, known, "no_section")
    if not is_whole(tables.get("schema", 1)) or tables.get("schema", 1) != 1:
        reading.wrong("schema", "schema", said=show(tables["schema"]))
    for name in (*READ, *LATER):
        if not isinstance(tables.get(name, {}), dict):
            reading.wrong(name, "section", name=name, said=show(tables[name]))
            tables = {**tables, name: {}}
    keys = {name: Keys(reading, name, tables.get(name, {})) for name in READ}
    if "house" not in tables:
        reading.wrong("house", "house_missing")
    reading.house = _house(keys, Keys(reading, "", tables).day("effective_from"))
    for section in keys.values():
        section.refuse_unknown()
    reading.later = tuple(name for name in LATER if name in tables)


def _house(keys: Mapping[str, Keys], effective_from: date | None) -> House:
    shifts = duty.shifts(keys["shifts"])
    return House(
        card=basics.card(keys["house"]),
        hours=basics.hours(keys["hours"]),
        ring=basics.ring(keys["ring"]),
        limits=basics.limits(keys["call_limits"]),
        overrun_needs_reason=keys["call_limits"].flag("overrun_needs_reason", default=True),
        inbound=calling.inbound(keys["inbound"]),
        penalties=fines.penalties(keys["penalties"]),
        line_test=duty.line_test(keys["line_test"], shifts.types),
        shifts=shifts,
        call_times=calling.call_times(keys["visits"]),
        visits=visits.visits(keys["visits"]),
        dialing=calling.dialing(keys["dialing"]),
        recordings=recording.recordings(keys["recordings"]),
        quality=quality.quality(keys["quality"]),
        customers=customers.customers(keys["customers"]),
        effective_from=effective_from,
    )
