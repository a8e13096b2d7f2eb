"""A simulated PBX whose time stands, and clients of it."""

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from cti.pbx.simulator import Simulator
from tests.kit.tiny_ami import TinyClient
from tests.simulator.stories import lab

Connect = Callable[[], Awaitable[TinyClient]]


@pytest.fixture
async def sim() -> AsyncIterator[Simulator]:
    """The recorded PBX, running; its time goes only by `passes`."""
    sim = lab(with_two=False)
    async with sim.running():
        yield sim


@pytest.fixture
async def connect(sim: Simulator) -> AsyncIterator[Connect]:
    """Open connections, and close them at the end."""
    clients: list[TinyClient] = []

    async def open_one() -> TinyClient:
        clients.append(await TinyClient.open(sim.host, sim.port))
        return clients[-1]

    yield open_one
    for client in clients:
        await client.close()


@pytest.fixture
async def client(connect: Connect) -> TinyClient:
    """A client that is logged in as the product is."""
    client = await connect()
    await client.login()
    return client
