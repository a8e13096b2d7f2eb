"""Draws samples when a week is over, and keeps what people say to them.

Nobody chooses: the seed comes from the system's chance, and is kept with all that might have been
drawn (QM-05). A week is drawn once; doing it again does nothing.
"""

import asyncio
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Final, Protocol

import structlog

from cti.clock import Clock
from cti.errors import CtiError
from cti.house import House
from cti.people.rules import Person
from cti.quality import rules
from cti.quality.record import Candidate, Draw, Sample, State
from cti.quality.store import QualityStore

log = structlog.get_logger(__name__)

LOOK_EVERY: Final = 1800.0
"""Seconds between two looks whether a week is to be drawn."""


class Pool(Protocol):
    """What may be drawn: recordings of agents that can be heard."""

    async def __call__(
        self, began: datetime, ended: datetime, least: timedelta
    ) -> Sequence[tuple[str, str | None, str]]:
        """Give (recording, call, agent) of those that began in a time and are so long."""
        ...


class QualityDesk:
    """Everything that is done about quality. `run` draws for ever."""

    def __init__(
        self,
        store: QualityStore,
        pool: Pool,
        *,
        house: Callable[[], House],
        clock: Clock,
        seed: Callable[[], str] = lambda: secrets.token_hex(16),
    ) -> None:
        self.store, self._pool, self._house = store, pool, house
        self._clock, self._seed = clock, seed

    async def run(self) -> None:
        """Draw when a week is over; a fault is told and tried again. Ends by being cancelled."""
        while True:
            try:
                await self.draw()
            except CtiError as fault:
                log.warning("quality_not_drawn", code=fault.code, why=str(fault))
            await asyncio.sleep(LOOK_EVERY)

    async def draw(self) -> int:
        """Draw what is to be drawn now; count the samples."""
        house, made = self._house(), 0
        if not house.quality.sample or not house.quality.items:
            return 0
        for week in rules.weeks_over(self._clock.now(), house.zone):
            began, ended = rules.span_of(week, house.zone)
            done = await self.store.drawn_in(week)
            by_person: dict[str, list[Candidate]] = {}
            for recording, call, person in await self._pool(began, ended, house.quality.least):
                if person not in done:
                    one = Candidate(recording=recording, call=call, person=person)
                    by_person.setdefault(person, []).append(one)
            for person, pool in by_person.items():
                made += await self._draw(person, week, pool, house)
        if made:
            log.info("quality_drawn", samples=made)
        return made

    async def _draw(self, person: str, week: date, pool: Sequence[Candidate], house: House) -> int:
        seed, ids = self._seed(), tuple(sorted(one.recording for one in pool))
        one = Draw(
            person=person,
            week=week,
            seed=seed,
            pool=ids,
            drawn=rules.drawn(ids, house.quality.sample, seed),
            at=self._clock.now(),
            policy=house.version,
        )
        return await self.store.draw(one, pool)

    async def score(
        self,
        sample: str,
        version: int,
        given: Mapping[str, str],
        comment: str,
        *,
        by: Person,
        address: str = "",
    ) -> Sample:
        """Score a sample by the house's form.

        Raises `Refused`: no_sample, sample_changed, quality_right, quality_own, quality_mark,
        quality_empty, bad_text.
        """
        answers = rules.asked_form(given, self._house().quality)
        points, text, now = rules.points(answers), rules.said(comment, 0), self._clock.now()

        def act(known: Sample) -> Sample:
            rules.check_scores(by, known)
            return replace(
                known,
                state=State.SCORED,
                scored_by=by.id,
                scored_at=now,
                answers=answers,
                points=points,
                comment=text,
            )

        return await self.store.change(
            sample, version, "quality_scored", act, by=by, at=now, reason=text, address=address
        )

    async def object(
        self, sample: str, version: int, text: str, *, by: Person, address: str = ""
    ) -> Sample:
        """Let the agent object, once.

        Raises `Refused`: no_sample, sample_changed, objection_over, bad_text.
        """
        text, now, asked = rules.said(text), self._clock.now(), self._house().quality

        def act(known: Sample) -> Sample:
            rules.check_objects(by, known, now, asked)
            return replace(known, state=State.OBJECTED, objection=text, objected_at=now)

        return await self.store.change(
            sample, version, "quality_objected", act, by=by, at=now, reason=text, address=address
        )

    async def decide(
        self,
        sample: str,
        version: int,
        given: Mapping[str, str],
        reason: str,
        *,
        by: Person,
        address: str = "",
    ) -> Sample:
        """Decide an objection by filling in the same form again; the reason is told to the agent.

        Raises `Refused`: no_sample, sample_changed, quality_right, quality_own, quality_scorer,
        quality_mark, quality_empty, bad_text.
        """
        text, now = rules.said(reason), self._clock.now()

        def act(known: Sample) -> Sample:
            rules.check_decides(by, known)
            answers = rules.asked_again(given, known.answers)
            points = rules.points(answers)
            return replace(
                known,
                state=State.DECIDED,
                answers=answers,
                before=known.points,
                points=points,
                verdict=rules.verdict(known.points, points),
                decided_by=by.id,
                decided_at=now,
                decision=text,
            )

        return await self.store.change(
            sample, version, "quality_decided", act, by=by, at=now, reason=text, address=address
        )
