"""When is a figure of the wallboard an alarm, and when no more? Limits with hysteresis. Pure.

An alarm that rose at a limit steps down only when its figure has come back by `calm`: a figure
that trembles at a limit does not blink.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from enum import IntEnum
from typing import Final

from cti.calls.rings import RingRules
from cti.value import value

LEAST_ANSWERED: Final = 5
"""So many calls must have been answered before their share says anything."""


class Level(IntEnum):
    """How bad a figure is."""

    CALM = 0
    WARNING = 1
    CRITICAL = 2


@value
class Limit:
    """From where on a figure is a warning, or critical; `falling`: the lower, the worse."""

    key: str
    warning: float
    critical: float
    calm: float
    falling: bool = False

    def level(self, figure: float | None, before: Level = Level.CALM) -> Level:
        """Judge a figure after it was `before`; None is no figure, and calm."""
        if figure is None:
            return Level.CALM
        sign = -1 if self.falling else 1
        limits = (sign * self.warning, sign * self.critical)
        reached = sum(sign * figure >= limit for limit in limits)
        held = sum(sign * figure > limit - self.calm for limit in limits)
        return Level(max(reached, min(before, held)))


@value
class Alarm:
    """A figure that is not calm, and since when it is as bad as it is."""

    key: str
    level: Level
    since: datetime


class Alarms:
    """What is not calm now."""

    def __init__(self, limits: Iterable[Limit]) -> None:
        self._limits = tuple(limits)
        self.now: dict[str, Alarm] = {}

    def look(self, figures: Mapping[str, float | None], at: datetime) -> bool:
        """Judge all figures anew; tell whether that changed anything."""
        before = dict(self.now)
        for limit in self._limits:
            known = self.now.get(limit.key)
            level = limit.level(figures.get(limit.key), known.level if known else Level.CALM)
            if level is Level.CALM:
                self.now.pop(limit.key, None)
            elif known is None or known.level is not level:
                self.now[limit.key] = Alarm(key=limit.key, level=level, since=at)
        return self.now != before


def limits_of(ring: RingRules) -> tuple[Limit, ...]:
    """Give a house's limits.

    Who waits longer than the ring standard allows is a warning, longer than where one
    apologises critical (requirements RING-01, RING-03). Little room for recordings is a warning;
    none, or nothing that can be collected, is critical (REC-02). The others are the product's own.
    """
    second = timedelta(seconds=1)
    return (
        Limit(
            key="longest_wait",
            warning=ring.standard * ring.cycle / second,
            critical=(ring.apologise_from - 1) * ring.cycle / second,
            calm=ring.cycle / second,
        ),
        Limit(key="waiting", warning=3, critical=6, calm=2),
        Limit(key="recordings", warning=1, critical=2, calm=0.5),
        Limit(key="service_level", warning=0.9, critical=0.8, calm=0.02, falling=True),
    )
