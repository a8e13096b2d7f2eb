"""To which call does a sound belong, when is a file finished, which call misses one?"""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cti.calls.record import Direction, RecordedCall, RecordedTalk
from cti.house import RecordingRules
from recordings import names, rules
from recordings.record import LEGAL, Kind, NamedBy, Recording, State, may_become

NOON = datetime(2026, 11, 27, 4, tzinfo=UTC)
FILE = "/var/spool/asterisk/monitor/one.wav"


def at(seconds: float) -> datetime:
    """Give an instant, counted from the call's beginning."""
    return NOON + timedelta(seconds=seconds)


def talk(agent: str, began: float, ended: float | None) -> RecordedTalk:
    """Let an agent talk; his person is named for his phone."""
    return RecordedTalk(
        agent=agent,
        person=f"p-{agent}",
        began=at(began),
        ended=None if ended is None else at(ended),
    )


def call(**known: object) -> RecordedCall:
    """Make a call of a minute that 6001 answered after ten seconds."""
    made = RecordedCall(
        call="call-1",
        pbx="main",
        direction=Direction.INBOUND,
        began=at(0),
        ended=at(60),
        over=True,
        answered=True,
        talk_ms=50_000,
        agent="6001",
        person="p-6001",
        customer="c-wang",
        is_test=False,
        files=(FILE,),
        channel="PJSIP/trunk-00000001",
        names=frozenset({"+8613800138000", "4000", "support", "6001"}),
        talks=(talk("6001", 10, 60),),
        legs=("1795322718.42", "1795322718.43"),
    )
    return replace(made, **known)  # type: ignore[arg-type]


def sound(began: float = 10, ended: float = 60, **known: object) -> Recording:
    """Make a recording that is stored and belongs to nothing yet."""
    made = Recording(
        id="r-1",
        pbx="main",
        kind=Kind.CALL,
        state=State.STORED,
        source=FILE,
        began=at(began),
        ended=at(ended),
        duration_ms=int((ended - began) * 1000),
        seen_at=at(ended),
    )
    return replace(made, **known)  # type: ignore[arg-type]


def named(name: str) -> names.Named:
    """Read a file's name."""
    return names.said(f"/monitor/{name}", ZoneInfo("Asia/Shanghai"))


# -- finished


@pytest.mark.parametrize(
    ("closed", "whole", "still", "writes", "done"),
    [
        (True, False, 0, True, True),
        (False, True, 10, False, True),
        (False, True, 9, False, False),
        (False, False, 44, False, False),
        (False, False, 45, False, True),
        (False, True, 3600, True, False),
    ],
)
def test_when_a_file_is_finished(
    closed: bool, whole: bool, still: int, writes: bool, done: bool
) -> None:
    since = timedelta(seconds=still)

    assert done is rules.finished(closed=closed, whole=whole, still=since, writes=writes)


# -- what the PBX named


def test_a_file_that_the_pbx_named_is_awaited() -> None:
    found = rules.awaited(call(), FILE, None)

    assert found is not None
    assert (State.EXPECTED, "call-1", NamedBy.EVENT) == (found.state, found.call, found.named_by)
    assert ("6001", "p-6001", "c-wang") == (found.agent, found.person, found.customer)


def test_while_the_call_lives_it_is_being_recorded() -> None:
    live = call(over=False, ended=None, talks=())
    found = rules.awaited(live, FILE, None)

    assert found is not None
    assert State.RECORDING is found.state
    over = rules.awaited(call(), FILE, found)
    assert over is not None
    assert State.EXPECTED is over.state


def test_a_file_that_was_there_first_is_linked_when_the_call_is_known() -> None:
    found = rules.awaited(call(), FILE, sound())

    assert found is not None
    assert (State.LINKED, "call-1") == (found.state, found.call)
    assert rules.awaited(call(), FILE, found) is None


def test_a_better_look_moves_it_from_a_call_that_only_fitted() -> None:
    guessed = sound(state=State.LINKED, call="call-2", named_by=NamedBy.OVERLAP)

    found = rules.awaited(call(), FILE, guessed)

    assert found is not None
    assert ("call-1", NamedBy.EVENT) == (found.call, found.named_by)


def test_a_name_that_is_used_again_is_another_file() -> None:
    yesterday = sound(-86_400, -86_340, state=State.LINKED, call="old", named_by=NamedBy.EVENT)

    found = rules.awaited(call(), FILE, yesterday)

    assert found is not None
    assert (1, State.EXPECTED, "call-1") == (found.take, found.state, found.call)


def test_a_call_that_became_another_keeps_its_file() -> None:
    before = sound(state=State.LINKED, call="merged", named_by=NamedBy.EVENT)

    found = rules.awaited(call(), FILE, before)

    assert found is not None
    assert (0, "call-1") == (found.take, found.call)


def test_a_customer_who_was_chosen_later_is_the_recordings_too() -> None:
    before = rules.awaited(call(customer=None), FILE, sound())
    assert before is not None

    found = rules.awaited(call(), FILE, before)

    assert found is not None
    assert "c-wang" == found.customer


# -- whose it is


def test_after_a_transfer_each_file_is_his_who_talked_most_in_it() -> None:
    moved = call(talks=(talk("6001", 10, 30), talk("6002", 30, 60)))

    first = rules.linked(sound(10, 31), moved, NamedBy.EVENT)
    second = rules.linked(sound(28, 60), moved, NamedBy.EVENT)

    assert ("6001", "6002") == (first.agent, second.agent)


@pytest.mark.parametrize(
    ("direction", "left"),
    [
        (Direction.INBOUND, "customer"),
        (Direction.OUTBOUND, "agent"),
        (Direction.INTERNAL, "agent"),
    ],
)
def test_who_is_on_the_left_is_who_began_the_call(direction: Direction, left: str) -> None:
    apart = rules.linked(sound(left="received"), call(direction=direction), NamedBy.EVENT)
    mixed = rules.linked(sound(), call(direction=direction), NamedBy.EVENT)

    assert (left, "") == (apart.left, mixed.left)


def test_what_is_damaged_stays_damaged_in_its_call() -> None:
    assert State.DAMAGED is rules.linked(sound(state=State.DAMAGED), call(), NamedBy.NAME).state


# -- what the name says


def test_the_channel_in_a_name_tells_the_call() -> None:
    other = call(call="call-2", legs=("1795322718.44",))

    found = rules.by_name(named("in-4000-1380-20261127-120000-1795322718.43.wav"), [other, call()])

    assert found is not None
    assert "call-1" == found.call
    assert rules.by_name(named("0f3c2d1e.wav"), [other, call()]) is None


def test_a_channel_that_two_calls_had_tells_neither() -> None:
    twins = [call(), call(call="call-2")]

    assert rules.by_name(named("1795322718.42.wav"), twins) is None


def test_a_message_is_his_whose_channel_spoke_then() -> None:
    calls = [call(), call(call="yesterday", began=at(-86_400), ended=at(-86_340))]

    found = rules.by_channel("PJSIP/trunk-00000001", at(20), calls)

    assert found is not None
    assert "call-1" == found.call
    assert rules.by_channel("", at(20), calls) is None
    assert rules.by_channel("PJSIP/trunk-00000001", at(99), calls) is None


# -- what the time says

AUTO = named("auto-1795322718-13800138000-6001.wav")
PLAIN = named("0f3c2d1e.wav")


def test_a_sound_within_the_one_call_of_these_numbers_is_its() -> None:
    other = call(call="call-2", names=frozenset({"+8613900139000", "4000", "6002"}))

    found = rules.by_overlap(sound(15, 40), AUTO, [other, call()])

    assert found is not None
    assert "call-1" == found.call


def test_without_numbers_the_ends_must_agree_with_one_talk_alone() -> None:
    longer = call(call="call-2", ended=at(90), talks=(talk("6002", 5, 90),))

    found = rules.by_overlap(sound(10, 60), PLAIN, [longer, call()])

    assert found is not None
    assert "call-1" == found.call
    assert rules.by_overlap(sound(20, 60), PLAIN, [longer, call()]) is None
    assert rules.by_overlap(sound(10, 60), PLAIN, [call(), call(call="twin")]) is None


@pytest.mark.parametrize(
    "one",
    [
        sound(-30, 20),
        sound(40, 90),
        replace(sound(), began=None),
        sound(10, 60, duration_ms=0),
    ],
)
def test_a_sound_that_no_call_holds_is_nobodys(one: Recording) -> None:
    assert rules.by_overlap(one, AUTO, [call()]) is None


def test_a_number_that_is_not_the_calls_excludes_it() -> None:
    assert rules.by_overlap(sound(), named("auto-1795322718-7999-6001.wav"), [call()]) is None


# -- takes


def test_a_file_that_went_on_is_the_same_and_one_begun_later_is_not() -> None:
    there = sound(10, 60)

    assert not rules.is_new_take(there, at(10))
    assert rules.is_new_take(there, at(61))
    assert not rules.is_new_take(there, None)


# -- missing


def test_an_answered_call_with_a_customer_should_have_a_recording() -> None:
    assert rules.should_have_one(call(), RecordingRules())


@pytest.mark.parametrize(
    ("odd", "house"),
    [
        (call(answered=False, talk_ms=None), RecordingRules()),
        (call(over=False), RecordingRules()),
        (call(is_test=True), RecordingRules()),
        (call(talk_ms=900), RecordingRules()),
        (call(direction=Direction.INTERNAL), RecordingRules()),
        (call(direction=Direction.OUTBOUND), RecordingRules(directions=("inbound",))),
        (call(), RecordingRules(required=False)),
    ],
)
def test_which_calls_need_none(odd: RecordedCall, house: RecordingRules) -> None:
    assert not rules.should_have_one(odd, house)


def test_a_missing_one_is_told_with_whose_it_would_be() -> None:
    found = rules.missing(call())

    assert (State.MISSING, "call-1", "none_named", None) == (
        found.state,
        found.call,
        found.fault,
        found.named_by,
    )
    assert ("p-6001", "c-wang", at(0)) == (found.person, found.customer, found.began)


# -- states


@given(st.lists(st.sampled_from(State), min_size=1, max_size=8))
def test_what_was_stored_is_never_awaited_again(wanted: list[State]) -> None:
    now, stored = State.EXPECTED, False
    for then in wanted:
        now = then if may_become(now, then) else now
        stored = stored or now in (State.STORED, State.LINKED, State.ORPHAN)
        assert not stored or now not in (State.EXPECTED, State.RECORDING, State.MISSING)


def test_every_state_has_its_line() -> None:
    assert set(LEGAL) == set(State)
