"""Keeps draws, samples, scores and objections, each change with its audit."""

import json
from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict, fields, replace
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final

from pydantic import TypeAdapter
from sqlalchemy import (
    Column,
    ColumnElement,
    Date,
    Index,
    Integer,
    Row,
    String,
    Table,
    Text,
    insert,
    select,
    update,
)

from cti.db import audit
from cti.db.engine import Database
from cti.db.schema import Connection, Instant, metadata, new_id
from cti.errors import Refused
from cti.people.rules import Person
from cti.quality.record import Answer, Candidate, Draw, Sample, State, Verdict

_ID: Final = String(32)
_CODE: Final = String(16)
CTI: Final = "cti"

draws: Final = Table(
    "quality_draws",
    metadata,
    Column("person", _ID, primary_key=True),
    Column("week", Date, primary_key=True),
    Column("seed", String(64), nullable=False),
    Column("pool", Text, nullable=False),
    Column("drawn", Text, nullable=False),
    Column("at", Instant, nullable=False),
    Column("policy", String(64), nullable=False),
)
"""One row per agent and week, for ever: a week is drawn once."""

samples: Final = Table(
    "quality_samples",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("person", _ID, nullable=False),
    Column("week", Date, nullable=False),
    Column("recording", _ID, nullable=False, unique=True),
    Column("call", _ID, index=True),
    Column("drawn_at", Instant, nullable=False),
    Column("state", _CODE, nullable=False),
    Column("version", Integer, nullable=False),
    Column("scored_by", _ID, nullable=False),
    Column("scored_at", Instant),
    Column("answers", Text, nullable=False),
    Column("points", String(8)),
    Column("comment", Text, nullable=False),
    Column("objection", Text, nullable=False),
    Column("objected_at", Instant),
    Column("verdict", _CODE),
    Column("decided_by", _ID, nullable=False),
    Column("decided_at", Instant),
    Column("decision", Text, nullable=False),
    Column("before", String(8)),
    Index("ix_quality_samples_state_id", "state", "id"),
    Index("ix_quality_samples_person_id", "person", "id"),
)
_ANSWERS: Final = TypeAdapter(tuple[Answer, ...])
_FIELDS: Final = tuple(one.name for one in fields(Sample))


class QualityStore:
    """Samples and scores in the database."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def drawn_in(self, week: date) -> set[str]:
        """Give the agents whose samples of a week are drawn."""
        async with self._db.read() as conn:
            asked = select(draws.c.person).where(draws.c.week == week)
            return set((await conn.execute(asked)).scalars())

    async def draw(self, one: Draw, pool: Sequence[Candidate]) -> int:
        """Keep a draw and its samples, once for each agent and week; count what is new."""
        call_of = {candidate.recording: candidate.call for candidate in pool}
        async with self._db.write() as conn:
            await self._db.alone(conn, "quality")
            same = select(draws.c.week).where(
                draws.c.person == one.person, draws.c.week == one.week
            )
            if await conn.scalar(same) is not None:
                return 0
            row = asdict(one) | {"pool": json.dumps(one.pool), "drawn": json.dumps(one.drawn)}
            await conn.execute(insert(draws).values(row))
            known = select(samples.c.recording).where(samples.c.recording.in_(one.drawn))
            there = set((await conn.execute(known)).scalars())
            made = [
                Sample(
                    id=new_id(one.at),
                    person=one.person,
                    week=one.week,
                    recording=recording,
                    call=call_of.get(recording),
                    drawn_at=one.at,
                    state=State.WAITING,
                )
                for recording in one.drawn
                if recording not in there
            ]
            if made:
                await conn.execute(insert(samples), [_row(sample) for sample in made])
            await audit.record(
                conn,
                at=one.at,
                who=CTI,
                what="quality_drawn",
                about=f"person:{one.person}",
                after={
                    "week": one.week,
                    "seed": one.seed,
                    "of": len(one.pool),
                    "drawn": list(one.drawn),
                },
                policy=one.policy,
            )
        return len(made)

    async def get(self, sample: str) -> Sample:
        """Give one sample. Raises `Refused` (no_sample)."""
        async with self._db.read() as conn:
            return await _one(conn, sample)

    async def draw_of(self, sample: Sample) -> Draw | None:
        """Give the draw from which a sample comes."""
        asked = select(draws).where(draws.c.person == sample.person, draws.c.week == sample.week)
        async with self._db.read() as conn:
            row = (await conn.execute(asked)).first()
        if row is None:
            return None
        told = dict(row._mapping)
        lists = {name: tuple(json.loads(told[name])) for name in ("pool", "drawn")}
        return Draw(**told | lists)

    async def some(
        self, states: Collection[State], before: str = "", limit: int = 50
    ) -> list[Sample]:
        """Give samples in some states, newest first, from before the sample `before` on."""
        return await self._page(samples.c.state.in_(list(states)), before, limit)

    async def of_person(self, person: str, before: str = "", limit: int = 50) -> list[Sample]:
        """Give what was scored of an agent, newest first."""
        his = (samples.c.person == person) & (samples.c.state != State.WAITING)
        return await self._page(his, before, limit)

    async def objected(self, calls: Collection[str]) -> dict[str, str]:
        """Give those calls about which an objection is open, with the sample."""
        asked = select(samples.c.call, samples.c.id).where(
            samples.c.call.in_(sorted(calls)), samples.c.state == State.OBJECTED
        )
        async with self._db.read() as conn:
            return {row.call: row.id for row in await conn.execute(asked)}

    async def change(
        self,
        sample: str,
        version: int,
        what: str,
        act: Callable[[Sample], Sample],
        *,
        by: Person,
        at: datetime,
        reason: str = "",
        address: str = "",
    ) -> Sample:
        """Let `act` change a sample as it was seen in a version, and note it in the audit.

        Raises `Refused`: no_sample, sample_changed, and what `act` raises: nothing was stored.
        """
        async with self._db.write() as conn:
            await self._db.alone(conn, "quality")
            known = await _one(conn, sample)
            if known.version != version:
                raise Refused("sample_changed", "somebody changed it meanwhile: look again")
            now = replace(act(known), version=version + 1)
            await conn.execute(update(samples).where(samples.c.id == sample).values(_row(now)))
            await audit.record(
                conn,
                at=at,
                who=by.id,
                what=what,
                about=f"quality:{sample}",
                before=_noted(known),
                after=_noted(now),
                reason=reason,
                address=address,
            )
        return now

    async def _page(self, which: ColumnElement[bool], before: str, limit: int) -> list[Sample]:
        asked = select(samples).where(which)
        if before:
            asked = asked.where(samples.c.id < before)
        async with self._db.read() as conn:
            found = await conn.execute(asked.order_by(samples.c.id.desc()).limit(limit))
            return [_sample(row) for row in found]


async def _one(conn: Connection, sample: str) -> Sample:
    row = (await conn.execute(select(samples).where(samples.c.id == sample))).first()
    if row is None:
        raise Refused("no_sample", "there is no such score")
    return _sample(row)


def _noted(one: Sample) -> dict[str, Any]:
    marks = {answer.item: answer.mark.value for answer in one.answers}
    return {"state": one.state.value, "points": one.points, "marks": marks}


def _row(one: Sample) -> dict[str, Any]:
    row = {name: getattr(one, name) for name in _FIELDS}
    return row | {
        "answers": _ANSWERS.dump_json(one.answers).decode(),
        "points": None if one.points is None else str(one.points),
        "before": None if one.before is None else str(one.before),
    }


def _sample(row: Row[Any]) -> Sample:
    told = dict(row._mapping)
    return Sample(
        **told
        | {
            "state": State(told["state"]),
            "answers": _ANSWERS.validate_json(told["answers"]),
            "points": None if told["points"] is None else Decimal(told["points"]),
            "before": None if told["before"] is None else Decimal(told["before"]),
            "verdict": Verdict(told["verdict"]) if told["verdict"] else None,
        }
    )
