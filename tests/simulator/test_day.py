from collections import Counter
from itertools import islice, pairwise

import pytest

from cti.pbx.simulator import Day, Guest, Ringing, Simulator
from tests.kit.tiny_ami import TinyClient

GUESTS = [
    Guest(number="13800138000", name="王小明"),
    Guest(number="0223456789"),
    Guest(number="0912345678", name="陳美玲"),
]


def day(seed: int = 1, every: float = 45) -> Day:
    return Day(GUESTS, lines=["4000"], phones=["6001", "6002", "6003"], seed=seed, every=every)


def first(some: Day, count: int) -> list[Ringing]:
    return list(islice(some.calls(), count))


def test_the_same_seed_gives_the_same_day() -> None:
    assert first(day(7), 50) == first(day(7), 50)
    assert first(day(7), 50) != first(day(8), 50)


def test_most_guests_are_served_and_some_are_not() -> None:
    courses = Counter(ringing.course for ringing in first(day(), 1000))

    assert 650 < courses["answered"] < 820
    assert min(courses[course] for course in ("abandoned", "unanswered", "busy")) > 30


def test_guests_ring_as_often_as_was_asked_for() -> None:
    waits = [ringing.wait for ringing in first(day(every=60), 2000)]

    assert 40 < sum(waits) / len(waits) < 70
    assert min(waits) >= 2


def test_some_withhold_their_number_and_some_ring_again() -> None:
    ringing = first(day(), 1000)

    withheld = sum(one.guest is None for one in ringing)
    again = sum(
        one.guest is not None and one.guest == next_one.guest and one.course != "answered"
        for one, next_one in pairwise(ringing)
    )
    assert 15 < withheld < 80
    assert again > 40


@pytest.mark.parametrize("missing", ["guests", "lines", "phones"])
def test_a_day_without_people_is_refused(missing: str) -> None:
    parts = {"guests": GUESTS, "lines": ["4000"], "phones": ["6001"]}

    with pytest.raises(ValueError, match="a day needs"):
        Day(**(parts | {missing: []}))  # type: ignore[arg-type]


async def test_an_hour_is_lived_as_it_was_planned(sim: Simulator, client: TinyClient) -> None:
    today = day(seed=3)
    living = today.begin(sim)

    for _ in range(60):
        await sim.passes(60)
        await client.heard()
    living.end()
    await sim.passes(300)

    heard = await client.heard()
    born = [f for f in heard if f.event == "Newchannel" and "trunk" in f["Channel"]]
    planned = first(today, len(born))
    assert 50 < len(born) < 120
    assert [f["CallerIDNum"] for f in born] == [
        one.guest.number if one.guest else "anonymous" for one in planned
    ]
    ends = Counter(f.event for f in heard)
    assert ends["QueueCallerJoin"] == len(born)
    assert ends["AgentConnect"] + ends["QueueCallerAbandon"] == len(born)
    assert sim.idle
