"""How a real PBX tells that a phone signs off, is unplugged, or is paused by its queue."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
import pytest_asyncio

from cti.people.rules import Person
from cti.presence.states import Interval
from cti.presence.store import PresenceStore
from tests.kit.house import House, at_work
from tests.pbx.lab import Lab, Pair
from tests.pbx.lab.register import Roamer

pytestmark = [pytest.mark.lab, pytest.mark.asyncio(loop_scope="module")]

ROAMING, STRICT = "6010", "6009"
PORT = 5099


@dataclass
class Plant:
    """A house at work, in which one phone registers itself."""

    lab: Lab
    house: House
    phone: Roamer

    async def stands(self, number: str, state: str, within: float = 20) -> Interval:
        """Wait until somebody's open interval is this state."""
        person: Person = self.house.staff[number]
        now = datetime.now(UTC)  # noqa: TID251  the machine's own time
        store, since = PresenceStore(self.house.db), now - timedelta(days=1)
        async with asyncio.timeout(within):
            while True:
                told = await store.intervals([person.id], since, now + timedelta(days=1))
                if told and told[-1].state == state:
                    return told[-1]
                await asyncio.sleep(0.05)


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def plant(pair: Pair, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Plant]:
    async with AsyncExitStack() as stack:
        lab = await stack.enter_async_context(Lab(pair))
        await lab.records_quiet()
        data = tmp_path_factory.mktemp("presence")
        house = await stack.enter_async_context(at_work(pair, data, more=[int(ROAMING)]))
        phone = Roamer(ROAMING, (pair.place.phones, PORT), (pair.place.pbx, 5060))
        await phone.open()
        yield Plant(lab, house, phone)
        phone.close()


async def test_a_phone_that_signs_off_is_logged_out(plant: Plant) -> None:
    await plant.phone.registers()
    await plant.stands(ROAMING, "available")

    await plant.phone.signs_off()

    told = await plant.stands(ROAMING, "logged_out")
    assert told.cause == f"PJSIP/{ROAMING}"


async def test_a_phone_that_is_unplugged_is_unreachable(plant: Plant) -> None:
    await plant.phone.registers()
    await plant.stands(ROAMING, "available")

    plant.phone.unplugged = True

    await plant.stands(ROAMING, "unreachable")
    plant.phone.unplugged = False
    await plant.stands(ROAMING, "available")


async def test_a_phone_that_rang_out_is_paused_by_its_queue_not_by_its_agent(plant: Plant) -> None:
    await plant.lab.behave(STRICT, "ring,30")

    call = await plant.lab.customer_calls("13800138000", to="4021", patience=20)
    await call.over()

    told = await plant.stands(STRICT, "pbx_autopause")
    assert told.cause == "Auto-Pause"
    pbx = plant.lab.pair.pbx
    member = f"member PJSIP/{STRICT}"
    await asyncio.to_thread(pbx.cli, f"queue pause {member} queue evening reason lunch")
    told = await plant.stands(STRICT, "pause_unapproved")
    assert told.cause == "evening: lunch"
    await asyncio.to_thread(pbx.cli, f"queue unpause {member}")
    await plant.stands(STRICT, "available")
