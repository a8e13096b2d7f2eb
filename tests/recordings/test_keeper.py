"""What is due is deleted, in two steps, and never what something holds."""

from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from cti.clock import SetClock
from cti.db.audit import audit
from cti.db.engine import Database
from cti.errors import Refused
from cti.house import House, RecordingRules
from cti.people.rules import Person
from recordings import rules
from recordings.keeper import Keeper
from recordings.record import Gone, Kind, Marker, Recording, State
from recordings.storage import LocalFolder, StorageUnavailable
from recordings.store import RecordingStore, Tomb
from tests.kit.recordings import BEGAN
from tests.kit.web import LIN, MAY, OU
from tests.recordings.conftest import Plant
from tests.recordings.test_store import NOON, linked, recording

DAY = timedelta(days=1)
YEAR = 365 * DAY


class Cellar:
    """Recordings with their contents, and a keeper; other rooms are told by the test."""

    def __init__(self, db: Database, folder: Path) -> None:
        self.db, self.folder = db, folder
        self.store, self.storage = RecordingStore(db), LocalFolder(folder)
        self.storage.begin(used=False)
        self.clock = SetClock(NOON)
        self.rules = RecordingRules()
        self.open: dict[str, str] = {}
        self.keeper = Keeper(
            self.store,
            self.storage,
            undecided={"incident": self._undecided},
            directions=self._directions,
            tiers=self._tiers,
            house=lambda: House(recordings=self.rules, version="v7"),
            clock=self.clock,
        )

    async def keeps(self, days_ago: float = 0, content: bytes = b"", **known: Any) -> Recording:
        """Put a recording whose sound ended so many days ago."""
        ended = self.clock.now() - days_ago * DAY
        called = known.get("call", f"call-{days_ago}")
        put = self.storage.put([content or called.encode()])
        made = linked(
            **{"began": ended, "ended": ended, "seen_at": ended, "call": called}
            | {"place": put.place, "sha256": put.sha256, "source": f"/{called}.wav"}
            | known
        )
        await self.store.keep([made], {made.id: b"drawn"})
        return made

    async def left(self) -> list[str]:
        """Give the calls of which there is sound, in the database and in the folder."""
        kept = [one for one in await self.store.kept() if one.gone_at is None]
        there = {str(path.relative_to(self.folder)) for path in self.folder.glob("??/*")}
        assert {one.place for one in kept} <= there
        return sorted(str(one.call) for one in kept)

    def files(self) -> int:
        return len(list(self.folder.glob("??/*")))

    async def audits(self) -> list[Any]:
        async with self.db.read() as conn:
            return list(await conn.execute(select(audit).order_by(audit.c.seq)))

    async def _undecided(self, calls: Collection[str]) -> Mapping[str, str]:
        return {call: self.open[call] for call in calls if call in self.open}

    async def _directions(self, some: Collection[str]) -> Mapping[str, str]:
        return {call: "internal" if "internal" in call else "inbound" for call in some}

    async def _tiers(self, some: Collection[str]) -> Mapping[str, str]:
        return {one: "gold" for one in some if "gold" in one}


@pytest.fixture
def cellar(db: Database, tmp_path: Path) -> Cellar:
    """A cellar with nothing in it."""
    return Cellar(db, tmp_path / "kept")


# -- what the rules say

HOUSE = RecordingRules(
    retention_tiers={"gold": 2 * YEAR, "brief": DAY},
    retention_purposes={"voicemail": 90 * DAY, "internal": 30 * DAY},
)


@pytest.mark.parametrize(
    ("known", "tier", "direction", "days"),
    [
        ({}, "", "inbound", 365),
        ({}, "gold", "inbound", 730),
        ({}, "brief", "inbound", 365),
        ({}, "", "internal", 30),
        ({}, "gold", "internal", 730),
        ({"kind": Kind.VOICEMAIL}, "", "inbound", 90),
        ({}, "unknown", "", 365),
    ],
)
def test_purpose_takes_the_place_of_the_house_and_a_tier_only_lengthens(
    known: dict[str, Any], tier: str, direction: str, days: int
) -> None:
    one = linked(**known)
    assert one.ended

    assert one.ended + days * DAY == rules.kept_until(one, tier, direction, HOUSE)


def test_what_belongs_to_no_call_is_kept_from_when_it_was_seen() -> None:
    old = recording(ended=NOON - 2 * YEAR, seen_at=NOON, state=State.ORPHAN)

    assert NOON + YEAR == rules.kept_until(old, "", "", RecordingRules())
    assert NOON - YEAR == rules.kept_until(replace(old, call="call-1"), "", "", RecordingRules())


DAYS = st.integers(1, 800).map(lambda n: n * DAY)


@given(
    age=st.floats(-10, 2000),
    house=st.builds(
        RecordingRules,
        retention=DAYS,
        retention_tiers=st.dictionaries(st.sampled_from(["gold", "vip"]), DAYS),
        retention_purposes=st.dictionaries(st.sampled_from(["inbound", "voicemail"]), DAYS),
    ),
    tier=st.sampled_from(["", "gold", "vip"]),
    direction=st.sampled_from(["", "inbound", "outbound"]),
    kind=st.sampled_from(Kind),
    held=st.booleans(),
    call=st.sampled_from(["call-1", None]),
)
def test_nothing_that_is_held_or_young_is_ever_due(
    age: float,
    house: RecordingRules,
    tier: str,
    direction: str,
    kind: Kind,
    held: bool,
    call: str | None,
) -> None:
    ended = NOON - age * DAY
    one = recording(ended=ended, seen_at=ended, call=call, kind=kind)
    purpose = "voicemail" if kind is Kind.VOICEMAIL else direction
    own = house.retention_purposes.get(purpose, house.retention)
    wanted = max(own, house.retention_tiers.get(tier, own))

    due = rules.due(one, NOON, tier=tier, direction=direction, rules=house, held=held)

    assert (NOON - ended >= wanted and not held) == due
    assert not due or NOON - ended >= rules.shortest_kept(house)


# -- the sweep


async def test_what_is_over_is_deleted_and_what_is_young_or_held_stays(cellar: Cellar) -> None:
    cellar.rules = HOUSE
    for days, call, customer in [
        (364, "young", None),
        (366, "old", None),
        (366, "gold", "c-gold"),
        (800, "older-gold", "c-gold"),
        (31, "internal-old", None),
        (29, "internal-young", None),
        (900, "incident", None),
        (901, "by-hand", None),
    ]:
        await cellar.keeps(days, call=call, customer=customer)
    cellar.open["incident"] = "i-1"
    await cellar.keeper.hold("by-hand", LIN, "a lawyer asked", None)

    deleted = await cellar.keeper.sweep()

    assert 3 == deleted
    assert ["by-hand", "gold", "incident", "internal-young", "young"] == await cellar.left()
    assert 5 == cellar.files()
    assert 0 == await cellar.keeper.sweep()


async def test_a_tombstone_says_when_why_and_by_which_rules(cellar: Cellar) -> None:
    one = await cellar.keeps(366)
    await cellar.store.mark(
        Marker(id="m", recording=one.id, at_ms=1, person="p", text="x", made_at=NOON)
    )

    await cellar.keeper.sweep()

    told = await cellar.store.get(one.id)
    assert (NOON, "retention", "v7", one.sha256) == (
        told.gone_at,
        told.gone_reason,
        told.gone_policy,
        told.sha256,
    )
    assert (None, [], "", False) == (
        await cellar.store.peaks(one.id),
        await cellar.store.markers_of(one.id),
        told.place,
        told.playable,
    )
    row = (await cellar.audits())[-1]
    assert ("recording_deleted", f"recording:{one.id}", "cti", "v7") == (
        row.what,
        row.about,
        row.who,
        row.policy,
    )
    assert one.sha256 in row.before


async def test_a_process_killed_after_the_tombstone_has_its_file_removed_by_the_next(
    cellar: Cellar, monkeypatch: pytest.MonkeyPatch
) -> None:
    await cellar.keeps(366)
    away = StorageUnavailable("the disk is away")

    def killed(_place: str) -> None:
        raise away

    with monkeypatch.context() as patched:
        patched.setattr(cellar.storage, "forget", killed)
        with pytest.raises(StorageUnavailable):
            await cellar.keeper.sweep()
    assert (1, []) == (cellar.files(), await cellar.left())

    await cellar.keeper.finish()

    assert (0, []) == (cellar.files(), await cellar.store.buried())


async def test_a_process_killed_after_the_file_finishes_its_row(cellar: Cellar) -> None:
    one = await cellar.keeps(366)
    tomb = Tomb(at=NOON, reason=Gone.RETENTION, policy="v7", who="cti")
    await cellar.store.bury([one.id], tomb)
    cellar.storage.forget(one.place)

    await cellar.keeper.finish()

    assert [] == await cellar.store.buried()


async def test_the_same_content_stays_as_long_as_one_recording_needs_it(cellar: Cellar) -> None:
    await cellar.keeps(366, b"silence", call="old")
    await cellar.keeps(1, b"silence", call="young")

    await cellar.keeper.sweep()
    assert (1, ["young"]) == (cellar.files(), await cellar.left())

    cellar.clock.go(YEAR)
    await cellar.keeper.sweep()
    assert (0, []) == (cellar.files(), await cellar.left())


async def test_a_hold_that_comes_between_is_seen_in_the_same_transaction(cellar: Cellar) -> None:
    one = await cellar.keeps(366, call="call-1")
    await cellar.keeper.hold("call-1", LIN, "wait", None)

    tomb = Tomb(at=NOON, reason=Gone.RETENTION, policy="v7", who="cti")

    assert [] == await cellar.store.bury([one.id], tomb)


async def test_a_hold_ends_on_its_day_or_when_it_is_lifted(cellar: Cellar) -> None:
    await cellar.keeps(366, call="a")
    await cellar.keeps(367, call="b")
    await cellar.keeper.hold("a", LIN, "until tomorrow", NOON + DAY)
    await cellar.keeper.hold("b", LIN, "until I say so", None)

    cellar.clock.go(DAY)
    assert 1 == await cellar.keeper.sweep()
    assert ["b"] == await cellar.left()

    (hold,) = (await cellar.keeper.holds(["b"]))["b"]
    await cellar.keeper.lift(hold.id, LIN, "settled")

    assert 1 == await cellar.keeper.sweep()
    assert ["recordings_held", "recordings_held", "recordings_released"] == [
        row.what for row in await cellar.audits() if row.what != "recording_deleted"
    ]
    with pytest.raises(Refused, match="no such hold"):
        await cellar.keeper.lift(hold.id, LIN, "again")


@pytest.mark.parametrize("who", [MAY, OU])
async def test_only_who_looks_after_the_work_holds(cellar: Cellar, who: Person) -> None:
    with pytest.raises(Refused) as refused:
        await cellar.keeper.hold("call-1", who, "x", None)

    assert "hold_right" == refused.value.code


@pytest.mark.parametrize(
    ("reason", "until", "code"), [("", None, "bad_text"), ("x", BEGAN, "hold_over")]
)
async def test_a_hold_has_a_reason_and_an_end_to_come(
    cellar: Cellar, reason: str, until: datetime | None, code: str
) -> None:
    with pytest.raises(Refused) as refused:
        await cellar.keeper.hold("call-1", LIN, reason, until)

    assert code == refused.value.code


async def test_what_is_gone_does_not_come_back_when_it_is_kept_again(cellar: Cellar) -> None:
    one = await cellar.keeps(366)
    await cellar.keeper.sweep()

    (told,) = await cellar.store.keep([one], {one.id: b"drawn"})

    assert told == await cellar.store.get(one.id)
    assert (True, None) == (told.gone_at is not None, await cellar.store.peaks(one.id))


async def test_a_deleted_sound_is_not_collected_again_though_the_pbx_still_has_it(
    plant: Plant,
) -> None:
    plant.writes("a.wav")
    await plant.calls("a.wav")
    await plant.goes(60)
    one = await plant.one_of()
    assert one.place
    tomb = Tomb(at=plant.clock.now(), reason=Gone.ERASED, policy="", who="cti")
    async with plant.db.write() as conn:
        await plant.store.erase(conn, "nobody", ["call-1"], tomb)
    plant.storage.forget(one.place)
    await plant.store.emptied(one.place)

    plant.start()
    await plant.goes(120)
    plant.writes("a.wav", seconds=6, ended=10)
    await plant.goes(300)

    told = await plant.one_of()
    assert ("", "", "erased") == (told.place, told.source, told.gone_reason)
    assert [] == list(plant.kept.glob("??/*"))


async def test_what_belongs_to_no_call_is_held_by_itself_also_when_its_call_turns_up(
    cellar: Cellar,
) -> None:
    held = await cellar.keeps(366, call=None, content=b"held", source="/a.wav")
    await cellar.keeps(367, call=None, content=b"free", source="/b.wav")
    await cellar.keeper.hold("", LIN, "whose is it?", None, recording=held.id)

    assert 1 == await cellar.keeper.sweep()

    (hold,) = (await cellar.keeper.holds([], [held.id]))[held.id]
    assert (held.id, "") == (hold.recording, hold.call)
    await cellar.store.keep([replace(held, call="late", state=State.LINKED)])
    assert 0 == await cellar.keeper.sweep()
    await cellar.keeper.lift(hold.id, LIN, "settled")
    assert 1 == await cellar.keeper.sweep()
