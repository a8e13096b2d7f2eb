"""The built daemon with simulated PBXs: several at once, from first ring to row, and its end."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from sqlalchemy import select
from structlog.testing import capture_logs

from cti import settings as settings_file
from cti.app import App
from cti.calls.store import calls
from cti.db import migrate
from cti.db.audit import FIRST
from cti.db.engine import Database
from cti.errors import ConfigError
from cti.pbx.simulator import Simulator
from cti.people.rules import Device
from cti.people.store import PeopleStore
from tests.kit.until import until

NAME = "n" * 48


class Plant:
    """A daemon that runs, and its PBXs."""

    def __init__(self, app: App, pbxs: dict[str, Simulator]) -> None:
        self.app, self.pbxs = app, pbxs

    async def rows(self) -> list[dict[str, Any]]:
        """Every call that is over, as it is stored."""
        async with self.app.db.read() as connection:
            found = await connection.execute(select(calls).where(calls.c.over.is_(True)))
            return [dict(row._mapping) for row in found]


@pytest.fixture
async def plant(tmp_path: Path) -> AsyncIterator[Plant]:
    """A daemon on SQLite that listens to two PBXs; May has a phone on each."""
    async with AsyncExitStack() as stack:
        pbxs = {name: Simulator(secret="s", systemname=NAME, speed=20) for name in ("east", "west")}
        given = []
        for name, pbx in pbxs.items():
            host, port = await stack.enter_async_context(pbx.running())
            given.append({"name": name, "host": host, "port": port, "secret": "s"})
        settings = settings_file.load(data=tmp_path, pbx=given, web={"port": 0})
        await migrate.upgrade(settings.database_url)
        db = await Database.open(settings.database_url)
        await PeopleStore(db).add(
            number="1001",
            name="May",
            devices=[Device("east", "PJSIP/6001"), Device("west", "PJSIP/6001")],
        )
        await db.close()
        app = App(settings)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(app.run())
            await app.ready.wait()
            await until(lambda: [link["up"] for link in app.desk.links()] == [True, True])
            yield Plant(app, pbxs)
            app.stop()


async def test_the_hash_of_the_audit_log_is_logged_each_day(plant: Plant) -> None:
    with capture_logs() as logs, suppress(TimeoutError):
        await asyncio.wait_for(plant.app._tell_audit(), 0.3)

    assert [{"event": "audit_hash", "seq": 0, "hash": FIRST, "log_level": "info"}] == [
        one for one in logs if one["event"] == "audit_hash"
    ]


async def test_calls_of_two_pbxs_are_kept_side_by_side(plant: Plant) -> None:
    for name, pbx in plant.pbxs.items():
        pbx.phone("6001").answers_after(4)
        number = "13800138000" if name == "east" else "13900139000"
        await pbx.customer_calls(number=number, to="4001", talk=6)

    await until(lambda: len(plant.app.desk.board()["calls"]) == 2)
    await until(
        lambda: not any(board.book.live() or board.inbox.waiting for board in switchboards(plant))
    )
    await until(lambda: plant.app.writer.waiting == 0)

    rows = {row["pbx"]: row for row in await plant.rows()}
    assert {"east": "+8613800138000", "west": "+8613900139000"} == {
        name: row["number"] for name, row in rows.items()
    }
    assert ["answered", "answered"] == [row["outcome"] for row in rows.values()]
    assert [2, 2] == [row["rings"] for row in rows.values()]
    people = {row["person"] for row in rows.values()}
    assert people == {person.id for person in plant.app.desk.directory.people.values()}


async def test_each_link_says_for_itself_whether_it_is_up(plant: Plant) -> None:
    await plant.pbxs["west"].goes_down()

    await until(lambda: not links(plant)["west"])

    assert links(plant) == {"east": True, "west": False}
    async with aiohttp.ClientSession() as session, session.get(f"{plant.app.url}/readyz") as answer:
        told = await answer.json()
    assert answer.status == 503
    assert told["parts"]["pbx east listen"] == "ok"
    assert told["parts"]["pbx west listen"] != "ok"


def links(plant: Plant) -> dict[str, bool]:
    """Whether each PBX is heard."""
    return {link["pbx"]: link["up"] for link in plant.app.desk.links()}


def switchboards(plant: Plant) -> list[Any]:
    """The readers."""
    return [line.switchboard for line in plant.app.lines]


async def test_a_taken_port_is_told_with_what_to_do(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        settings = settings_file.load(data=tmp_path, web={"port": port})
        await migrate.upgrade(settings.database_url)

        with pytest.raises(ExceptionGroup) as group:
            await App(settings).run()

    fault = group.value.exceptions[0]
    assert isinstance(fault, ConfigError)
    assert fault.code == "port_taken"
    assert str(port) in fault.what
    assert "web.port" in fault.todo


def test_the_daemon_ends_at_a_signal_and_says_so(tmp_path: Path) -> None:
    environment = os.environ | {"CTI_DATA": str(tmp_path), "CTI_WEB__PORT": "0"}
    command = [sys.executable, "-m", "cti"]
    subprocess.run([*command, "migrate"], env=environment, check=True, capture_output=True)  # noqa: S603
    with subprocess.Popen(  # noqa: S603
        [*command, "run"], env=environment, stderr=subprocess.PIPE, text=True
    ) as daemon:
        assert daemon.stderr
        lines = iter(daemon.stderr.readline, "")
        assert any("cti_started" in line for line in lines)

        daemon.send_signal(signal.SIGTERM)
        said = daemon.stderr.read()
        code = daemon.wait(timeout=20)

    assert code == 0
    assert "cti_stopped" in said


def test_a_daemon_without_database_says_what_to_do(tmp_path: Path) -> None:
    environment = os.environ | {"CTI_DATA": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-m", "cti", "run"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 2
    assert done.stderr.startswith("cti: ")
    assert "cti migrate" in done.stderr
