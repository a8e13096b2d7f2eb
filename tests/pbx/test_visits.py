"""Are return visits dialled once, whatever customers, agents and machines do? A real PBX tells."""

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
import pytest_asyncio

from cti.dials.store import DialStore
from cti.visits.record import Outcome, State, Visit
from tests.kit.daemon import Daemon
from tests.kit.house import settings
from tests.kit.postgres import Server
from tests.pbx.lab import Lab, Pair
from tests.pbx.lab.visits import AGENTS, MANNERS, Chaos, Round, judge, visiting

pytestmark = [pytest.mark.lab, pytest.mark.asyncio(loop_scope="module")]

KILLS = 60
FREEZES = 4


@pytest_asyncio.fixture(loop_scope="module")
async def played(pair: Pair, tmp_path: Path) -> AsyncIterator[Round]:
    """A house whose agents make visits."""
    async with Lab(pair) as lab:
        await lab.records_quiet()
        lab.mark()
        async with visiting(pair, tmp_path, lab) as played:
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
        assert (manner, outcome or Outcome.DONE) == (manner, made.outcome)
    said = await judge(played, played.lab.cel())
    assert ([], len(MANNERS), 0) == (said.faults, said.dialled, said.double)


MIXED = {
    "answer,0.3,0.7": 22,
    "busy": 11,
    "ring,60": 8,
    "reject": 8,
    "dead": 5,
}
"""What 54 customers' phones do; six more are visited by an agent who does not pick up, or call."""


async def test_sixty_visits_of_all_kinds_come_to_their_ends_and_cel_says_the_same(
    pair: Pair, tmp_path: Path
) -> None:
    once = {"max_attempts": "1", "retry": '{ failed = { after = "1m", per_day = 2 } }'}
    async with Lab(pair) as lab, visiting(pair, tmp_path, lab, **once) as played:
        await lab.records_quiet()
        lab.mark()
        for manner, times in MIXED.items():
            for _ in range(times):
                await played.owe(manner)
        idle = [await played.owe("answer,0.3,0.7", owner="6005") for _ in range(3)]
        callers = [await played.owe("answer,0.3,0.7") for _ in range(3)]
        await lab.behave_all(p6005="ring,60", p6006="answer,0.5,60")
        owed = [await played.nth(n) for n in range(1, played.n + 1)]

        async with asyncio.timeout(400):
            await asyncio.gather(
                *(played.works(phone, owed) for phone in AGENTS),
                absent(played, "6005", idle),
                *(customer_rings(lab, played.number_of(one)) for one in callers),
            )

        await lab.records_quiet()
        said = await judge(played, lab.cel())
    assert ([], 0, 0, 0, 0) == (said.faults, said.double, said.lost, said.stuck, said.unknown)
    assert said.ends == {"done": 28, "unreachable": 27, "needs_decision": 5}
    said.outcomes.pop(Outcome.NOT_DIALLED, None)  # refused while a caller waited
    assert said.outcomes == {
        Outcome.DONE: 28,
        Outcome.BUSY: 11,
        Outcome.NO_ANSWER: 8,
        Outcome.REJECTED: 8,
        Outcome.FAILED: 10,
        Outcome.AGENT_NO_SHOW: len(idle),
    }


async def absent(played: Round, phone: str, visits: Sequence[Visit]) -> None:
    """Let somebody try all of his visits once, who does not pick up his own phone."""
    while not all([await played.store.tries_at(one.id) for one in visits]):
        visit = await played.dials(phone)
        if visit is not None:
            await played.settled(visit)
        await asyncio.sleep(0.2)


async def customer_rings(lab: Lab, number: str) -> None:
    """Let a customer to whom a visit is owed call us meanwhile."""
    call = await lab.customer_calls(number, to="5006", talk=5)
    await call.over()


async def test_killed_at_any_moment_no_customer_is_dialled_twice_and_nothing_is_lost(
    played: Round,
) -> None:
    chaos = Chaos(played=played, kills=KILLS, dice=random.Random(22))  # noqa: S311  no secret

    await chaos.run()

    await played.lab.records_quiet()
    said = await judge(played, played.lab.cel())
    assert ([], 0, 0, 0) == (said.faults, said.double, said.lost, said.stuck)
    assert said.attempts >= KILLS


@pytest.mark.postgres
async def test_a_leader_that_was_frozen_dials_nobody_again(
    pair: Pair, postgres: Server, tmp_path: Path
) -> None:
    name = "cti_two_daemons"
    url = await postgres.create(name)
    dice = random.Random(13)  # noqa: S311  no secret
    async with Lab(pair) as lab:
        await lab.records_quiet()
        lab.mark()
        async with visiting(pair, tmp_path / "one", lab, url=url) as played:
            leads = played.house.daemon
            other = Daemon(
                tmp_path / "two",
                settings(pair),
                url=url,
                house=str(tmp_path / "one" / "house.toml"),
            )
            other.launch()
            await other.says("cti_stands_by")
            for _ in range(FREEZES):
                await dial_all(played, dice)
                await asyncio.sleep(dice.choice((0.0, 0.01, 0.1, 0.5)))
                leads.freeze()
                await other.serves()
                await other.says("pbx_resynced")
                await dial_all(played, dice)
                leads.go_on()
                await leads.gone()
                leads.launch()
                await leads.says("cti_stands_by")
                leads, other = other, leads
            await played.all_settled(within=180)
            await lab.records_quiet()
            said = await judge(played, lab.cel())
            await other.stop()
            await leads.stop()
    await postgres.drop(name)
    assert ([], 0, 0, 0) == (said.faults, said.double, said.lost, said.stuck)
    assert said.dialled > FREEZES


async def dial_all(played: Round, dice: random.Random) -> None:
    """Let every agent who can dial a new visit, and wait until one is under way."""
    store = DialStore(played.house.db)
    for phone in AGENTS:
        await played.owe(dice.choice(tuple(MANNERS)))
        if await played.frees(phone):
            await played.dials(phone)
    async with asyncio.timeout(60):
        while not await store.open():  # noqa: ASYNC110  a row tells nobody
            await asyncio.sleep(0.005)
