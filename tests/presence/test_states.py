"""What each person was doing: calls and clicks laid over what phones and queues say."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cti.presence.states import AgentState, Interval, Source, at, covered, joined

NINE = datetime(2026, 3, 2, 1, tzinfo=UTC)
LIMIT = timedelta(seconds=30)
MAY = "p-may"


def second(n: float) -> datetime:
    return NINE + timedelta(seconds=n)


def phone(state: str, began: float, ended: float | None = None, who: str = MAY) -> Interval:
    return made(state, began, ended, Source.DEVICE, who=who)


def talk(began: float, ended: float | None, call: str = "k1", who: str = MAY) -> Interval:
    return made("on_call", began, ended, Source.CALLS, call, who)


def click(state: str, began: float, ended: float | None) -> Interval:
    return made(state, began, ended, Source.PERSON)


def made(
    state: str,
    began: float,
    ended: float | None,
    source: Source,
    cause: str = "",
    who: str = MAY,
) -> Interval:
    return Interval(
        person=who,
        state=AgentState(state),
        began_at=second(began),
        ended_at=None if ended is None else second(ended),
        source=source,
        cause=cause,
    )


def told(*intervals: Interval) -> list[tuple[str, float, float | None]]:
    """Say intervals in seconds."""
    return [
        (
            str(one.state),
            (one.began_at - NINE).total_seconds(),
            None if one.ended_at is None else (one.ended_at - NINE).total_seconds(),
        )
        for one in intervals
    ]


def of(
    phones: list[Interval],
    talks: list[Interval] | None = None,
    away: list[Interval] | None = None,
    limit: timedelta = LIMIT,
) -> list[tuple[str, float, float | None]]:
    return told(*joined(phones, talks or [], away or [], limit))


def test_a_talk_is_on_call_and_what_follows_is_wrap_up_for_so_long() -> None:
    phones = [phone("ringing", 0, 4), phone("busy_elsewhere", 4, 60), phone("available", 60)]

    assert [
        ("ringing", 0, 4),
        ("on_call", 4, 60),
        ("wrap_up", 60, 90),
        ("available", 90, None),
    ] == of(phones, [talk(4, 60)])


def test_a_busy_phone_without_a_customer_stays_busy_elsewhere() -> None:
    assert [("busy_elsewhere", 0, 60)] == of([phone("busy_elsewhere", 0, 60)])


def test_a_phone_that_rings_in_wrap_up_or_on_a_break_is_still_that() -> None:
    phones = [phone("busy_elsewhere", 0, 10), phone("ringing", 10, 60), phone("available", 60)]

    assert [("on_call", 0, 10), ("wrap_up", 10, 40), ("ringing", 40, 60)] == of(
        phones, [talk(0, 10)]
    )[:3]
    assert [("busy_elsewhere", 0, 5), ("break_approved", 5, 70), ("available", 70, None)] == of(
        phones, away=[click("break_approved", 5, 70)]
    )


def test_no_limit_means_no_wrap_up() -> None:
    phones = [phone("available", 0)]

    assert [("on_call", 0, 10), ("available", 10, None)] == of(
        phones, [talk(0, 10)], limit=timedelta()
    )


def test_called_away_counts_before_a_break_and_a_talk_before_both() -> None:
    away = [click("break_approved", 0, 100), click("called_away", 20, 50)]

    assert [
        ("break_approved", 0, 20),
        ("called_away", 20, 30),
        ("on_call", 30, 40),
        ("called_away", 40, 50),
        ("break_approved", 50, 100),
        ("available", 100, None),
    ] == of([phone("available", 0)], [talk(30, 40)], away)


def test_wrap_up_is_cut_short_by_the_next_talk_and_begins_anew() -> None:
    assert [
        ("on_call", 0, 10),
        ("wrap_up", 10, 20),
        ("on_call", 20, 30),
        ("wrap_up", 30, 60),
        ("available", 60, None),
    ] == of([phone("available", 0)], [talk(0, 10, "k1"), talk(20, 30, "k2")])


def test_asking_a_colleague_in_between_is_one_talk() -> None:
    phones = [phone("busy_elsewhere", 0, 100), phone("available", 100)]

    assert [("on_call", 0, 100), ("wrap_up", 100, 130), ("available", 130, None)] == of(
        phones, [talk(0, 20), talk(60, 100)]
    )


def test_a_call_that_went_and_came_back_is_two_talks() -> None:
    phones = [phone("busy_elsewhere", 0, 20), phone("available", 20)]

    assert ("available", 50, 200) in of(phones, [talk(0, 20), talk(200, 260)])


def test_two_talks_at_once_are_one_time() -> None:
    assert [("on_call", 0, 30), ("on_call", 30, 50), ("wrap_up", 50, 80)] == of(
        [], [talk(0, 30, "k1"), talk(10, 50, "k2")]
    )


def test_a_talk_that_lasts_hides_all_that_follows() -> None:
    assert [("available", 0, 5), ("on_call", 5, None)] == of(
        [phone("available", 0)], [talk(5, None)]
    )


def test_people_are_kept_apart() -> None:
    phones = [phone("available", 0, who="p-a"), phone("available", 0, who="p-b")]

    laid = joined(phones, [talk(5, 10, who="p-b")], [], LIMIT)

    assert [("available", 0, None)] == told(*(one for one in laid if one.person == "p-a"))
    assert 4 == len([one for one in laid if one.person == "p-b"])


def test_exempt_states_may_join_up_to_cover_the_ringing() -> None:
    laid = joined([phone("available", 0)], [talk(0, 10)], [click("break_approved", 40, 90)], LIMIT)
    exempt = {AgentState.ON_CALL, AgentState.WRAP_UP, AgentState.BREAK_APPROVED}

    assert covered(laid, exempt, second(5), second(90))
    assert not covered(laid, exempt, second(5), second(91))


def test_a_visit_that_the_system_dials_counts_until_its_talk_and_before_a_break() -> None:
    visit = replace(talk(0, 30), state=AgentState.SYSTEM_DIALLED_VISIT)

    laid = joined(
        [phone("available", 0)], [talk(10, 30)], [click("break_approved", 5, 40)], LIMIT, [visit]
    )

    assert [
        ("system_dialled_visit", 0, 10),
        ("on_call", 10, 30),
        ("break_approved", 30, 40),
    ] == told(*laid)[:3]


spans = st.tuples(st.integers(0, 40), st.integers(1, 20) | st.none())


@settings(deadline=None)
@given(
    st.lists(st.integers(1, 15), min_size=1, max_size=6),
    st.lists(spans, max_size=4),
    st.lists(spans, max_size=3),
)
def test_whatever_is_laid_over_what_there_is_no_hole_and_no_overlap(
    lasted: list[int], talked: list[tuple[int, int | None]], paused: list[tuple[int, int | None]]
) -> None:
    phones, start = list[Interval](), 0
    states = ("available", "ringing", "busy_elsewhere", "unknown")
    for n, span in enumerate(lasted):
        last = n == len(lasted) - 1
        phones.append(phone(states[n % 4], start, None if last else start + span))
        start += span
    talks = [talk(b, None if e is None else b + e, f"k{n}") for n, (b, e) in enumerate(talked)]
    away = [click("break_approved", b, None if e is None else b + e) for b, e in paused]

    laid = joined(phones, talks, away, LIMIT)

    assert laid[0].began_at == second(0)
    assert laid[-1].ended_at is None
    assert [one.ended_at for one in laid[:-1]] == [one.began_at for one in laid[1:]]
    for one in talks:
        assert [AgentState.ON_CALL] == [found.state for found in at(laid, one.began_at)]


@pytest.mark.parametrize(
    ("began", "ended", "holds"), [(0, 10, True), (0, 11, False), (10, 10, False)]
)
def test_a_time_is_covered_up_to_its_end(began: float, ended: float, *, holds: bool) -> None:
    assert holds == covered(
        [phone("available", 0, 10)], {AgentState.AVAILABLE}, second(began), second(ended)
    )
