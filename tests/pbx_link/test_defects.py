"""panoramisk's known defects, D01 to D28: each is closed by a test, here or where `CLOSED` says.

Some cannot come back, because what they lived in is not used: D17 (CallManager), D22 (callbacks).
"""

import asyncio
import copy
import importlib
import pickle
from pathlib import Path

import pytest

import cti
from cti.errors import Bug, PbxUnavailable, UnsafeAction
from cti.pbx import actions
from cti.pbx.frames import Frame
from tests.kit.ami import FakeAmi, event, reply
from tests.kit.links import QUICK, SOON, new_link, running

CLOSED = {
    "D01 a character cut between two reads vanishes": (
        "test_frames.test_no_character_is_lost_where_a_stream_is_cut"
    ),
    "D02 an empty last header and trailing blanks are lost": (
        "test_frames.test_a_header_is_found_in_any_case_and_keeps_its_blanks"
    ),
    "D03 a callback that raises closes the link": (
        "test_hearing.test_a_consumer_that_raises_does_not_end_the_link"
    ),
    "D04 'successfully queued' without Async closes the link": (
        "test_defects.test_words_in_an_answer_decide_nothing"
    ),
    "D05 an Originate in flight is sent again": (
        "test_asking.test_an_action_in_flight_when_the_link_is_lost_is_unknown_and_never_sent_again"
    ),
    "D06 actions wait while the link is down and go out late": (
        "test_asking.test_an_action_while_the_link_is_down_is_refused_at_once"
    ),
    "D07 nothing goes without FullyBooted": ("test_defects.test_a_link_is_up_without_a_greeting"),
    "D08 a half-answered action is forgotten at link loss": (
        "test_asking.test_an_action_half_answered_when_the_link_is_lost_is_unknown"
    ),
    "D09 actions given up are never forgotten": (
        "test_asking.test_what_was_never_answered_is_forgotten_and_its_late_answer_too"
    ),
    "D10 answers to Ping are not checked": (
        "test_link.test_a_half_open_link_is_noticed_and_replaced"
    ),
    "D11 line ends in values reach the wire": (
        "test_actions.test_a_value_that_could_break_a_line_is_refused_and_not_shown"
    ),
    "D12 QueueAdd never completes": "test_defects.test_words_in_an_answer_decide_nothing",
    "D13 a failed dial looks good": "test_defects.test_what_became_of_a_dial_is_an_event",
    "D14 an odd Async hangs": (
        "test_actions.test_an_originate_that_would_block_the_session_is_refused"
    ),
    "D15 a closed link connects again": "test_defects.test_a_stopped_link_stays_away",
    "D16 a wrong password is tried hot for ever": (
        "test_link.test_a_refused_login_is_one_clear_error_and_no_hot_loop"
    ),
    "D17 CallManager mixes calls up": "test_defects.test_its_call_manager_is_not_used",
    "D18 a typo reads as an empty text": "test_defects.test_a_typo_reads_as_nothing",
    "D19 a repeated header changes its type": (
        "test_frames.test_repeated_headers_are_always_a_list"
    ),
    "D20 a long message blocks for seconds": (
        "test_frames.test_eight_megabytes_without_an_end_cost_one_frame_and_little_memory"
    ),
    "D21 a failed write logs the secret": (
        "test_asking.test_a_write_that_fails_shows_no_secret_and_leaves_nothing_pending"
    ),
    "D22 coroutine callbacks run in any order": "test_defects.test_no_callback_can_be_registered",
    "D23 an action before the first connect crashes": (
        "test_asking.test_an_action_while_the_link_is_down_is_refused_at_once"
    ),
    "D24 its tape breaks the link": (
        "test_hearing.test_all_bytes_are_on_the_tape_before_they_are_read"
    ),
    "D25 Asterisk's limits are unchecked": (
        "test_actions.test_what_is_longer_than_asterisk_reads_is_refused"
    ),
    "D26 a refused first connect starts two loops": (
        "test_link.test_one_supervisor_makes_one_connection_at_a_time"
    ),
    "D27 a login that is not answered hangs": (
        "test_link.test_a_login_that_is_never_answered_is_given_up"
    ),
    "D28 a lost link says that it is logged in": (
        "test_defects.test_a_link_has_one_state_and_it_is_true"
    ),
}


@pytest.mark.parametrize("defect", CLOSED)
def test_every_defect_is_closed_by_a_test(defect: str) -> None:
    module, name = CLOSED[defect].split(".")

    assert callable(getattr(importlib.import_module(f"tests.pbx_link.{module}"), name))


def test_none_is_forgotten() -> None:
    assert [defect[:3] for defect in CLOSED] == [f"D{n:02}" for n in range(1, 29)]


@pytest.mark.parametrize(
    "message",
    [
        "Originate successfully queued",
        "Added interface to queue",
        "Result will follow",
        "",
    ],
)
async def test_words_in_an_answer_decide_nothing(message: str) -> None:
    """D04, D12: an answer is over at its response, unless `EventList: start` says otherwise."""
    async with FakeAmi() as fake:
        fake.scripts["queueadd"] = lambda asked: reply(asked, Message=message)
        link, states, _ = new_link(fake)
        async with running(link):
            await states.reach("up")
            answer = await link.act({"Action": "QueueAdd", "Queue": "support"}, SOON)

    assert (answer.ok, answer.message) == (True, message)


async def test_a_link_is_up_without_a_greeting() -> None:
    """D07: an account without class `system` gets no FullyBooted."""
    async with FakeAmi() as fake:
        fake.scripts["login"] = lambda asked: reply(asked, Message="Authentication accepted")
        link, states, _ = new_link(fake)
        async with running(link):
            await states.reach("up")

            assert (await link.act(actions.ping(), SOON)).ok


async def test_what_became_of_a_dial_is_an_event() -> None:
    """D13: the answer says queued, and a failure still reaches who listens."""
    dial = actions.originate(
        channel="PJSIP/6001", channel_id="cti-1", context="cti-dial", exten="1", ring=SOON
    )
    async with FakeAmi() as fake:
        fake.scripts["originate"] = lambda asked: (
            reply(asked, Message="Originate successfully queued")
            + event("OriginateResponse", ActionID=asked["actionid"][0], Response="Failure")
        )
        link, states, heard = new_link(fake)
        async with running(link):
            await states.reach("up")
            answer = await link.act(dial, SOON)
            await heard.reach(2)
            with pytest.raises(UnsafeAction):
                await link.act({**dial, "Async": "no"}, SOON)

    assert (answer.ok, answer.items) == (True, [])
    assert heard.frames[1].first("Response") == "Failure"
    assert heard.frames[1].fault() is None


async def test_a_stopped_link_stays_away() -> None:
    """D15."""
    async with FakeAmi() as fake:
        link, states, _ = new_link(fake)
        async with running(link) as task:
            await states.reach("up")
        assert task.done()
        with pytest.raises(PbxUnavailable):
            await link.act(actions.ping(), SOON)
        with pytest.raises(Bug):
            await link.run()

        others = asyncio.all_tasks() - {asyncio.current_task()}
        assert (len(fake.visits), others) == (1, set())
        assert fake.asked[-1]["action"] == ["Logoff"]


def test_its_call_manager_is_not_used() -> None:
    """D17. And neither are its test helpers, which change the line end of the process."""
    ours = [path.read_text() for path in Path(cti.__file__).parent.rglob("*.py")]

    assert not [text for text in ours if "call_manager" in text or "panoramisk.testing" in text]


def test_a_typo_reads_as_nothing() -> None:
    """D18: no made-up value, no made-up attribute; and a frame can be copied."""
    frame = Frame(b"Event: Hangup\r\nCause: 16")

    assert frame.first("Cuase") is None
    assert not hasattr(frame, "cause")
    for again in (copy.deepcopy(frame), pickle.loads(pickle.dumps(frame))):  # noqa: S301
        assert again.headers() == frame.headers()


async def test_no_callback_can_be_registered() -> None:
    """D22: events wait in one queue for one consumer, in order."""
    async with FakeAmi() as fake:
        link, _, _ = new_link(fake)

        async def callback(*_: object) -> None:
            """Never called."""

        with pytest.raises(Bug):
            link.register_event("*", callback)


async def test_a_link_has_one_state_and_it_is_true() -> None:
    """D28."""
    async with FakeAmi() as fake:
        link, states, _ = new_link(fake, pace=QUICK)
        async with running(link):
            assert (link.state.phase, hasattr(link, "authenticated")) == ("down", False)
            await states.reach("up")
            fake.visit.cut()
            await states.reach("down")
            seen = states.phases.index("down")
            await states.reach("up", times=2)

    assert states.phases[:seen] == ["connecting", "up"]


async def test_its_own_name_for_an_action_is_as_safe() -> None:
    async with FakeAmi() as fake:
        link, states, _ = new_link(fake)
        with pytest.raises(PbxUnavailable):
            await link.send_action({"Action": "Ping"})
        async with running(link):
            await states.reach("up")
            answer = await link.send_action(actions.ping(), as_list=True)

    assert answer.ok
