import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
import uvloop

from cti.clock import SetClock
from cti.pbx.simulator import Habit, Line, QueueSetup, Simulator
from tests.kit.tiny_ami import TinyClient, Told
from tests.simulator.conftest import Connect
from tests.simulator.stories import CHEN


def events(frames: list[Told], *names: str) -> list[str]:
    return [frame.event for frame in frames if frame.event in names]


async def test_a_customer_who_is_served_is_known_to_have_been(sim: Simulator) -> None:
    sim.phone("6002").answers_after(5)

    call = await sim.customer_calls(number=CHEN, to="4000", talk=20)
    await sim.passes(5.1)

    assert (
        call.over,
        call.answered_by,
        sim.phone("6002").state,
    ) == (False, "PJSIP/6002", "INUSE")

    await sim.passes(20)
    await call.ended()

    assert (call.over, sim.phone("6002").state) == (True, "NOT_INUSE")


async def test_a_customer_gives_up_when_his_patience_is_over(sim: Simulator) -> None:
    call = await sim.customer_calls(number=CHEN, to="4000", patience=8)

    await sim.passes(7.9)
    waiting = call.over
    await sim.passes(0.2)

    assert (waiting, call.over, call.answered_by) == (False, True, "")


async def test_a_number_that_does_not_exist_is_told_the_trunk_alone(
    sim: Simulator, client: TinyClient
) -> None:
    call = await sim.customer_calls(number=CHEN, to="4999")
    await sim.passes(9)

    heard = await client.heard()

    assert (call.over, call.channel, events(heard, "Newchannel", "Hangup")) == (True, "", [])


async def test_a_phone_in_a_talk_is_busy_for_the_next_caller(
    sim: Simulator, client: TinyClient
) -> None:
    sim.phone("6001").answers_after(1)
    await sim.customer_calls(number=CHEN, to="4001", talk=60)
    await sim.passes(5)

    second = await sim.customer_calls(number="02161234567", to="4001")
    await sim.passes(1)

    assert second.over
    assert [frame["DialStatus"] for frame in await client.heard() if frame.event == "DialEnd"] == [
        "ANSWER",
        "BUSY",
    ]


async def test_the_second_caller_in_a_queue_is_served_when_a_phone_is_free_again(
    sim: Simulator,
) -> None:
    for number in ("6002", "6003"):
        sim.phone(number).unregistered()
    sim.phone("6001").answers_after(2)
    first = await sim.customer_calls(number=CHEN, to="4000", talk=10)
    await sim.passes(1)
    second = await sim.customer_calls(number="02161234567", to="4000", talk=10)

    await sim.passes(5)
    while_first_talks = second.answered_by
    await sim.passes(11)

    assert (
        while_first_talks,
        second.answered_by,
        first.over,
        second.over,
    ) == ("", "PJSIP/6001", True, False)


async def test_nobody_overtakes_in_a_queue(sim: Simulator) -> None:
    for number in ("6002", "6003"):
        sim.phone(number).unregistered()
    sim.phone("6001").answers_after(1)
    await sim.customer_calls(number=CHEN, to="4000", talk=9)
    await sim.passes(2)
    first = await sim.customer_calls(number="02161234567", to="4000", talk=60)
    await sim.passes(0.9)
    second = await sim.customer_calls(number="0912345678", to="4000", talk=60)

    await sim.passes(20)

    assert (first.answered_by, second.answered_by) == ("PJSIP/6001", "")


async def test_round_robin_remembers_whom_it_called_last() -> None:
    members = ("6001", "6002", "6003")
    queue = QueueSetup(name="rr", members=members, strategy="rrmemory", timeout=6)
    sim = Simulator(queues=[queue], lines={"4003": Line(queue="rr")}, speed=0)
    async with sim.running():
        for number in members:
            sim.phone(number).answers_after(1)
        served = []
        for _ in range(4):
            call = await sim.customer_calls(number=CHEN, to="4003", talk=2)
            await sim.passes(10)
            served.append(call.answered_by.removeprefix("PJSIP/"))

    assert served == ["6001", "6002", "6003", "6001"]


async def test_a_phone_does_what_a_person_does_with_it(sim: Simulator, client: TinyClient) -> None:
    call = await sim.customer_calls(number=CHEN, to="4000", talk=60)
    await sim.passes(2)

    done = [sim.phone("6001").declines(), sim.phone("6002").picks_up()]
    await sim.passes(3)
    done += [sim.phone("6003").picks_up(), sim.phone("6002").hangs_up()]
    await sim.passes(1)

    assert done == [True, True, False, True]
    assert (call.answered_by, call.over) == ("PJSIP/6002", True)
    reasons = [frame["Reason"] for frame in await client.heard() if frame.event == "AgentComplete"]
    assert reasons == ["agent"]


async def test_a_customer_hangs_up_when_told_to(sim: Simulator, client: TinyClient) -> None:
    call = await sim.customer_calls(number=CHEN, to="4000")
    await sim.passes(2)

    call.hangs_up()
    call.hangs_up()

    heard = await client.heard()
    assert call.over
    assert events(heard, "QueueCallerAbandon", "HangupRequest") == [
        "HangupRequest",
        "QueueCallerAbandon",
    ]


@pytest.mark.parametrize("by_phone", [True, False])
async def test_an_agent_sends_the_customer_on(
    sim: Simulator, client: TinyClient, by_phone: bool
) -> None:
    sim.phone("6001").answers_after(1)
    sim.phone("6003").answers_after(2)
    if by_phone:
        sim.phone("6001").transfers_to("6003", after=3)
    call = await sim.customer_calls(number=CHEN, to="4001", talk=10)
    await sim.passes(4)
    if not by_phone:
        call.sent_to("6003")
    await sim.passes(4)

    assert (
        call.answered_by,
        sim.phone("6001").state,
        sim.phone("6003").state,
    ) == ("PJSIP/6003", "NOT_INUSE", "INUSE")
    (moved,) = [f for f in await client.heard() if f.event == "BlindTransfer"]
    assert (moved["Extension"], moved["TransfereeCallerIDNum"]) == ("6003", CHEN)

    await sim.passes(20)

    assert call.over


async def test_a_customer_sent_to_a_queue_waits_there(sim: Simulator, client: TinyClient) -> None:
    sim.phone("6001").answers_after(1)
    sim.phone("6002").answers_after(3)
    call = await sim.customer_calls(number=CHEN, to="4001", talk=10)
    await sim.passes(2)

    sim.phone("6001").rings_on()
    call.sent_to("4002")
    await sim.passes(25)

    assert call.answered_by == "PJSIP/6002"
    assert events(await client.heard(), "QueueCallerJoin", "AgentConnect") == [
        "QueueCallerJoin",
        "AgentConnect",
    ]


async def test_who_was_called_by_the_house_can_be_sent_on_too(
    sim: Simulator, client: TinyClient
) -> None:
    sim.phone("6001").answers_after(1)
    sim.phone("6002").answers_after(1)
    sim.outside(CHEN).answers_after(2, talk=30)
    await client.act("Originate", Channel="PJSIP/6001", Context="internal", Exten=CHEN)
    await sim.passes(6)
    channels = await client.act("CoreShowChannels")
    mine = next(f["Channel"] for f in channels if f["Channel"].startswith("PJSIP/6001"))

    await client.act("BlindTransfer", Channel=mine, Context="internal", Exten="6002")
    await sim.passes(3)

    states = [sim.phone(number).state for number in ("6001", "6002")]
    assert states == ["NOT_INUSE", "INUSE"]


async def test_what_phones_do_may_be_said_for_one_call(sim: Simulator) -> None:
    habits = {"PJSIP/6003": Habit(does="answers", after=2)}

    one = await sim.customer_calls(number=CHEN, to="4000", talk=1, habits=habits)
    await sim.passes(10)
    other = await sim.customer_calls(number=CHEN, to="4000", patience=9, talk=1)
    await sim.passes(10)

    assert (one.answered_by, other.answered_by) == ("PJSIP/6003", "")


async def test_a_phone_that_comes_back_is_called_again(sim: Simulator, client: TinyClient) -> None:
    sim.phone("6001").unregistered()
    gone = await sim.customer_calls(number=CHEN, to="4001", patience=5)
    await sim.passes(10)
    sim.phone("6001").registered()
    back = await sim.customer_calls(number=CHEN, to="4001", patience=5)
    await sim.passes(3)

    assert (gone.over, back.over) == (True, False)
    states = [f["State"] for f in await client.heard() if f["Device"] == "PJSIP/6001"]
    assert states == ["UNAVAILABLE", "NOT_INUSE", "RINGING"]


async def test_calls_go_on_while_the_link_is_cut(sim: Simulator, connect: Connect) -> None:
    before, after = await connect(), await connect()
    await before.login()
    call = await sim.customer_calls(number=CHEN, to="4001", patience=20)
    await sim.passes(2)

    sim.drop_sessions()
    cut = await before.ended()
    await sim.passes(2)
    after = await connect()
    await after.login()
    shown = await after.act("CoreShowChannels")
    await sim.passes(20)

    assert b"Event: Newstate" in cut
    assert b"Event: Hangup" not in cut
    assert [f["ChannelStateDesc"] for f in shown[1:-1]] == ["Ring", "Ringing"]
    assert call.over
    assert len(events(await after.heard(), "Hangup")) == 2


async def test_a_half_open_link_hears_and_says_nothing(sim: Simulator, connect: Connect) -> None:
    frozen, fresh = await connect(), await connect()
    await frozen.login()
    frozen.forget()

    sim.freeze_sessions()
    frozen.send(Action="Ping")
    fresh = await connect()
    await fresh.login()
    await sim.customer_calls(number=CHEN, to="4001", patience=1)
    await sim.passes(5)
    heard = await fresh.heard()
    sim.drop_sessions()

    assert await frozen.ended() == b""
    assert "Newchannel" in events(heard, "Newchannel")


@pytest.mark.parametrize("cleanly", [True, False])
async def test_a_restart_is_a_new_boot_without_calls(
    sim: Simulator, connect: Connect, cleanly: bool
) -> None:
    old = await connect()
    await old.login()
    call = await sim.customer_calls(number=CHEN, to="4000")
    await sim.passes(5)
    (before,) = await old.act("CoreStatus")
    port = sim.port

    await sim.restart(cleanly=cleanly)
    last = await old.ended()
    new = await connect()
    await new.login()
    (after,) = await new.act("CoreStatus")
    shown = await new.act("CoreShowChannels")
    await sim.passes(60)

    assert (port, True) == (sim.port, call.over)
    assert cleanly == last.endswith(b"Shutdown: Cleanly\r\nRestart: False\r\n\r\n")
    assert b"Event: Hangup" not in last
    assert (before["CoreStartupTime"], before["CoreCurrentCalls"]) == ("02:28:09", "4")
    assert (after["CoreStartupTime"], after["CoreCurrentCalls"]) == ("02:28:16", "0")
    assert shown[-1]["ListItems"] == "0"
    assert events(await new.heard(), "Hangup", "Newstate") == []


async def test_nobody_is_let_in_while_it_is_down(sim: Simulator) -> None:
    await sim.goes_down()

    with pytest.raises(ConnectionRefusedError):
        await TinyClient.open(sim.host, sim.port)

    await sim.comes_up()


async def test_time_goes_by_itself_at_the_speed_that_was_set() -> None:
    sim = Simulator(speed=200)
    async with sim.running() as (host, port):
        client = await TinyClient.open(host, port)
        await client.login()
        sim.phone("6001").answers_after(7)
        call = await sim.customer_calls(number=CHEN, to="4001", talk=4)
        async with asyncio.timeout(10):
            await call.ended()
        heard = await client.heard()
        await client.close()

    at = {(f.event, f["ChannelState"]): f.at for f in heard if "6001" in f["Channel"]}
    assert at["Newstate", "6"] - at["Newstate", "5"] == pytest.approx(7.004, abs=0.001)
    assert at["Hangup", "6"] - at["Newstate", "6"] == pytest.approx(4, abs=0.01)


async def test_time_can_follow_the_clock_of_a_test() -> None:
    clock = SetClock(datetime(2026, 11, 22, 2, 28, 9, tzinfo=UTC))
    sim = Simulator(clock=clock, speed=1)
    async with sim.running():
        call = await sim.customer_calls(number=CHEN, to="4001", patience=6)
        clock.go(timedelta(seconds=5))
        sim.time.catch_up()
        waiting = call.over
        clock.go(timedelta(seconds=2))
        sim.time.catch_up()

        assert (waiting, call.over) == (False, True)


async def test_a_call_after_a_long_silence_begins_now() -> None:
    clock = SetClock(datetime(2026, 11, 22, 2, 28, 9, tzinfo=UTC))
    sim = Simulator(clock=clock, speed=1)
    async with sim.running():
        clock.go(timedelta(seconds=40))

        call = sim.begin_call(CHEN, "", "4001", patience=60, talk=5, habits={})

        assert call.call.root.born == clock.now().timestamp() * 1_000_000


async def test_no_two_events_bear_the_same_time(sim: Simulator, client: TinyClient) -> None:
    for number in range(20):
        await sim.customer_calls(number=f"1380013{number:04d}", to="4000", patience=5 + number)
    await sim.passes(90)

    times = [frame["Timestamp"] for frame in await client.heard() if frame["Timestamp"]]

    assert len(times) > 400
    assert sorted(set(times)) == times


@pytest.mark.parametrize("make_loop", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_it_runs_on_either_event_loop(
    make_loop: Callable[[], asyncio.AbstractEventLoop],
) -> None:
    async def scenario() -> tuple[str, int]:
        sim = Simulator(speed=100)
        async with sim.running() as (host, port):
            client = await TinyClient.open(host, port)
            await client.login()
            sim.phone("6001").answers_after(1)
            call = await sim.customer_calls(number=CHEN, to="4001", talk=2)
            await call.ended()
            await sim.restart()
            await client.ended()
            await client.close()
            again = await TinyClient.open(host, port)
            await again.login()
            logged_in = sim.logged_in
            await again.close()
        return call.answered_by, logged_in

    with asyncio.Runner(loop_factory=make_loop) as runner:
        assert runner.run(scenario()) == ("PJSIP/6001", 1)


async def test_hundreds_of_calls_leave_nothing_behind(sim: Simulator) -> None:
    for number in ("6001", "6002", "6003"):
        sim.phone(number).answers_after(1)
    calls = []
    for place in range(300):
        to = ("4000", "4001", "4002", "4003")[place % 4]
        calls.append(await sim.customer_calls(number=CHEN, to=to, patience=30, talk=3))
        await sim.passes(0.5)
    await sim.passes(200)

    assert all(call.over for call in calls)
    assert not sim.board.channels
    assert not sim.board.bridges
    assert not any(queue.visits for queue in sim.board.queues.values())
    assert sim.idle
