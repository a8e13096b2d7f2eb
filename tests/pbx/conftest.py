"""One pair of Asterisks for all tests of this folder; one lab, with its logins, for each."""

from collections.abc import AsyncIterator, Iterator

import pytest

from tests.kit.need import need
from tests.pbx.lab import Lab, Pair, missing


@pytest.fixture(scope="session")
def pair() -> Iterator[Pair]:
    """The PBX and the world, on addresses that nobody else uses."""
    need("lab", missing())
    pair = Pair.start()
    yield pair
    pair.stop()


@pytest.fixture
async def lab(pair: Pair) -> AsyncIterator[Lab]:
    """The pair at rest, with nobody on the phone."""
    async with Lab(pair) as lab:
        await lab.records_quiet()
        lab.mark()
        yield lab
        await lab.records_quiet()
