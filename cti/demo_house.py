"""By which rules does the demo's house work, and who is on duty there when it starts?

The house is the shipped `booking`, open day and night, so that somebody is on duty whenever the
demo runs. Its file lies in the demo's directory: whoever tries the demo may change it.
"""

from collections.abc import Awaitable, Collection, Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Final

from cti import house_file, shipped
from cti.clock import Clock
from cti.db.engine import Database
from cti.duty.plan import DAYS, monday, shift_times, week_days
from cti.duty.rules import By
from cti.duty.store import DutyStore
from cti.errors import Refused
from cti.house import House
from cti.people.rules import Directory, Person

FILE: Final = "house.toml"
CHANGES: Final[Mapping[str, str]] = {
    'default = [["08:15", "22:00"]]': 'default = [["00:00", "24:00"]]',
    'time = ["13:00", "22:00"], relieved_by = "" },': (
        'time = ["13:00", "22:00"], relieved_by = "" },\n'
        '  { id = "night", time = ["22:00", "08:15"], relieved_by = "early" },'
    ),
    'storm = { count = 10, within = "10m" }': 'storm = { count = 10, within = "2m" }',
}
"""What differs from the shipped house. Lines are proposed after two minutes, not ten."""
RECORDINGS: Final = """
[recordings]
pause_by = ["agent", "supervisor"]
announcing_lines = ["4000"]
"""
TURNS: Final = ("early", "late", "night")
"""Shifts that fill a day; each person goes on to the next one every day."""


def house_of(data: Path) -> Path:
    """Give the demo's house file, written once; what somebody changed in it stays."""
    file = data / FILE
    if not file.exists():
        text = shipped.houses()["booking"].read_text(encoding="utf-8")
        for shown, wanted in CHANGES.items():
            text = text.replace(shown, wanted)
        file.write_text(text + RECORDINGS, encoding="utf-8")
    return file


async def open_shop(
    db: Database, clock: Clock, house: Path, agents: Sequence[Person], supervisors: Sequence[Person]
) -> None:
    """Publish a roster for this week and the next, and let those clock in who are wanted now.

    The first supervisor and the agents are on duty then, but for one who has a shift later today.
    Raises `HouseError` when the house file is wrong.
    """
    rules, now = house_file.read(house), clock.now()
    people = Directory([*agents, *supervisors])
    duty = DutyStore(db, clock, house=lambda: rules, people=lambda: people)
    planner, wanted = By(person=supervisors[0]), [*agents, supervisors[0]]
    today = now.astimezone(rules.zone).date()
    weeks = [monday(today) + timedelta(days=DAYS * n) for n in (-1, 0, 1)]
    if await duty.plan(weeks[1]) is None:
        await _later_today(duty, planner, rules, now, agents)
    await _cover(duty, planner, rules, now, wanted)
    for week in weeks[1:]:
        if await duty.plan(week) is None:
            days = [day for day in week_days(week) if day > today]
            await _plan(duty, planner, agents, days, TURNS)
            await _plan(duty, planner, supervisors, days, TURNS[:2])
    for week in weeks:  # the night of last Sunday may go on
        await _unless(("duty_nothing_new",), duty.publish(planner, week))
    for person in wanted:
        await _unless(("duty_clocked", "duty_no_shift"), duty.clock_in(By(person=person)))


async def _later_today(
    duty: DutyStore, planner: By, rules: House, now: datetime, agents: Sequence[Person]
) -> None:
    """Plan the shifts that begin later today, the last agent first."""
    today = now.astimezone(rules.zone).date()
    kinds = [kind for kind in map(rules.shifts.types.get, TURNS) if kind]
    later = [kind.id for kind in kinds if shift_times(kind, today, rules.zone)[0] > now]
    for person, shift in zip(reversed(agents), later, strict=False):
        await duty.add(planner, person.id, shift, [today])


async def _cover(
    duty: DutyStore, planner: By, rules: House, now: datetime, people: Iterable[Person]
) -> None:
    """Plan those who have no shift now on the one that goes on longest, where they are free."""
    if (found := running(rules, now)) is None:
        return
    shift, day = found
    planned = {one.person for one in await duty.around(now) if one.starts <= now < one.ends}
    for person in people:
        if person.id not in planned:
            await _unless(("duty_overlap",), duty.add(planner, person.id, shift, [day]))


def running(rules: House, now: datetime) -> tuple[str, date] | None:
    """Give the shift that is on and ends last, with its day; None when no shift is on."""
    today = now.astimezone(rules.zone).date()
    times = {
        (kind.id, day): shift_times(kind, day, rules.zone)
        for kind in rules.shifts.types.values()
        for day in (today, today - timedelta(days=1))
    }
    on = [(ends, key) for key, (starts, ends) in times.items() if starts <= now < ends]
    return max(on)[1] if on else None


async def _plan(
    duty: DutyStore,
    planner: By,
    people: Sequence[Person],
    days: Sequence[date],
    shifts: Sequence[str],
) -> None:
    for place, person in enumerate(people):
        for day in days:
            shift = shifts[(place + day.toordinal()) % len(shifts)]
            doing = duty.add(planner, person.id, shift, [day])
            await _unless(("duty_overlap", "duty_bad_input"), doing)


async def _unless(codes: Collection[str], doing: Awaitable[object]) -> None:
    """Do something; being refused for one of these is no matter."""
    try:
        await doing
    except Refused as refusal:
        if refusal.code not in codes:
            raise
