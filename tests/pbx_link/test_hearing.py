"""What a link hears, whatever happens to its bytes, and whom it believes."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from cti.pbx.aside import SetAside
from cti.pbx.frames import Frame
from cti.pbx.inbox import Inbox
from cti.pbx.link import Link, LinkState, Pace
from cti.pbx.tape import Recorder, read_tape
from tests.kit.ami import BANNER, BOOTED, SECRET_NAME, Asked, FakeAmi, States, event
from tests.kit.links import CLOCK, QUICK, SOON, new_link, running, settings

# --- what is heard


STREAM = BANNER + b"%s" + BOOTED
EVENTS = (
    event("Newchannel", CallerIDName="王小明") + event("Newstate") + event("Hangup", Cause="16")
)


@pytest.mark.parametrize("kind", ["reset", "end"])
async def test_a_link_cut_at_any_byte_comes_back_and_loses_no_whole_frame(kind: str) -> None:
    """Fault 1: whatever was cut, each frame before the cut is heard, none is made up."""
    whole = [payload.decode() for payload in EVENTS.split(b"\r\n\r\n")[:-1]]
    for length in range(0, len(EVENTS) + 1, 1 if kind == "end" else 7):
        async with FakeAmi() as fake:
            link, states, heard = new_link(fake, pace=Pace(first=0.001, longest=0.001))
            async with running(link):
                await states.reach("up")
                fake.visit.send(EVENTS[:length])
                if kind == "end":
                    fake.visit.transport.close()
                else:
                    fake.visit.cut()
                await states.reach("up", times=2)
                fake.visit.send(event("Last"))
                await heard.states.until(lambda: "Last" in heard.names)  # noqa: B023

        told = [frame.payload.decode() for frame in heard.frames if frame.event in EVENTS.decode()]
        assert told == whole[: len(told)]  # a reset may take back what was not read yet
        assert kind == "reset" or len(told) == EVENTS[:length].count(b"\r\n\r\n")
        assert not link.aside.counts


async def test_a_login_cut_at_any_byte_is_tried_again() -> None:
    """Fault 1, before the login."""
    for length in range(0, 110, 3):
        async with FakeAmi() as fake:
            accept = fake.scripts["login"]

            def cut(asked: Asked, length: int = length) -> None:
                fake.visit.send((accept(asked) or b"")[:length])  # noqa: B023
                fake.visit.transport.close()
                fake.scripts["login"] = accept  # noqa: B023

            fake.scripts["login"] = cut
            link, states, _ = new_link(fake, pace=Pace(first=0.001, longest=0.001))
            async with running(link):
                await fake.heard("Login", times=2)
                await states.reach("up")


async def test_a_stream_of_single_bytes_is_heard_whole() -> None:
    """D01, and fault 17: a character cut between two segments."""
    async with FakeAmi() as fake:
        link, states, heard = new_link(fake)
        async with running(link):
            await states.reach("up")
            session = link._session
            assert session is not None
            for byte in EVENTS:
                session.data_received(bytes([byte]))

    assert heard.frames[1].first("CallerIDName") == "王小明"
    assert heard.names == ["FullyBooted", "Newchannel", "Newstate", "Hangup"]


async def test_a_consumer_that_raises_does_not_end_the_link() -> None:
    """D03."""
    heard = list[str]()

    def on_frames(frames: list[Frame]) -> None:
        if any(frame.event == "Odd" for frame in frames):
            raise RuntimeError
        heard.extend(frame.event for frame in frames)
        states.ring()

    async with FakeAmi() as fake:
        link, states, _ = new_link(fake, on_frames=on_frames)
        with capture_logs() as logs:
            async with running(link):
                await states.reach("up")
                assert link._session is not None
                link._session.data_received(event("Odd"))
                link._session.data_received(event("Newstate"))
                await states.until(lambda: "Newstate" in heard)

    assert states.phases.count("up") == 1
    assert link.aside.counts == {"handler": 1}
    assert "on_frames_failed" in {log["event"] for log in logs}


async def test_a_state_listener_that_raises_does_not_end_the_link() -> None:
    async with FakeAmi() as fake:

        def on_state(state: LinkState) -> None:
            raise RuntimeError(state.phase)

        link, _, heard = new_link(fake, on_state=on_state)
        with capture_logs() as logs:
            async with running(link):
                await heard.reach(1)

    assert {log["event"] for log in logs} >= {"on_state_failed"}


async def test_a_full_inbox_drops_the_link_on_purpose() -> None:
    aside = SetAside("main", CLOCK)
    inbox = Inbox(aside, limit=5)
    async with FakeAmi() as fake:
        link, states, _ = new_link(fake, on_frames=inbox.put, aside=aside)
        async with running(link):
            await states.reach("up")
            fake.visit.send(event("Newstate") * 5)
            down = await states.reach("down")
            slower = link._overflows
            taken = await inbox.take()
            await states.reach("up", times=2)

    assert down.reason == "dropped on purpose: too many events wait to be read"
    assert [frame.event for frame in taken] == ["FullyBooted"]
    assert (inbox.overflows, slower) == (1, 1)


async def test_unwanted_events_reach_nobody() -> None:
    async with FakeAmi() as fake:
        link, states, heard = new_link(fake, wanted=lambda name: name == "Hangup")
        async with running(link):
            await states.reach("up")
            fake.visit.send(EVENTS)
            await heard.reach(1)

    assert heard.names == ["Hangup"]
    assert link.counters.unwanted == 3


async def test_events_before_the_login_was_accepted_are_set_aside() -> None:
    async with FakeAmi() as fake:
        fake.banner = BANNER + event("Hangup")
        link, states, heard = new_link(fake)
        async with running(link):
            await states.reach("up")
            await heard.reach(1)

    assert heard.names == ["FullyBooted"]
    assert link.aside.counts == {"before_login": 1}


async def test_the_state_is_told_before_the_first_event_of_a_session() -> None:
    order = list[str]()
    async with FakeAmi() as fake:
        states = States()

        def on_state(state: LinkState) -> None:
            order.append(state.phase)
            states(state)

        def on_frames(frames: list[Frame]) -> None:
            order.extend(frame.event for frame in frames)
            states.ring()

        link = Link(
            settings(fake.port),
            "listen",
            clock=CLOCK,
            on_state=on_state,
            on_frames=on_frames,
            pace=QUICK,
        )
        async with running(link):
            await states.until(lambda: "FullyBooted" in order)

    assert order[:3] == ["connecting", "up", "FullyBooted"]


# --- who is believed


@pytest.mark.parametrize("told", [True, False], ids=["in the settings", "by the PBX"])
async def test_with_a_secret_systemname_a_forged_event_is_set_aside(told: bool) -> None:
    """Fault 15."""
    async with FakeAmi(systemname=SECRET_NAME) as fake:
        given = {"systemname": SECRET_NAME} if told else {}
        fake.scripts["login"] = lambda asked: (
            fake._login(asked) + event("Early", SECRET_NAME) + event("Forged")
        )
        link, states, heard = new_link(fake, settings=given)
        async with running(link):
            await states.reach("up")
            fake.visit.send(event("Forged") + BOOTED + event("Hangup", SECRET_NAME))
            await heard.reach(3)

    assert heard.names == ["FullyBooted", "Early", "Hangup"]
    assert link.aside.counts == {"forged": 3}
    assert fake.times("CoreSettings") == (0 if told else 1)


@pytest.mark.parametrize("name", ["", "pbx1"])
async def test_without_a_secret_systemname_the_operator_is_warned_once(name: str) -> None:
    async with FakeAmi(systemname=name) as fake:
        link, states, heard = new_link(fake)
        with capture_logs() as logs:
            async with running(link):
                await states.reach("up")
                fake.visit.cut()
                await states.reach("up", times=2)
                fake.visit.send(event("Hangup"))
                await heard.reach(3)

    warned = [log for log in logs if log["event"] == "systemname_is_no_secret"]
    assert heard.names[-1] == "Hangup"
    assert [(log["length"], "timestampevents" in log["todo"]) for log in warned] == [
        (len(name), True)
    ]


async def test_a_pbx_that_does_not_tell_its_systemname_is_heard_all_the_same() -> None:
    async with FakeAmi(systemname=SECRET_NAME) as fake:
        del fake.scripts["coresettings"]
        link, states, heard = new_link(fake)
        async with running(link):
            await states.reach("up")
            await heard.reach(1)
            fake.visit.cut()
            fake.scripts["coresettings"] = lambda _: None
            link.settings = link.settings.model_copy(update={"connect_within": 0.05})
            await states.reach("up", times=2)

    assert heard.names[0] == "FullyBooted"


# --- tapes


async def test_all_bytes_are_on_the_tape_before_they_are_read(tmp_path: Path) -> None:
    """D24."""
    with Recorder(tmp_path / "call.ami", CLOCK) as tape:
        async with FakeAmi() as fake:
            link, states, heard = new_link(fake, tape=tape)
            async with running(link):
                await states.reach("up")
                fake.visit.send(EVENTS + b"\xff\xfe cut")
                await heard.reach(4)

    pieces = list(read_tape(tmp_path / "call.ami"))
    whole = b"".join(piece for piece, _ in pieces)
    assert whole.startswith(BANNER + b"Response: Success\r\nActionID: ")
    assert EVENTS + b"\xff\xfe cut" in whole
    assert all(at is not None and datetime.now(UTC) - at < SOON for _, at in pieces)  # noqa: TID251
