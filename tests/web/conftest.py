from collections.abc import AsyncIterator

import pytest

from cti.web.push import Pace
from tests.kit.web import Stage, stage


@pytest.fixture
async def it() -> AsyncIterator[Stage]:
    """A running server with the cast, at noon."""
    async with stage(pace=Pace(hello_within=1.0, board_every=0.05)) as running:
        yield running
