"""Is a customer who is rung first connected, or known as abandoned, and never too often?"""

import random
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from pathlib import Path

import pytest
import pytest_asyncio

from cti.calls.store import CallStore
from cti.dials.rules import AttemptState
from cti.dials.store import DialStore
from cti.visits.record import OPEN, Outcome, State, Try
from tests.kit.house import opened
from tests.pbx.lab import Lab, Pair
from tests.pbx.lab.talks import folder
from tests.pbx.lab.truth import CHANNEL, LINKEDID, TYPE
from tests.pbx.lab.visits import (
    CLOCK,
    MANNERS,
    TAKES,
    Chaos,
    Round,
    judge,
    rules,
    visiting,
)

pytestmark = [pytest.mark.lab, pytest.mark.asyncio(loop_scope="module")]

KILLS = 8
FIRST = {"mode": '"customer_first"'}
NO_CAP = "{ cap = 1 }"
SILENT = "ring,60"
SECOND_OF_SOUND = 16_000
HISTORY = 40
"""So many customers have answered before: one abandoned call is 2.4 %, two are 4.8 %."""


@pytest_asyncio.fixture(loop_scope="module")
async def played(pair: Pair, tmp_path: Path) -> AsyncIterator[Round]:
    """A house that rings its customers first, without a cap."""
    async with Lab(pair) as lab:
        await lab.records_quiet()
        lab.mark()
        async with visiting(pair, tmp_path, lab, **FIRST, abandoned=NO_CAP) as played:
            yield played
            await lab.records_quiet()


def rang(cel: Sequence[Sequence[str]], phone: str) -> Counter[str]:
    """Count how often an agent's phone was rung for each attempt."""
    return Counter(
        row[LINKEDID]
        for row in cel
        if row[TYPE] == "CHAN_START" and row[CHANNEL].startswith(f"PJSIP/{phone}-")
    )


async def tried(played: Round, manner: str, phone: str = "6001") -> Try:
    """Let an agent make a visit, rung first, and say that it is done if he was there."""
    owed = await played.owe(manner)
    assert await played.dials(phone)
    after = await played.settled(owed)
    if after.state == State.WRAP_UP:
        await played.wraps_up(after)
    (made,) = await played.store.tries_at(owed.id)
    return made


async def test_who_picks_up_is_joined_with_his_agent_and_whoever_does_not_rings_no_agent(
    played: Round,
) -> None:
    made = {manner: await tried(played, manner) for manner in MANNERS}

    await played.lab.records_quiet()
    cel = played.lab.cel()
    for manner, outcome in MANNERS.items():
        one = made[manner]
        assert (manner, outcome or Outcome.DONE) == (manner, one.outcome)
        assert (True, False) == (one.customer_first, one.abandoned)
        assert (manner, int(outcome is None)) == (manner, rang(cel, "6001")[one.id])
    said = await judge(played, cel)
    assert ([], len(MANNERS), 0) == (said.faults, said.dialled, said.double)


@pytest.mark.parametrize("phone_does", [SILENT, "busy", "reject"])
async def test_whose_agent_does_not_pick_up_was_abandoned_and_is_left_in_peace(
    played: Round, phone_does: str
) -> None:
    await played.lab.behave("6002", phone_does)

    made = await tried(played, "answer,0.3,30", "6002")

    await played.lab.records_quiet()
    cel = played.lab.cel()
    assert (Outcome.ABANDONED, True, True) == (made.outcome, made.abandoned, made.counts)
    assert 1 == rang(cel, "6002")[made.id]
    attempt = await DialStore(played.house.db).attempt(made.id)
    assert AttemptState.ABANDONED is attempt.state
    visit = await played.store.get(made.visit)
    assert visit is not None
    assert made.ended_at is not None
    assert (OPEN, None, 1) == (visit.state, visit.held_by, visit.attempts)
    assert visit.next_at >= made.ended_at + timedelta(hours=72)
    said = await judge(played, cel)
    assert ([], 0) == (said.faults, said.double)


async def test_a_customer_who_hangs_up_before_his_agent_is_there_met_nobody(
    played: Round,
) -> None:
    await played.lab.behave("6003", "answer,1.5,30")

    made = await tried(played, "answer,0.3,0.5", "6003")

    assert (Outcome.ABANDONED, True) == (made.outcome, made.abandoned)


async def test_once_the_cap_is_reached_nobody_is_dialled_by_itself_any_more(
    pair: Pair, tmp_path: Path
) -> None:
    async with Lab(pair) as lab, visiting(pair, tmp_path, lab, **FIRST) as played:
        await lab.records_quiet()
        lab.mark()
        await remember(played, HISTORY)
        await lab.behave("6001", SILENT)
        first = await tried(played, "answer,0.3,30")
        second = await played.owe("answer,0.3,30")
        await lab.behave("6001", TAKES)

        assert await played.dials("6001")

        told = await played.house.daemon.says("customer_first_stopped")
        await lab.records_quiet()
        said = await judge(played, lab.cel())
        kept = await played.store.get(second.id)
    assert Outcome.ABANDONED is first.outcome
    assert (HISTORY + 1, 1, "0.03") == (told["answered"], told["abandoned"], told["cap"])
    assert kept is not None
    assert (State.CLAIMED, None) == (kept.state, kept.dial_at)
    assert ([], 1, 0) == (said.faults, said.dialled, said.double)


async def remember(played: Round, answered: int) -> None:
    """Let so many customers have answered lately, by whatever mode."""
    store, now = played.store, CLOCK.now()
    person = played.house.staff["6004"].id
    for n in range(answered):
        owed = await played.owe("answer,0.3,0.7")
        visit = await store.claim(owed.id, person, now, timedelta(minutes=5))
        made = Try(
            id=f"old-{n}",
            visit=visit.id,
            customer=visit.customer,
            number="",
            agent=person,
            purpose=visit.purpose,
            daypart="weekday:morning",
            allowed="window",
            began_at=now,
            ended_at=None,
            outcome=None,
            counts=True,
            call=None,
        )
        await store.begin(visit, made, now.date())
        async with played.house.db.write() as conn:
            await store.end_try(conn, made, None, now)
        after = await store.get(visit.id)
        assert after is not None
        await played.wraps_up(after)


async def test_killed_while_customers_are_rung_first_nobody_is_dialled_twice(
    played: Round,
) -> None:
    chaos = Chaos(played=played, kills=KILLS, dice=random.Random(5))  # noqa: S311  no secret

    await chaos.run()

    await played.lab.records_quiet()
    said = await judge(played, played.lab.cel())
    assert ([], 0, 0, 0) == (said.faults, said.double, said.lost, said.stuck)
    assert said.attempts >= KILLS


async def test_where_calls_must_be_recorded_both_sides_of_the_talk_are(
    pair: Pair, tmp_path: Path
) -> None:
    path = rules(tmp_path, **FIRST, abandoned=NO_CAP)
    path.write_text(path.read_text().replace("required = false", "required = true"))
    async with Lab(pair) as lab, opened(pair, tmp_path, rules=path) as house:
        await house.daemon.start()
        await house.daemon.says("pbx_resynced")
        await lab.behave("6001", TAKES)

        made = await tried(Round(lab, house), "answer,0.3,3")

        await lab.records_quiet()
        assert made.call is not None
        known = await CallStore(house.db).whole(made.call)
    assert (Outcome.DONE, False) == (made.outcome, made.abandoned)
    assert known is not None
    (mixed,) = known.row["recordings"]
    whole = folder(pair) / Path(mixed).name
    both = [whole, *(whole.with_stem(f"{whole.stem}-{side}") for side in ("rx", "tx"))]
    assert all(one.stat().st_size > SECOND_OF_SOUND for one in both)
