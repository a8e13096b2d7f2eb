import asyncio

from cti import bus
from cti.bus import Bus, Push


def card(call: str, seq: int, who: str = "may") -> Push:
    return Push(audience=bus.person(who), kind="card", seq=seq, call=call)


async def test_only_the_audience_hears() -> None:
    post = Bus()

    with post.subscribe(bus.person("may"), bus.ALL) as may, post.subscribe(bus.BOARD) as board:
        post.publish(card("k1", 1))
        post.publish(Push(audience=bus.ALL, kind="links"))
        post.publish(card("k1", 2, who="bo"))

        assert [1, None] == [letter.push.seq for letter in await may.take(1)]
        assert [] == await board.take(0.01)


async def test_a_newer_state_of_a_call_takes_the_place_of_the_older_and_goes_last() -> None:
    post = Bus()

    with post.subscribe(bus.person("may")) as box:
        for call, seq in [("k1", 1), ("k2", 2), ("k1", 3)]:
            post.publish(card(call, seq))

        assert [("k2", 2), ("k1", 3)] == [
            (letter.push.call, letter.push.seq) for letter in await box.take(1)
        ]


async def test_a_reader_whose_box_is_full_is_closed_alone() -> None:
    post = Bus()

    with (
        post.subscribe(bus.person("may"), room=2) as full,
        post.subscribe(bus.person("may"), room=9) as other,
    ):
        for n in range(3):
            post.publish(card(f"k{n}", n))

        assert ("overflow", []) == (full.closed, await full.take(1))
        assert (None, 3) == (other.closed, len(await other.take(1)))


async def test_the_same_call_never_fills_a_box() -> None:
    post = Bus()

    with post.subscribe(bus.person("may"), room=1) as box:
        for n in range(100):
            post.publish(card("k1", n))

        assert [99] == [letter.push.seq for letter in await box.take(1)]


async def test_all_readers_get_the_very_same_letter() -> None:
    post = Bus()

    with post.subscribe(bus.BOARD) as one, post.subscribe(bus.BOARD) as two:
        post.publish(Push(audience=bus.BOARD, kind="board"))

        assert (await one.take(1))[0] is (await two.take(1))[0]


async def test_a_waiting_reader_is_woken_by_a_letter_and_by_the_end() -> None:
    post = Bus()

    with post.subscribe(bus.ALL) as box:
        async with asyncio.TaskGroup() as tasks:
            waiting = tasks.create_task(box.take(60))
            await asyncio.sleep(0)
            post.publish(Push(audience=bus.ALL, kind="links"))
        assert 1 == len(waiting.result())

        async with asyncio.TaskGroup() as tasks:
            waiting = tasks.create_task(box.take(60))
            await asyncio.sleep(0)
            box.close("ended")
            box.close("stopping")
        assert ([], "ended") == (waiting.result(), box.closed)


async def test_who_has_left_costs_nothing() -> None:
    post = Bus()

    with post.subscribe(bus.person("may"), bus.ALL):
        pass
    post.publish(card("k1", 1))

    assert {} == post._boxes
