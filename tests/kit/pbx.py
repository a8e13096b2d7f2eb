"""A simulated PBX that a check, or a recording, logs in to."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

from cti.clock import SystemClock
from cti.pbx.check import Point, check
from cti.pbx.simulator import Account, Simulator
from cti.settings import PbxSettings
from tests.kit.etc import SECRET, SYSTEMNAME

READ = "system,call,agent,user"
WRITE = "originate,call,agent,reporting"
CHEN = "13800138000"
Story = Callable[[Simulator], Awaitable[object]]


def account(read: str = READ, write: str = WRITE, **more: Any) -> Account:
    return Account(
        user="cti",
        secret=SECRET,
        read=frozenset(read.split(",")),
        write=frozenset(write.split(",")),
        **more,
    )


def simulator(**changed: Any) -> Simulator:
    """A PBX set up as it should be; its time stands. `changed` spoils it."""
    given: dict[str, Any] = {
        "accounts": [account()],
        "systemname": SYSTEMNAME,
        "speed": 0,
        "refuse_after_s": 0.01,
    }
    return Simulator(**given | changed)


def settings_of(sim: Simulator, **changed: Any) -> PbxSettings:
    return PbxSettings.model_validate({"port": sim.port, "secret": SECRET, **changed})


async def a_customer_calls(sim: Simulator) -> None:
    """A call through a queue: classes call and agent are heard."""
    await sim.customer_calls(number=CHEN, to="4000", patience=2)
    await sim.passes(10)


async def checked(
    sim: Simulator, *, story: Story | None = None, of: dict[str, Any] | None = None, **more: Any
) -> dict[str, Point]:
    """Check a running simulator, with a story told while the check listens."""
    listening, enough = asyncio.Event(), asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(
            check(
                settings_of(sim, **(of or {})),
                clock=SystemClock(),
                listen_for=timedelta(seconds=20),
                say=lambda _: listening.set(),
                enough=enough,
                **{"etc": None, **more},
            )
        )
        waiting = tasks.create_task(listening.wait())
        await asyncio.wait({task, waiting}, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        if story and listening.is_set():
            await story(sim)
        enough.set()
    return {point.key: point for point in task.result()}
