"""The built daemon with a simulated PBX: a missed call is owed, an answered one settles it."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from cti import settings as settings_file
from cti.app import App
from cti.callbacks.rules import Callback, State
from cti.callbacks.store import Wanted
from cti.db import migrate
from cti.db.engine import Database
from cti.pbx.simulator import Simulator
from cti.people.rules import Device
from cti.people.store import PeopleStore
from tests.kit.until import until

NAME = "n" * 48
WANG = "13800138000"


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[tuple[App, Simulator]]:
    """A daemon on SQLite with one PBX, on which May has a phone."""
    pbx = Simulator(secret="s", systemname=NAME)
    async with pbx.running() as (host, port):
        given = [{"name": "main", "host": host, "port": port, "secret": "s"}]
        settings = settings_file.load(data=tmp_path, pbx=given, web={"port": 0})
        await migrate.upgrade(settings.database_url)
        db = await Database.open(settings.database_url)
        await PeopleStore(db).add(number="1001", name="May", devices=[Device("main", "PJSIP/6001")])
        await db.close()
        app = App(settings)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(app.run())
            await app.ready.wait()
            await until(lambda: all(link["up"] for link in app.desk.links()))
            yield app, pbx
            app.stop()


async def owed(app: App, state: State | None = None) -> Callback:
    """Wait until one is owed, in a state if it is named."""
    async with asyncio.timeout(30):
        while True:
            found = await app.office.callbacks.find(Wanted(state=""), 10)
            if found and state in (None, found[0].state):
                return found[0]
            await asyncio.sleep(0.1)


async def test_who_gives_up_is_owed_a_call_until_somebody_talks_with_him(
    running: tuple[App, Simulator],
) -> None:
    app, pbx = running
    pbx.phone("6001").rings_on()
    await pbx.customer_calls(number=WANG, to="4001", patience=1)
    await pbx.customer_calls(number=None, to="4001", patience=1)

    missed = await owed(app)
    pbx.phone("6001").answers_after(1)
    call = await pbx.customer_calls(number=WANG, to="4001", talk=60)
    found = await owed(app, State.DONE)

    assert ("+8613800138000", 1, "4001") == (missed.number, missed.times, missed.line)
    assert missed.id == found.id
    assert found.fulfilled_by is not None
    assert not call.over  # they still talk
    assert found.ended_by in app.desk.directory.people
    assert 1 == len(await app.office.callbacks.find(Wanted(state=""), 10))
