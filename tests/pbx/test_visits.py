"""Are return visits dialled once, whatever customers, agents and machines do? A real PBX tells."""

import random
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from cti.visits.record import State
from tests.pbx.lab import Lab, Pair
from tests.pbx.lab.visits import MANNERS, Chaos, Round, judge, visiting

pytestmark = [pytest.mark.lab, pytest.mark.asyncio(loop_scope="module")]

KILLS = 60


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def played(pair: Pair, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Round]:
    """A house whose agents make visits."""
    async with Lab(pair) as lab:
        await lab.records_quiet()
        lab.mark()
        async with visiting(pair, tmp_path_factory.mktemp("visits"), lab) as played:
            yield played
            await lab.records_quiet()


async def test_what_became_of_each_call_is_known_and_each_was_made_once(played: Round) -> None:
    owed = {manner: await played.owe(manner) for manner in MANNERS}
    for _ in MANNERS:
        visit = await played.dials("6001")
        assert visit is not None
        after = await played.settled(visit)
        if after.state == State.WRAP_UP:
            await played.wraps_up(after)

    await played.lab.records_quiet()
    for manner, outcome in MANNERS.items():
        (made,) = await played.store.tries_at(owed[manner].id)
        assert (manner, outcome) == (manner, made.outcome)
    said = await judge(played, played.lab.cel())
    assert ([], len(MANNERS), 0) == (said.faults, said.dialled, said.double)


async def test_killed_at_any_moment_no_customer_is_dialled_twice_and_nothing_is_lost(
    played: Round,
) -> None:
    chaos = Chaos(played=played, kills=KILLS, dice=random.Random(22))  # noqa: S311  no secret

    await chaos.run()

    await played.lab.records_quiet()
    said = await judge(played, played.lab.cel())
    assert ([], 0, 0, 0) == (said.faults, said.double, said.lost, said.stuck)
    assert said.dialled > KILLS
