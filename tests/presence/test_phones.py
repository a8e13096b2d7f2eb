"""How somebody stands by what the PBXs say, and the diary of it."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cti.people.rules import Device, Person
from cti.presence.phones import AUTOPAUSE, NO_QUEUE, Change, Diary, Entry, Standing, Standings
from cti.presence.states import AgentState, Interval, Source

NINE = datetime(2026, 3, 2, 1, tzinfo=UTC)
DESK, MOBILE, AFAR = (
    Device("main", "PJSIP/6001"),
    Device("main", "PJSIP/6091"),
    Device("b", "SIP/1"),
)
MAY = Person(id="p-may", number="6001", name="May", devices=(DESK,))
TWO = Person(id="p-two", number="6002", name="Two", devices=(DESK, MOBILE))
PLACE = "sip:6001@10.0.0.1"


def main(state: str = "NOT_INUSE", *, member: bool = True) -> Standings:
    """One PBX, heard, with May's phone and her place in a queue."""
    standings = Standings()
    members = [("support", DESK.name, False, "")] if member else []
    standings.synced("main", [(DESK.name, state)], members)
    return standings


def state_of(standings: Standings, person: Person = MAY) -> str:
    found = standings.of(person)
    return str(found.state) if found else "nothing"


def registers(standings: Standings, *statuses: str, device: Device = DESK) -> None:
    for status in statuses:
        standings.contact("main", device.name, PLACE, status)


@pytest.mark.parametrize(
    ("said", "state"),
    [
        ("NOT_INUSE", "available"),
        ("INUSE", "busy_elsewhere"),
        ("BUSY", "busy_elsewhere"),
        ("ONHOLD", "busy_elsewhere"),
        ("RINGING", "ringing"),
        ("RINGINUSE", "ringing"),
        ("UNAVAILABLE", "unreachable"),
        ("INVALID", "unreachable"),
        ("UNKNOWN", "unknown"),
        ("something new", "unknown"),
    ],
)
def test_a_phones_states_are_told_in_our_words(said: str, state: str) -> None:
    assert state == state_of(main(said))


def test_a_phone_that_the_pbx_does_not_list_is_unknown() -> None:
    standings = Standings()
    standings.synced("main", [], [])

    assert Standing(state=AgentState.UNKNOWN, source=Source.DEVICE) == standings.of(MAY)


def test_a_pbx_that_is_not_heard_tells_nothing() -> None:
    standings = main()

    standings.lost("main")
    standings.device("main", DESK.name, "NOT_INUSE")

    assert Standing(state=AgentState.UNKNOWN, source=Source.LINK, cause="main") == standings.of(MAY)


def test_of_two_pbxs_both_must_be_heard() -> None:
    both = Person(id="p", number="1", name="Both", devices=(DESK, AFAR))

    assert Standing(state=AgentState.UNKNOWN, source=Source.LINK, cause="b") == main().of(both)


def test_who_has_left_or_has_no_phone_stands_nowhere() -> None:
    gone = Person(id="p", number="1", name="Gone", devices=(DESK,), active=False)

    assert (None, None) == (
        main().of(gone),
        main().of(Person(id="p", number="1", name="Without")),
    )


def test_free_in_no_queue_says_so() -> None:
    standings = main(member=False)

    assert standings.of(MAY) == Standing(
        state=AgentState.AVAILABLE, source=Source.DEVICE, cause=NO_QUEUE
    )
    standings.member("main", "support", DESK.name, paused=False, reason="")
    assert standings.of(MAY) == Standing(state=AgentState.AVAILABLE, source=Source.DEVICE)
    standings.no_member("main", "support", DESK.name)
    assert standings.of(MAY) == Standing(
        state=AgentState.AVAILABLE, source=Source.DEVICE, cause=NO_QUEUE
    )


def test_a_pause_by_hand_names_queue_and_reason() -> None:
    standings = main()

    standings.member("main", "support", DESK.name, paused=True, reason="lunch")
    standings.member("main", "evening", DESK.name, paused=True, reason="")

    assert standings.of(MAY) == Standing(
        state=AgentState.PAUSE_UNAPPROVED, source=Source.QUEUE, cause="evening; support: lunch"
    )


def test_a_pause_by_the_queue_is_not_the_agents_act() -> None:
    standings = main()

    standings.member("main", "support", DESK.name, paused=True, reason=AUTOPAUSE)

    assert standings.of(MAY) == Standing(
        state=AgentState.PBX_AUTOPAUSE, source=Source.QUEUE, cause=AUTOPAUSE
    )
    standings.member("main", "evening", DESK.name, paused=True, reason="lunch")
    assert "pause_unapproved" == state_of(standings)


def test_a_phone_that_signs_off_is_logged_out() -> None:
    standings = main()
    registers(standings, "NonQualified", "Reachable", "Removed")

    standings.device("main", DESK.name, "UNAVAILABLE")

    assert "logged_out" == state_of(standings)


@pytest.mark.parametrize(
    "statuses",
    [
        ("Reachable", "Unreachable"),
        ("Reachable", "Unreachable", "Removed"),
        ("NonQualified", "Removed"),
        ("Removed",),
        (),
    ],
)
def test_a_phone_that_went_away_otherwise_is_unreachable(statuses: tuple[str, ...]) -> None:
    standings = main()
    registers(standings, *statuses)

    standings.device("main", DESK.name, "UNAVAILABLE")

    assert "unreachable" == state_of(standings)


def test_the_order_in_which_the_pbx_tells_it_does_not_matter() -> None:
    standings = main()
    registers(standings, "Reachable")
    standings.device("main", DESK.name, "UNAVAILABLE")
    registers(standings, "Removed")

    assert "logged_out" == state_of(standings)


def test_who_comes_back_is_not_logged_out_when_the_phone_is_unplugged_next() -> None:
    standings = main()
    registers(standings, "Reachable", "Removed")
    standings.device("main", DESK.name, "UNAVAILABLE")

    registers(standings, "NonQualified", "Reachable")
    standings.device("main", DESK.name, "NOT_INUSE")
    assert "available" == state_of(standings)
    standings.device("main", DESK.name, "UNAVAILABLE")

    assert "unreachable" == state_of(standings)


def test_a_phone_at_two_places_that_leaves_one_is_still_there() -> None:
    standings = main()
    registers(standings, "Reachable")
    standings.contact("main", DESK.name, "sip:6001@10.0.0.2", "Reachable")

    registers(standings, "Removed")
    standings.device("main", DESK.name, "UNAVAILABLE")

    assert "unreachable" == state_of(standings)


@pytest.mark.parametrize(
    ("desk", "mobile", "both"),
    [
        ("INUSE", "RINGING", "busy_elsewhere"),
        ("NOT_INUSE", "RINGING", "ringing"),
        ("NOT_INUSE", "UNAVAILABLE", "available"),
        ("UNAVAILABLE", "UNAVAILABLE", "unreachable"),
        ("UNKNOWN", "NOT_INUSE", "available"),
    ],
)
def test_the_busiest_of_an_agents_phones_speaks_for_all(desk: str, mobile: str, both: str) -> None:
    standings = main(desk)
    standings.device("main", MOBILE.name, mobile)

    assert both == state_of(standings, TWO)


def test_of_phones_that_are_all_away_the_last_one_tells_why() -> None:
    standings = main()
    standings.device("main", MOBILE.name, "UNAVAILABLE")  # never plugged in

    registers(standings, "Reachable", "Removed")
    standings.device("main", DESK.name, "UNAVAILABLE")

    assert "logged_out" == state_of(standings, TWO)


FREE = Standing(state=AgentState.AVAILABLE, source=Source.DEVICE)
RINGS = Standing(state=AgentState.RINGING, source=Source.DEVICE)


def names() -> Callable[[], str]:
    numbers = count(1)
    return lambda: f"i{next(numbers)}"


def second(n: float) -> datetime:
    return NINE + timedelta(seconds=n)


def entry(id: str, standing: Standing, began: float) -> Entry:
    interval = Interval(
        person=MAY.id,
        state=standing.state,
        began_at=second(began),
        ended_at=None,
        source=standing.source,
        cause=standing.cause,
    )
    return Entry(id=id, interval=interval)


def test_the_same_standing_changes_nothing() -> None:
    diary = Diary(names())

    assert diary.note(MAY.id, FREE, second(0)) == Change(
        person=MAY.id, at=second(0), entry=entry("i1", FREE, 0)
    )
    assert diary.note(MAY.id, FREE, second(5)) is None
    assert diary.note(MAY.id, RINGS, second(6)) == Change(
        person=MAY.id, at=second(6), entry=entry("i2", RINGS, 6)
    )


def test_who_leaves_the_house_has_no_state_any_more() -> None:
    diary = Diary(names())
    diary.note(MAY.id, FREE, second(0))

    assert diary.note(MAY.id, None, second(9)) == Change(person=MAY.id, at=second(9), entry=None)
    assert diary.note(MAY.id, None, second(10)) is None
    assert diary.open == {}


def test_it_goes_on_with_what_was_open() -> None:
    diary = Diary(names())
    diary.resume([entry("old", FREE, 55)])

    change = diary.note(MAY.id, RINGS, second(50))

    assert change == Change(
        person=MAY.id,
        at=second(55) + timedelta(microseconds=1),
        entry=entry("i1", RINGS, 55.000001),
    )


def test_what_could_not_be_kept_is_unknown() -> None:
    diary = Diary(names())
    diary.note(MAY.id, FREE, second(0))
    diary.note(MAY.id, RINGS, second(5))

    hole, again = diary.unkept(MAY.id, second(5), second(60))

    assert hole.entry is not None
    assert again.entry is not None
    assert (second(5), AgentState.UNKNOWN) == (hole.at, hole.entry.interval.state)
    assert (second(60), AgentState.RINGING) == (again.at, again.entry.interval.state)


def test_who_left_meanwhile_just_ends() -> None:
    assert Diary(names()).unkept(MAY.id, second(5), second(60)) == [
        Change(person=MAY.id, at=second(5), entry=None)
    ]


facts = st.lists(
    st.tuples(
        st.floats(-5, 30),
        st.sampled_from(
            [FREE, RINGS, None, Standing(state=AgentState.UNKNOWN, source=Source.LINK)]
        ),
    ),
    max_size=12,
)


@settings(deadline=None)
@given(facts)
def test_whatever_the_clocks_say_intervals_follow_each_other(
    told: list[tuple[float, Standing | None]],
) -> None:
    diary, last = Diary(names()), None
    for at, standing in told:
        change = diary.note(MAY.id, standing, second(at))
        if change and last:
            assert change.at > last
        last = change.at if change and change.entry else None if change else last
