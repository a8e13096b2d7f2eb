"""The built daemon goes by other rules as soon as they are loaded, without a restart."""

import asyncio
from pathlib import Path
from typing import Any

from sqlalchemy import select

from cti import settings as settings_file
from cti.app import App
from cti.calls.store import calls
from cti.db import migrate
from cti.pbx.simulator import Simulator
from tests.kit.until import until

TEXT = """\
[house]
id = "may"
name = "{name}"
timezone = "{zone}"
[hours]
default = [["00:00", "24:00"]]
[ring]
max_rings = 4
short_abandon_ms = {short}
"""


async def rows(app: App) -> list[Any]:
    """Give the calls that are over, oldest first."""
    wanted = select(calls).where(calls.c.over.is_(True)).order_by(calls.c.seen_at)
    async with app.db.read() as connection:
        return list(await connection.execute(wanted))


async def test_calls_are_judged_by_the_rules_in_force(tmp_path: Path) -> None:
    path = tmp_path / "house.toml"
    path.write_text(TEXT.format(name="晨", zone="Asia/Taipei", short=60_000))
    pbx = Simulator(secret="s", systemname="n" * 48, speed=20)
    async with pbx.running() as (host, port):
        given = {"name": "main", "host": host, "port": port, "secret": "s"}
        settings = settings_file.load(data=tmp_path, pbx=[given], house=path, web={"port": 0})
        await migrate.upgrade(settings.database_url)
        app = App(settings)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(app.run())
            await app.ready.wait()
            await until(lambda: [link["up"] for link in app.desk.links()] == [True])
            first = app.house.version
            await missed(app, pbx, "13800138000")

            path.write_text(TEXT.format(name="暮", zone="Asia/Shanghai", short=0))
            await app.policy.reload("p-kim", "")
            await missed(app, pbx, "13900139000")

            kept = [(row.house, row.reason) for row in await rows(app)]
            named = app.site.house, app.site.zone.key, app.desk.house.version
            app.stop()

    assert kept == [(first, "short_abandon"), (app.house.version, "abandoned_ringing")]
    assert first != app.house.version
    assert named == ("暮", "Asia/Shanghai", app.house.version)


async def missed(app: App, pbx: Simulator, number: str) -> None:
    """Let a customer ring, give up while a phone rings, and be kept."""
    before = len(await rows(app))
    await pbx.customer_calls(number=number, to="4001", patience=8)

    async with asyncio.timeout(20):
        while len(await rows(app)) == before:  # noqa: ASYNC110  rows tell nobody
            await asyncio.sleep(0.05)
