"""A figure of the wallboard is an alarm from a limit on, and does not blink at it."""

from datetime import UTC, datetime, timedelta

import pytest

from cti.calls.rings import RingRules
from cti.presence.alarms import Alarm, Alarms, Level, Limit, limits_of

NINE = datetime(2026, 3, 2, 1, tzinfo=UTC)
WAITING = Limit(key="waiting", warning=3, critical=6, calm=2)
RATE = Limit(key="service_level", warning=0.9, critical=0.8, calm=0.02, falling=True)


@pytest.mark.parametrize(
    ("figures", "levels"),
    [
        ([0, 2, 3, 5, 6, 9], "CALM CALM WARNING WARNING CRITICAL CRITICAL"),
        ([3, 2, 3, 2, 1], "WARNING WARNING WARNING WARNING CALM"),
        ([6, 5, 4, 2, 1], "CRITICAL CRITICAL WARNING WARNING CALM"),
        ([9, 0], "CRITICAL CALM"),
        ([9, None, 2], "CRITICAL CALM CALM"),
    ],
)
def test_an_alarm_rises_at_once_and_steps_down_late(
    figures: list[float | None], levels: str
) -> None:
    level, told = Level.CALM, []
    for figure in figures:
        level = WAITING.level(figure, level)
        told.append(level.name)

    assert levels.split() == told


@pytest.mark.parametrize(
    ("figures", "levels"),
    [
        ([0.95, 0.9, 0.91, 0.921], "CALM WARNING WARNING CALM"),
        ([0.8, 0.81, 0.83, 0.93], "CRITICAL CRITICAL WARNING CALM"),
    ],
)
def test_of_a_share_the_lower_is_the_worse(figures: list[float], levels: str) -> None:
    level, told = Level.CALM, []
    for figure in figures:
        level = RATE.level(figure, level)
        told.append(level.name)

    assert levels.split() == told


def test_an_alarm_tells_since_when_it_is_as_bad_as_it_is() -> None:
    alarms = Alarms([WAITING, RATE])
    later = NINE + timedelta(seconds=5)

    assert alarms.look({"waiting": 3, "service_level": None}, NINE)
    assert not alarms.look({"waiting": 4}, later)
    assert alarms.now == {"waiting": Alarm(key="waiting", level=Level.WARNING, since=NINE)}
    assert alarms.look({"waiting": 6}, later)
    assert alarms.now == {"waiting": Alarm(key="waiting", level=Level.CRITICAL, since=later)}
    assert alarms.look({"waiting": 0}, later)
    assert alarms.now == {}


def test_a_wait_is_judged_by_the_houses_rings() -> None:
    longest = limits_of(RingRules(cycle=timedelta(seconds=5), standard=3, apologise_from=5))[0]

    assert (15, 20) == (longest.warning, longest.critical)
