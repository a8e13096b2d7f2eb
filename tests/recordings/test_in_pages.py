"""Recordings on an incident's page: a voicemail for those whom it concerns, and nobody else."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from cti.clock import SetClock
from cti.db.engine import Database
from cti.office import Concerned
from cti.penalties.routes import Asks, PenaltyPages
from cti.penalties.store import PenaltyStore
from cti.people.rules import Directory, Person
from recordings.record import Kind, Recording
from recordings.routes import Players
from tests.kit.recordings import NAMES, Archive, archive
from tests.kit.web import LIN, MAY, NOON, OU, Seat, Stage, stage
from tests.penalties.test_pages import BO, HOUSE, PEOPLE, Office, nothing, read


class Nobody:
    """Calls in which nobody spoke, and callbacks that nobody holds."""

    async def spoke_in(self, calls: object) -> dict[str, set[str]]:
        return {}

    holders = spoke_in


@dataclass
class Hall:
    """An incident with a voicemail."""

    office: Office
    kept: Archive
    it: Stage
    voicemail: Recording

    @property
    def page(self) -> str:
        return f"/incidents/{self.office.incident}"

    async def hears(self, seat: Seat) -> int:
        """Give the status with which somebody is answered who asks for the page's sound."""
        async with seat.browser.get(f"/recordings/{self.voicemail.id}") as answer:
            return answer.status


@asynccontextmanager
async def incident(db: Database, folder: Path) -> AsyncIterator[Hall]:
    """Serve one."""
    clock, directory = SetClock(NOON), Directory(PEOPLE)
    store = PenaltyStore(db, clock, lambda: HOUSE, lambda: directory)
    async with archive(db, folder / "recordings", clock) as kept:
        nobody = Nobody()
        kept.ask = Concerned(nobody.spoke_in, store.concerned, nobody.holders)
        room = PenaltyPages(
            Asks(
                store=store,
                house=lambda: HOUSE,
                directory=lambda: directory,
                clock=clock,
                callbacks=nothing,
                customers=nothing,
                recordings=Players(kept.listening, lambda one: NAMES.get(one, one)),
            )
        )
        async with stage(clock=clock, people=PEOPLE, rooms=[room, kept.room]) as it:
            office = Office(it, store, clock)
            office.incident = await office.miss("c1", NOON)
            left = {"call": "c1", "kind": Kind.VOICEMAIL, "person": None, "agent": ""}
            yield Hall(office, kept, it, await kept.keeps(**left))


@pytest.fixture
async def hall(sqlite_db: Database, tmp_path: Path) -> AsyncIterator[Hall]:
    async with incident(sqlite_db, tmp_path) as it:
        yield it


@pytest.mark.parametrize("who", [MAY, LIN, OU], ids=lambda one: one.name)
async def test_a_voicemail_plays_on_the_incidents_page(hall: Hall, who: Person) -> None:
    seat = await hall.it.enters(who)

    text = await read(seat, hall.page)

    assert f"/recordings/{hall.voicemail.id}/audio?pass=" in text
    assert "Voicemail" in text
    assert 200 == await hall.hears(seat)


async def test_whom_no_line_concerns_hears_nothing_of_it(hall: Hall) -> None:
    other = await hall.office.miss("c2", hall.office.clock.now(), "+8613900139000")
    left = {"call": "c3", "kind": Kind.VOICEMAIL, "person": None, "agent": ""}
    hall.voicemail = await hall.kept.keeps(minute=5, **left)
    bo = await hall.it.enters(BO)

    assert 404 == await hall.hears(bo)
    assert hall.voicemail.id not in await read(bo, f"/incidents/{other}")


async def test_the_lists_of_missed_calls_lead_to_what_was_recorded(hall: Hall) -> None:
    may, lin = await hall.it.enters(MAY), await hall.it.enters(LIN)

    for seat, path in ((lin, "/missed"), (may, "/mine/penalties")):
        assert "/recordings?call=c1" in await read(seat, path)
        assert hall.voicemail.id in await read(seat, "/recordings?call=c1")


async def test_an_incident_without_a_recording_says_nothing_of_any(hall: Hall) -> None:
    other = await hall.office.miss("c2", hall.office.clock.now(), "+8613900139000")

    text = await read(await hall.it.enters(LIN), f"/incidents/{other}")

    assert "cti-player" not in text
    assert "player.js" not in text
