"""Which of the files that were loaded is in force at an instant?"""

from datetime import UTC, date, datetime, timedelta

from cti.policy.rules import Load, in_force, waiting

NOON = datetime(2025, 3, 7, 4, tzinfo=UTC)
DAY = timedelta(days=1)


def load(n: int, *, after: timedelta, begins: timedelta | None = None) -> Load:
    """Make a loading some time after noon, whose day begins some time after noon."""
    begins_at = None if begins is None else NOON + begins
    return Load(
        n=n,
        at=NOON + after,
        who="p-kim",
        version=str(n) * 64,
        effective_from=date(2025, 1, 1),
        begins_at=begins_at,
    )


FIRST = load(1, after=timedelta())
LATER = load(2, after=DAY, begins=5 * DAY)


def test_without_a_file_nothing_is_in_force() -> None:
    assert (None, None) == (in_force([], NOON), waiting([], NOON))


def test_the_file_loaded_last_counts() -> None:
    second = load(2, after=DAY)

    assert in_force([FIRST, second], NOON + DAY) == second
    assert waiting([FIRST, second], NOON + DAY) is None


def test_a_file_of_a_later_day_waits_and_takes_over_at_its_day() -> None:
    loads = [FIRST, LATER]

    before, then = NOON + 5 * DAY - timedelta(seconds=1), NOON + 5 * DAY
    assert (FIRST, LATER) == (in_force(loads, before), waiting(loads, before))
    assert (LATER, None) == (in_force(loads, then), waiting(loads, then))


def test_a_file_that_waits_is_withdrawn_by_loading_another() -> None:
    again = load(3, after=2 * DAY)

    assert in_force([FIRST, LATER, again], NOON + 9 * DAY) == again


def test_a_file_that_waits_in_place_of_another_lets_the_first_stay() -> None:
    still_later = load(3, after=2 * DAY, begins=8 * DAY)
    loads = [FIRST, LATER, still_later]

    assert in_force(loads, NOON + 6 * DAY) == FIRST
    assert in_force(loads, NOON + 8 * DAY) == still_later


def test_a_file_that_has_taken_over_stays_while_a_third_waits() -> None:
    third = load(3, after=6 * DAY, begins=9 * DAY)

    assert in_force([FIRST, LATER, third], NOON + 7 * DAY) == LATER


def test_the_very_first_file_counts_at_once() -> None:
    first = load(1, after=timedelta(), begins=DAY)

    assert (first, None) == (in_force([first], NOON), waiting([first], NOON))
