"""Who rings today? A day at a restaurant's booking desk, the same again for the same seed."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Final, Literal

from cti.pbx.simulator.simulator import Simulator
from cti.pbx.simulator.time import Timer
from cti.pbx.simulator.words import Habit

Course = Literal["answered", "abandoned", "unanswered", "busy"]

SHARES: Final[Mapping[Course, float]] = {
    "answered": 0.74,
    "abandoned": 0.13,
    "unanswered": 0.07,
    "busy": 0.06,
}
WITHHELD: Final = 0.04
"""Share of callers who withhold their number."""
AGAIN: Final = 0.5
"""Share of those who got nobody and ring again soon."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Guest:
    """Somebody who may ring; a name is sent only by some carriers."""

    number: str
    name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ringing:
    """One call of the day. Seconds; `wait` counts from the call before."""

    wait: float
    guest: Guest | None
    to: str
    course: Course
    patience: float
    talk: float
    habits: Mapping[str, Habit]


class Day:
    """Guests who ring now and then: most are served, some give up, some get nobody."""

    def __init__(
        self,
        guests: Sequence[Guest],
        *,
        lines: Sequence[str],
        phones: Sequence[str],
        seed: int = 1,
        every: float = 45.0,
        shares: Mapping[Course, float] = SHARES,
    ) -> None:
        if not guests or not lines or not phones:
            raise ValueError("a day needs guests, lines and phones")
        self._guests, self._lines, self._phones = list(guests), list(lines), list(phones)
        self._seed, self._every, self._shares = seed, every, dict(shares)

    def calls(self) -> Iterator[Ringing]:
        """Go through the calls of the day, without end; each time the same."""
        chance = Random(self._seed)  # noqa: S311  play, not secrets
        again: Guest | None = None
        while True:
            ringing = self._ringing(chance, again)
            lost = ringing.course in ("abandoned", "busy") and ringing.guest is not again
            again = ringing.guest if lost and chance.random() < AGAIN else None
            yield ringing

    def begin(self, sim: Simulator) -> "LivedDay":
        """Let the guests ring from now on, in the simulator's time."""
        return LivedDay(sim, self.calls())

    async def live(self, sim: Simulator) -> None:
        """Let the guests ring, until cancelled."""
        lived = self.begin(sim)
        try:
            await asyncio.Event().wait()
        finally:
            lived.end()

    def _ringing(self, chance: Random, again: Guest | None) -> Ringing:
        course = chance.choices(list(self._shares), list(self._shares.values()))[0]
        guest: Guest | None = chance.choice(self._guests)
        if chance.random() < WITHHELD:
            guest = None
        wait = min(chance.expovariate(1 / self._every), 3 * self._every)
        patience = {"abandoned": chance.uniform(3, 22), "busy": chance.uniform(4, 9)}
        return Ringing(
            wait=round(chance.uniform(8, 20) if again else max(wait, 2.0), 1),
            guest=again or guest,
            to=chance.choice(self._lines),
            course=course,
            patience=round(patience.get(course, 75.0), 1),
            talk=round(chance.triangular(12, 110, 35), 1),
            habits=self._habits(chance, course),
        )

    def _habits(self, chance: Random, course: Course) -> Mapping[str, Habit]:
        devices = [f"PJSIP/{number}" for number in self._phones]
        if course == "busy":
            return dict.fromkeys(devices, Habit(does="ends"))
        if course != "answered":
            return dict.fromkeys(devices, Habit())
        quick = chance.triangular(3, 17, 6)
        order = chance.sample(devices, len(devices))
        return {
            device: Habit(does="answers", after=round(quick + 4 * place, 1))
            for place, device in enumerate(order)
        }


class LivedDay:
    """A day that goes on: one call after the other, however time goes."""

    def __init__(self, sim: Simulator, calls: Iterator[Ringing]) -> None:
        self._sim, self._calls = sim, calls
        sim.time.catch_up()
        self._waiting = self._wait()

    def end(self) -> None:
        """Let nobody ring any more; calls that were begun go on."""
        self._waiting.off()

    def _wait(self) -> Timer:
        ringing = next(self._calls)
        return self._sim.time.after(ringing.wait, lambda: self._ring(ringing))

    def _ring(self, ringing: Ringing) -> None:
        guest = ringing.guest
        self._sim.begin_call(
            guest.number if guest else None,
            guest.name if guest else "",
            ringing.to,
            patience=ringing.patience,
            talk=ringing.talk,
            habits=ringing.habits,
        )
        self._waiting = self._wait()
