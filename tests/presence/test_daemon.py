"""The real daemon, killed and started anew: its intervals have no hole that claims knowledge."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import pytest
from sqlalchemy import select

from cti.db.engine import Database
from cti.pbx.simulator import Simulator
from cti.people.rules import Device
from cti.people.store import PeopleStore
from cti.presence.states import Interval
from cti.presence.store import PresenceStore, states
from tests.kit.daemon import Daemon

NAME = "n" * 48


class Plant:
    """A daemon with May, her phone and a simulated PBX; what is stored can be read."""

    def __init__(self, daemon: Daemon, pbx: Simulator, db: Database, may: str) -> None:
        self.daemon, self.pbx, self.db, self.may = daemon, pbx, db, may

    async def intervals(self) -> list[Interval]:
        began, ended = datetime(2020, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
        return list(await PresenceStore(self.db).intervals([self.may], began, ended))

    async def until(self, is_so: Callable[[list[str]], bool]) -> list[str]:
        """Wait until what is stored of May is so; give her states."""
        async with asyncio.timeout(20):
            while not is_so(found := [one.state.value for one in await self.intervals()]):  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        return found


@pytest.fixture
async def plant(tmp_path: Path) -> AsyncIterator[Plant]:
    pbx = Simulator(secret="s", systemname=NAME)
    async with pbx.running() as (host, port):
        daemon = Daemon(tmp_path, {"name": "main", "host": host, "port": port, "secret": "s"})
        await daemon.prepare()
        db = await Database.open(daemon.database)
        may = await PeopleStore(db).add(
            number="6001", name="May", devices=[Device("main", "PJSIP/6001")]
        )
        try:
            yield Plant(daemon, pbx, db, may.id)
        finally:
            await daemon.kill()
            await db.close()


async def test_a_kill_and_a_stop_leave_no_hole_that_claims_knowledge(plant: Plant) -> None:
    await plant.daemon.start()
    await plant.until(lambda found: found[-1:] == ["available"])

    await plant.daemon.kill()
    plant.pbx.phone("6001").unregistered()
    await plant.daemon.start()
    await plant.until(lambda found: found[-1] == "unreachable")
    plant.pbx.phone("6001").registered()
    await plant.until(lambda found: found[-1] == "available")
    await plant.daemon.stop()
    await plant.daemon.start()
    await plant.until(lambda found: found[-1] == "available" and "unknown" in found[3:])

    told = await plant.intervals()
    assert ["unknown", "available", "unknown", "unreachable", "available"] == [
        one.state.value for one in told
    ][:5]
    assert ["unknown", "available"] == [one.state.value for one in told][-2:]
    assert [one.ended_at for one in told[:-1]] == [one.began_at for one in told[1:]]
    async with plant.db.read() as conn:
        rows = (await conn.execute(select(states.c.ended_at))).scalars().all()
    assert 1 == sum(ended is None for ended in rows)


async def test_a_call_goes_by_and_every_moment_of_it_is_known(plant: Plant) -> None:
    await plant.daemon.start()
    await plant.until(lambda found: found[-1:] == ["available"])
    plant.pbx.phone("6001").answers_after(1)

    call = await plant.pbx.customer_calls(number="13800138000", to="4001", talk=1)
    await call.ended()

    found = await plant.until(lambda found: found[-1] == "available" and "busy_elsewhere" in found)
    assert ["available", "ringing", "busy_elsewhere", "available"] == found[-4:]
    told = await plant.intervals()
    assert all(one.ended_at == later.began_at for one, later in pairwise(told))
