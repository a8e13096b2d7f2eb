"""The demo's house is good and always open, and somebody is on duty there at any hour."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from cti import house_file
from cti.clock import SetClock
from cti.db.engine import Database
from cti.demo_house import CHANGES, house_of, open_shop
from cti.duty.store import DutyStore
from cti.people.rules import Directory, Person, Role

MAY, BO, QIAN = (Person(id=f"p-{name}", number=name, name=name) for name in ("may", "bo", "qian"))
AGENTS = (MAY, BO, QIAN)
LIN, LEI = (
    Person(id=f"p-{name}", number=name, name=name, role=Role.SUPERVISOR) for name in ("lin", "lei")
)
SUNDAY = datetime(2026, 11, 29, tzinfo=UTC)
HOURS = [SUNDAY + timedelta(hours=n) for n in range(0, 24, 3)]  # Sunday, then Monday in Shanghai


async def started(db: Database, tmp_path: Path, at: datetime) -> DutyStore:
    """Start the demo's house at a time; give its duty room."""
    house = house_of(tmp_path)
    await open_shop(db, SetClock(at), house, AGENTS, [LIN, LEI])
    rules, people = house_file.read(house), Directory([*AGENTS, LIN, LEI])
    return DutyStore(db, SetClock(at), house=lambda: rules, people=lambda: people)


def test_the_demos_house_is_open_day_and_night_and_differs_in_what_is_said(tmp_path: Path) -> None:
    house = house_file.read(house_of(tmp_path))

    text = (tmp_path / "house.toml").read_text()
    assert [True] * len(CHANGES) == [wanted in text for wanted in CHANGES.values()]
    assert all(map(house.is_open, HOURS))


def test_what_somebody_changed_in_the_demos_house_file_stays(tmp_path: Path) -> None:
    house_of(tmp_path).write_text("schema = 1\n")

    assert "schema = 1\n" == house_of(tmp_path).read_text()


@pytest.mark.parametrize("at", HOURS)
async def test_whenever_the_demo_starts_agents_and_one_supervisor_are_on_duty(
    sqlite_db: Database, tmp_path: Path, at: datetime
) -> None:
    duty = await (await started(sqlite_db, tmp_path, at)).duty_at(at)

    assert {MAY.id, BO.id} <= {one.person for one in duty.agents}
    assert all("clocked_in" in one.why for one in duty.agents)
    assert duty.supervisor
    assert LIN.id == duty.supervisor.person


@pytest.mark.parametrize("at", HOURS)
async def test_somebody_is_planned_for_every_hour_that_follows(
    sqlite_db: Database, tmp_path: Path, at: datetime
) -> None:
    store = await started(sqlite_db, tmp_path, at)

    hours = [at + timedelta(hours=n) for n in range(7 * 24)]
    roster = await store.roster(at, at + timedelta(days=7), [one.id for one in AGENTS])
    alone = [at for at in hours if not any(one.starts <= at < one.ends for one in roster)]
    assert [] == alone


async def test_a_demo_that_starts_again_keeps_its_roster(
    sqlite_db: Database, tmp_path: Path
) -> None:
    at = HOURS[4]
    store = await started(sqlite_db, tmp_path, at)
    before = await store.around(at)

    await started(sqlite_db, tmp_path, at)
    assert before == await store.around(at)
