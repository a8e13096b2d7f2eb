"""A live call written down and read back is the same call, wherever the stream was cut."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import fields, replace
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cti.calls.book import Book
from cti.calls.effects import Show
from cti.calls.evidence import dump, load
from cti.calls.facts import Call, Leg, Moment, moment
from cti.calls.record import CallId, CallRecord
from cti.pbx.events import Event, LegId, LinkLost, Passed, Resynced, Sight
from tests.kit.any_event import INSTANTS, any_event
from tests.kit.story import BO, MAY, NINE, WANG, Story, at, plain
from tests.kit.tapes import TAPES, TRACES, closed, events_of, new_book

EVERY_TAPE = [*TAPES, *sorted((TRACES / "lab").glob("*.ami"))]
NAMES = [str(path.relative_to(TRACES)) for path in EVERY_TAPE]


@cache
def tape(name: str, stamped: bool) -> tuple[Event, ...]:
    """The events of a tape, with or without the PBX's stamps."""
    events = events_of((TRACES / name).read_bytes())
    return tuple(events if stamped else (replace(event, at=None) for event in events))


def told(book: Book, events: Iterable[Event]) -> list[CallRecord]:
    """The records of calls that were over at the end of these events."""
    return [record for event in events for record in closed(book.hear(event))]


def handed_over(book: Book) -> Book:
    """Another process's book, which was given what this one wrote down."""
    other = new_book()
    other._new_id = book._new_id
    other.boot = book.boot
    texts = [book.evidence(call) for call in book.live()]
    other.resume(text for text in texts if text)
    for call in other._calls.values():  # what was not seen in between: here it was all seen
        call.blind = call.blind_open = False
    return other


def heard_with_cuts(events: Sequence[Event], cuts: Sequence[int]) -> list[CallRecord]:
    """What is told of a stream whose reader is replaced at each cut."""
    book, records, start = new_book(), list[CallRecord](), 0
    for cut in [*sorted(cuts), len(events)]:
        records += told(book, events[start:cut])
        book, start = handed_over(book), cut
    records += closed(book.settle())
    return sorted(map(plain, records), key=lambda r: (str(r.began or r.seen_at), r.channel))


@pytest.mark.parametrize("stamped", [True, False], ids=["stamped", "without stamps"])
@pytest.mark.parametrize("name", NAMES)
def test_in_the_middle_of_a_tape_another_process_goes_on(name: str, stamped: bool) -> None:
    events = tape(name, stamped)
    truth = heard_with_cuts(events, [])

    for cut in range(0, len(events), max(len(events) // 8, 1)):
        assert heard_with_cuts(events, [cut]) == truth, cut


@settings(max_examples=40, deadline=None)
@given(st.data(), st.sampled_from(NAMES), st.booleans())
def test_any_number_of_processes_may_take_turns(
    data: st.DataObject, name: str, stamped: bool
) -> None:
    events = tape(name, stamped)
    cuts = data.draw(st.lists(st.integers(0, len(events)), max_size=4))

    assert heard_with_cuts(events, cuts) == heard_with_cuts(events, [])


LEGS = [
    ("1", "PJSIP/trunk-1"), ("2", "PJSIP/6001-2"), ("3", "PJSIP/6002-3"),
    ("4", "Local/x@y-4;1"), ("5", "Local/x@y-4;2"),
]  # fmt: skip
SIGHTS = st.builds(
    lambda leg, linked, number, state: Sight(
        LegId(leg[0]), linked, leg[1], number, None, "4000", state
    ),
    st.sampled_from(LEGS),
    st.sampled_from(["", *[name for name, _ in LEGS]]),
    st.sampled_from([None, "13800138000"]),
    st.sampled_from([None, 0, 4, 5, 6]),
)
UNENDING = any_event(SIGHTS, INSTANTS | st.none()).filter(
    lambda event: (
        not isinstance(event, Passed | LinkLost)
        and not (isinstance(event, Resynced) and event.boot == "two")
    )
)
"""Whatever may be heard while no call is closed: nobody remembers the names of those."""


@settings(max_examples=100, deadline=None)
@given(st.lists(UNENDING, max_size=24), st.integers(0, 24))
def test_whatever_was_heard_can_be_handed_over(events: list[Event], cut: int) -> None:
    assert heard_with_cuts(events, [min(cut, len(events))]) == heard_with_cuts(events, [])


def text_of(story: Story) -> str:
    """The evidence of the one live call of a story."""
    text = story.book.evidence(story.now().id)
    assert text is not None
    return text


def test_what_is_written_is_plain_ascii_however_hostile_the_caller() -> None:
    story = Story().calls(0, number="1\x00\x1b[31m", name="王\u202e小\ud800明")

    text = text_of(story)

    assert text.isascii()
    assert text.isprintable()
    call, _ = load(text, 1)
    [leg] = call.legs.values()
    assert (leg.number, leg.name) == ("1\x00\x1b[31m", "王\u202e小\ud800明")


def test_every_fact_of_a_leg_comes_back() -> None:
    when = Moment(NINE, 3)
    leg = Leg(id="1", channel="PJSIP/6001-1", linked="2", first=when)
    story = Story().calls(0).asks(1, WANG, MAY).moved(1, MAY).rang(2, MAY).picked_up(3, MAY)
    story.joins(3).talk(3, WANG, MAY).recorded(3, MAY, "/a.wav").hangs_up(4, MAY)
    story.calls(4, BO, to="*8", number=None).picks_up(4, BO, MAY).named(4, BO, number="7")
    story.link_lost(5).resynced(6, story.alive(BO)).gone(7, BO)
    [call] = story.book._calls.values()

    back, boot = load(dump(call, "one"), 1)

    assert boot == "one"
    assert {field.name for field in fields(Leg)} == {field.name for field in fields(leg)}
    for name, was in call.legs.items():
        for field in fields(Leg):
            assert _timeless(getattr(back.legs[name], field.name)) == _timeless(
                getattr(was, field.name)
            ), field.name
    assert (back.names, back.blind, back.blind_open) == (call.names, True, call.blind_open)


def _timeless(fact: object) -> object:
    """A fact without the order in which it came."""
    if isinstance(fact, Moment):
        return fact.order
    if isinstance(fact, tuple | list):
        return [_timeless(part) for part in fact]
    return fact


def test_the_order_of_what_came_at_the_same_instant_is_kept() -> None:
    show = Show(call=CallId("a"))
    call = Call(id=CallId("a"), number=1, show=show)
    leg = Leg(id="1", channel="x", linked="1", first=moment(None, 3), up=moment(None, 7))
    leg.rang, leg.gone = moment(None, 5), moment(None, 9)
    call.legs["1"], call.names = leg, ["1"]

    for _ in range(3):
        call, _ = load(dump(call, ""), 1)

    again = call.legs["1"]
    assert again.first < again.rang < again.up < again.gone < moment(None, 1)  # type: ignore[operator]


def test_a_call_without_living_legs_knows_since_when() -> None:
    story = Story().calls(0).gone(4, WANG)

    call, _ = load(text_of(story), 1)

    assert call.open_legs == 0
    assert call.quiet is not None
    assert call.quiet.order == at(4)


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"id":"a","boot":"b","names":[]}'])
def test_what_is_none_of_our_texts_is_refused(text: str) -> None:
    with pytest.raises((ValueError, KeyError, TypeError)):
        load(text, 1)


def test_what_an_older_program_wrote_can_be_read() -> None:
    text = json.dumps(
        {"id": "a", "boot": "", "names": ["1"], "legs": [{"id": "1", "first": [5, 1]}]}
    )

    call, _ = load(text, 1)

    assert list(call.legs) == ["1"]


def test_what_a_program_with_other_facts_wrote_can_be_read() -> None:
    fields = ["first", "colour", "id"]
    text = json.dumps(
        {"id": "a", "boot": "", "names": ["1"], "fields": fields, "legs": [[[5, 1], "red", "1"]]}
    )

    call, _ = load(text, 1)

    assert list(call.legs) == ["1"]
