"""The house file is loaded, kept, waits for its day, and counts everywhere: on both databases."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from cti import house_file
from cti.clock import SetClock
from cti.db.audit import audit, hash_of
from cti.db.engine import Database
from cti.errors import HouseError, Refused
from cti.house import House
from cti.policy.desk import PolicyDesk
from cti.policy.store import PolicyStore, Version

NOON = datetime(2025, 3, 7, 4, tzinfo=UTC)
TEXT = """\
effective_from = {day}
[house]
id = "may"
timezone = "Asia/Taipei"
jurisdiction = "TW"
[ring]
max_rings = {rings}
"""


class Town:
    """A house with its file, its records, and a daemon that may be started anew."""

    def __init__(self, db: Database, path: Path) -> None:
        self.store, self.clock, self.path = PolicyStore(db), SetClock(NOON), path
        self.db = db
        self.obeyed: list[House] = []

    def writes(self, rings: int, day: str = "2025-01-01", more: str = "") -> None:
        """Let somebody write the house file."""
        self.path.write_text(TEXT.format(rings=rings, day=day) + more)

    async def starts(self) -> PolicyDesk:
        """Start the daemon."""
        source = house_file.load(self.path)
        house = house_file.understood(source, str(self.path), self.clock.now())
        desk = PolicyDesk(self.store, self.clock, self.path, house, self.obeyed.append)
        await desk.begin(source)
        return desk

    async def audited(self) -> list[tuple[str, str, str]]:
        """Give who did what from where, and see that the chain holds."""
        async with self.db.read() as connection:
            found = (await connection.execute(select(audit).order_by(audit.c.seq))).all()
        assert [row.hash for row in found] == [hash_of(row._mapping) for row in found]
        return [(row.who, row.what, row.address) for row in found]


@pytest.fixture
def town(db: Database, tmp_path: Path) -> Town:
    """A house whose standard is three rings."""
    town = Town(db, tmp_path / "may.toml")
    town.writes(3)
    return town


async def test_the_file_of_the_start_is_kept_once(town: Town) -> None:
    await town.starts()
    desk = await town.starts()

    assert ["cti"] == [load.who for load in desk.loads]
    assert desk.current == desk.loads[0]
    assert [("cti", "house_loaded", "")] == await town.audited()
    assert town.obeyed == []


async def test_a_file_that_is_loaded_again_counts_at_once(town: Town) -> None:
    desk = await town.starts()
    town.writes(4)

    load = await desk.reload("p-kim", "10.0.0.7")

    assert [4] == [house.ring.standard for house in town.obeyed]
    assert (desk.house.version, desk.current) == (load.version, load)
    assert ("p-kim", "house_loaded", "10.0.0.7") == (await town.audited())[-1]


async def test_a_wrong_file_changes_nothing(town: Town) -> None:
    desk = await town.starts()
    town.writes(0, more="max_ring = 1\n")

    with pytest.raises(HouseError) as caught:
        await desk.reload("p-kim", "")

    assert ["ring.max_rings", "ring.max_ring"] == [one.key for one in caught.value.findings]
    assert (3, [], 1) == (desk.house.ring.standard, town.obeyed, len(await town.audited()))


async def test_a_file_that_is_gone_changes_nothing(town: Town) -> None:
    desk = await town.starts()
    town.path.unlink()

    with pytest.raises(HouseError) as caught:
        await desk.reload("p-kim", "")

    assert ["the file cannot be read: No such file or directory"] == [
        one.line() for one in caught.value.findings
    ]
    assert desk.house.ring.standard == 3


async def test_the_same_file_is_not_loaded_twice(town: Town) -> None:
    desk = await town.starts()

    with pytest.raises(Refused) as caught:
        await desk.reload("p-kim", "")

    assert (caught.value.code, len(desk.loads)) == ("house_unchanged", 1)


async def test_without_a_house_file_there_is_nothing_to_load(town: Town) -> None:
    desk = PolicyDesk(town.store, town.clock, None, House(), town.obeyed.append)
    await desk.begin(None)

    with pytest.raises(Refused) as caught:
        await desk.reload("p-kim", "")

    assert (caught.value.code, desk.current, desk.waiting) == ("no_house_file", None, None)


async def test_a_file_of_a_later_day_waits_for_midnight_of_the_house(town: Town) -> None:
    desk = await town.starts()
    town.writes(4, day="2025-03-09")
    load = await desk.reload("p-kim", "")

    assert (desk.house.ring.standard, desk.waiting) == (3, load)

    town.clock.at = datetime(2025, 3, 8, 15, 59, 59, tzinfo=UTC)
    await desk.look()
    assert (desk.house.ring.standard, town.obeyed) == (3, [])

    town.clock.at = datetime(2025, 3, 8, 16, tzinfo=UTC)
    await desk.look()
    assert [4] == [house.ring.standard for house in town.obeyed]
    assert (desk.current, desk.waiting) == (load, None)


async def test_a_file_that_waits_still_waits_after_a_new_start(town: Town) -> None:
    desk = await town.starts()
    town.writes(4, day="2025-03-09")
    await desk.reload("p-kim", "")

    again = await town.starts()

    assert (again.house.ring.standard, len(again.loads)) == (3, 2)
    town.clock.at += timedelta(days=2)
    assert (await town.starts()).house.ring.standard == 4


async def test_the_old_file_can_be_loaded_again(town: Town) -> None:
    desk = await town.starts()
    town.writes(4)
    await desk.reload("p-kim", "")
    town.writes(3)

    load = await desk.reload("p-kim", "")

    assert [load.version] * 2 == [desk.loads[0].version, desk.house.version]
    assert (3, load) == (len(desk.loads), desk.current)


async def test_a_new_year_brings_its_holidays(town: Town) -> None:
    desk = await town.starts()
    town.clock.at = datetime(2026, 12, 31, 16, tzinfo=UTC)

    await desk.look()
    await desk.look()

    (house,) = town.obeyed
    assert {2026, 2027, 2028, 2029} == {day.year for day in house.calendar.holidays}
    assert house.version == desk.loads[0].version


async def test_a_version_is_kept_with_its_own_days(town: Town) -> None:
    (town.path.parent / "calendars").mkdir()
    (town.path.parent / "calendars" / "own.csv").write_text(
        "date,name,kind\n2025-05-05,店慶,holiday\n"
    )
    text = TEXT.format(rings=3, day="2025-01-01")
    named = 'jurisdiction = "TW"\nholidays = { country = "TW", file = "own.csv" }'
    town.path.write_text(text.replace('jurisdiction = "TW"', named))
    desk = await town.starts()

    found = await desk.version(desk.house.version)

    assert found is not None
    kept, house = found
    assert (kept.text, kept.version) == (town.path.read_bytes(), desk.house.version)
    assert house is not None
    assert "店慶" in house.calendar.holidays.values()


async def test_rules_that_this_program_no_longer_understands_are_still_shown(town: Town) -> None:
    desk = await town.starts()
    old = Version(
        version="0" * 64, text=b"[huis]\n", days=None, effective_from=None, begins_at=None
    )
    await town.store.keep(old, at=NOON, who="cti")

    await desk.look()

    assert await desk.version(old.version) == (old, None)
    assert (desk.house.ring.standard, town.obeyed) == (3, [])
    assert await desk.version("1" * 64) is None
