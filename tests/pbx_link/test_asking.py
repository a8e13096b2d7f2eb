"""Actions and their three outcomes: not sent, answered, unknown."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
import uvloop
from structlog.testing import capture_logs

from cti.errors import ActionUnknown, PbxUnavailable, UnsafeAction
from cti.pbx import actions
from cti.pbx.session import Answer
from tests.kit.ami import Asked, FakeAmi, event, listing, reply
from tests.kit.links import SOON, new_link, running


async def test_an_action_is_answered() -> None:
    async with FakeAmi() as fake:
        fake.scripts["corestatus"] = lambda asked: reply(asked, CoreStartupTime="02:28:55")
        link, states, _ = new_link(fake, role="act")
        async with running(link):
            await states.reach("up")
            good = await link.act(actions.core_status(), SOON)
            bad = await link.act(actions.parked_calls(), SOON)

    assert (good.ok, good.headers.first("corestartuptime")) == (True, "02:28:55")
    assert (bad.ok, bad.message) == (False, "Invalid")


async def test_a_list_is_gathered_to_its_end() -> None:
    items = [{"Channel": f"PJSIP/600{n}-1"} for n in range(3)]
    async with FakeAmi() as fake:
        fake.scripts["coreshowchannels"] = lambda asked: listing(asked, "CoreShowChannel", items)
        fake.scripts["bridgelist"] = lambda asked: listing(asked, "BridgeListItem", [])
        link, states, heard = new_link(fake)
        async with running(link):
            await states.reach("up")
            channels = await link.act(actions.core_show_channels(), SOON)
            bridges = await link.act(actions.bridge_list(), SOON)

    assert [item.first("Channel") for item in channels.items] == [i["Channel"] for i in items]
    assert (channels.ok, channels.complete, bridges.items) == (True, True, [])
    assert heard.names == ["FullyBooted"]


@pytest.mark.parametrize(
    "end",
    [{"EventList": "cancelled"}, {"ListItems": "3"}, {"EventList": "COMPLETE", "ListItems": "9"}],
)
async def test_a_list_that_lacks_something_says_so(end: dict[str, str]) -> None:
    async with FakeAmi() as fake:
        fake.scripts["bridgelist"] = lambda asked: listing(asked, "Item", [{"X": "1"}], **end)
        link, states, _ = new_link(fake, role="act")
        async with running(link):
            await states.reach("up")
            answer = await link.act(actions.bridge_list(), SOON)

    assert (answer.ok, answer.complete, len(answer.items)) == (True, False, 1)


async def test_an_item_with_a_fault_is_set_aside_and_the_list_is_not_complete() -> None:
    items = [{"CallerIDName": "x\r\nUniqueid: 2", "Uniqueid": "1"}, {"Uniqueid": "3"}]
    async with FakeAmi() as fake:
        fake.scripts["queuestatus"] = lambda asked: listing(asked, "QueueEntry", items)
        link, states, _ = new_link(fake, role="act")
        async with running(link):
            await states.reach("up")
            answer = await link.act(actions.queue_status(), SOON)

    assert [item.first("Uniqueid") for item in answer.items] == ["3"]
    assert not answer.complete
    assert link.aside.counts == {"repeated": 1}


async def test_an_answer_that_cannot_be_read_is_unknown() -> None:
    async with FakeAmi() as fake:
        fake.scripts["corestatus"] = lambda asked: reply(asked, X="1\r\nX: 2")
        link, states, _ = new_link(fake, role="act")
        async with running(link):
            await states.reach("up")
            with pytest.raises(ActionUnknown, match="cannot be read"):
                await link.act(actions.core_status(), SOON)


async def test_what_was_never_answered_is_forgotten_and_its_late_answer_too() -> None:
    """D09."""
    late = list[Asked]()
    async with FakeAmi() as fake:
        fake.scripts["bridgelist"] = late.append
        link, states, heard = new_link(fake)
        async with running(link):
            await states.reach("up")
            with pytest.raises(ActionUnknown, match=r"BridgeList: no answer within 0\.02 s"):
                await link.act(actions.bridge_list(), timedelta(milliseconds=20))
            assert link._session is not None
            assert link._session.pending == {}
            fake.visit.send(listing(late[0], "BridgeListItem", [{"X": "1"}]))
            fake.visit.send(event("Newstate"))
            await heard.reach(2)

    assert heard.names == ["FullyBooted", "Newstate"]
    assert link.counters.unclaimed == 3
    assert not link.aside.counts


async def test_an_action_that_is_cancelled_is_forgotten() -> None:
    """D09."""
    async with FakeAmi() as fake:
        fake.scripts["bridgelist"] = lambda _: None
        link, states, _ = new_link(fake)
        async with running(link), asyncio.TaskGroup() as group:
            await states.reach("up")
            task = group.create_task(link.act(actions.bridge_list(), SOON))
            await fake.heard("BridgeList")
            task.cancel()
            await asyncio.sleep(0)
            assert link._session is not None
            assert link._session.pending == {}


async def test_an_action_while_the_link_is_down_is_refused_at_once() -> None:
    """D06, D23: nothing waits, nothing is sent later."""
    fake = FakeAmi()
    await fake.open()
    await fake.shut()
    link, states, _ = new_link(fake)
    with pytest.raises(PbxUnavailable, match="down, not started"):
        await link.act(actions.ping(), SOON)
    async with running(link):
        await states.reach("down")
        with pytest.raises(PbxUnavailable, match="not sent"):
            await link.act(actions.ping(), SOON)
        await fake.open()
        await states.reach("up")
        await fake.heard("CoreSettings")
    with pytest.raises(PbxUnavailable, match="down, stopped"):
        await link.act(actions.ping(), SOON)
    await fake.shut()

    assert fake.times("Ping") == 0


def dial() -> actions.Built:
    return actions.originate(
        channel="PJSIP/6001", channel_id="cti-1", context="cti-dial", exten="1", ring=SOON
    )


async def test_an_action_in_flight_when_the_link_is_lost_is_unknown_and_never_sent_again() -> None:
    """D05: a customer is not dialled twice."""
    async with FakeAmi() as fake:
        fake.scripts["originate"] = lambda _: fake.visit.cut()
        link, states, heard = new_link(fake)
        async with running(link):
            await states.reach("up")
            with pytest.raises(ActionUnknown, match="Originate: connection lost"):
                await link.act(dial(), SOON)
            await states.reach("up", times=2)
            await heard.reach(2)  # the second greeting: what panoramisk would have replayed after
            await link.act(actions.ping(), SOON)

    assert fake.times("Originate") == 1


def test_it_runs_on_uvloop_as_well() -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(test_an_action_in_flight_when_the_link_is_lost_is_unknown_and_never_sent_again())
        runner.run(test_a_list_is_gathered_to_its_end())


async def test_an_action_half_answered_when_the_link_is_lost_is_unknown() -> None:
    """D08."""
    async with FakeAmi() as fake:

        def half(asked: Asked) -> bytes:
            fake.visit.send(listing(asked, "BridgeListItem", [{"X": "1"}])[:-20])
            fake.visit.transport.close()
            return b""

        fake.scripts["bridgelist"] = half
        link, states, _ = new_link(fake)
        async with running(link):
            await states.reach("up")
            with pytest.raises(ActionUnknown, match="BridgeList: the PBX closed the connection"):
                await link.act(actions.bridge_list(), SOON)

    assert link.counters.cut == 1


async def test_who_waits_for_an_answer_when_the_link_is_stopped_is_told() -> None:
    """D15."""
    async with FakeAmi() as fake:
        fake.scripts["bridgelist"] = lambda _: None
        link, states, _ = new_link(fake)
        waiting: asyncio.Task[Answer]
        async with asyncio.TaskGroup() as group:
            async with running(link):
                await states.reach("up")
                waiting = group.create_task(_outcome(link.act(actions.bridge_list(), SOON)))
                await fake.heard("BridgeList")
            assert isinstance(await waiting, ActionUnknown)


async def _outcome(asking: Any) -> Any:
    try:
        return await asking
    except ActionUnknown as unknown:
        return unknown


async def test_an_unsafe_action_is_refused_before_anything_is_pending() -> None:
    """D11, D25."""
    async with FakeAmi() as fake:
        link, states, _ = new_link(fake)
        async with running(link):
            await states.reach("up")
            with pytest.raises(UnsafeAction, match=r"^Channel$"):
                await link.act(actions.hangup("x\r\nAction: Command"), SOON)
            assert link._session is not None
            assert link._session.pending == {}

    assert fake.times("Hangup") == 0


async def test_a_write_that_fails_shows_no_secret_and_leaves_nothing_pending() -> None:
    """D21."""
    async with FakeAmi() as fake:
        link, states, _ = new_link(fake)
        with capture_logs() as logs:
            async with running(link):
                await states.reach("up")
                session = link._session
                assert session is not None

                class Broken:
                    def write(self, data: bytes) -> None:
                        raise RuntimeError(data)

                    def __getattr__(self, name: str) -> Any:
                        return getattr(transport, name)

                transport, session.transport = session.transport, Broken()
                with pytest.raises(ActionUnknown, match="could not be written"):
                    await link.act({"Action": "Login", "Secret": "hush"}, SOON)
                assert session.pending == {}
                await states.reach("up", times=2)

    (failed,) = [log for log in logs if log["event"] == "action_write_failed"]
    assert (failed["action"], len(failed["action_id"])) == ("Login", 32)
    assert "hush" not in repr([{k: v for k, v in log.items() if k != "exc_info"} for log in logs])
