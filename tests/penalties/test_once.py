"""Run again, interleaved, killed: nothing is created twice, nothing is lost (V2, V19)."""

import asyncio
import multiprocessing
import random
import shutil
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from cti.db import migrate
from cti.db.audit import audit, verify
from cti.db.engine import Database
from cti.house import MissedCallRules, PenaltyRules
from cti.penalties.tables import bundles, incidents, lines, missed_calls
from tests.kit.fines import BOOKING, Office

MINUTE = timedelta(seconds=60)
DENSE = replace(
    BOOKING,
    penalties=PenaltyRules(
        missed_call=MissedCallRules(
            merge_repeat=timedelta(seconds=30),
            recovered_within=timedelta(seconds=30),
            storm_count=3,
            storm_within=MINUTE,
        )
    ),
)
"""A house in which few calls suffice for repeats, recoveries and storms."""
END = 1000.0
KILLS = 20
CALLERS = 60


@dataclass(frozen=True)
class Call:
    """One call of the history: missed, or answered."""

    began: int
    lasted: int
    caller: int
    answered: bool

    @property
    def number(self) -> str | None:
        """A withheld number is none."""
        return f"+86138{self.caller:08}" if self.caller else None


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated file, to be copied."""
    path = tmp_path_factory.mktemp("once") / "template.sqlite3"
    asyncio.run(migrate.upgrade(f"sqlite+aiosqlite:///{path}"))
    return path


def on_a_copy(template: Path, name: str, act: Callable[[Database], Awaitable[Any]]) -> Any:
    """Do something with a database of its own."""

    async def with_it() -> Any:
        copy = template.with_name(name)
        shutil.copy(template, copy)
        db = await Database.open(f"sqlite+aiosqlite:///{copy}")
        try:
            return await act(db)
        finally:
            await db.close()

    return asyncio.run(with_it())


async def told(db: Database) -> dict[str, list[Any]]:
    """Give all that came about, named by calls and people instead of ids."""
    async with db.read() as conn:
        missed = (await conn.execute(select(missed_calls))).all()
        found = (await conn.execute(select(incidents))).all()
        made = (await conn.execute(select(lines))).all()
        known = {row.id for row in await conn.execute(select(bundles))}
        audited = (await conn.execute(select(audit).where(audit.c.what == "penalty.propose"))).all()
        chain = await verify(conn)
    calls = {row.id: sorted(m.call for m in missed if m.incident == row.id) for row in found}
    return {
        "calls": sorted((m.call, m.reason, m.joined, m.recovered_by or "") for m in missed),
        "incidents": sorted((calls[row.id], row.state, row.reason, row.call) for row in found),
        "lines": sorted(
            (calls[x.incident], x.person, x.rule, str(x.amount), x.state) for x in made
        ),
        "bundles": sorted(
            sorted(call for row in found if row.bundle == key for call in calls[row.id])
            for key in known
        ),
        "audited": sorted(calls[row.about.partition(":")[2]] for row in audited),
        "broken": [chain.broken],
    }


HISTORY = st.lists(
    st.builds(
        Call,
        began=st.integers(0, 150),
        lasted=st.sampled_from([2, 4, 20, 58]),
        caller=st.integers(0, 3),
        answered=st.sampled_from([False, False, False, True]),
    ),
    min_size=1,
    max_size=9,
)
RUNS = st.lists(st.tuples(st.integers(0, 300), st.booleans()), max_size=4)
EVERY = st.sampled_from([7, 30])


async def lived(office: Office, history: Sequence[Call], runs: Sequence[tuple[int, bool]]) -> None:
    """Let calls come and go, and the desk run in between, now and then a new one."""
    events: list[tuple[float, int, int, str]] = []
    for n, call in enumerate(history):
        events += [(call.began, 0, n, "comes"), (call.began + call.lasted, 1, n, "goes")]
    events += [(second, 2, 0, "again" if new else "runs") for second, new in runs]
    for second, _, n, what in sorted(events):
        call, name = history[n], f"call-{n}"
        if what == "comes" and call.answered:
            await office.answers(name, call.began, number=call.number or "anonymous")
        elif what == "comes":
            await office.rings(name, call.began, number=call.number)
        elif what == "goes" and not call.answered:
            await office.gives_up(name, call.began + call.lasted)
        elif what in ("again", "runs"):
            office.desk = office.new_desk() if what == "again" else office.desk
            await office.runs(second)
    await office.runs(END)


@settings(max_examples=15, deadline=None)
@given(HISTORY, RUNS, EVERY)
def test_however_often_and_whenever_the_desk_runs_the_same_comes_about(
    template: Path, history: list[Call], runs: list[tuple[int, bool]], every: int
) -> None:
    async def once(db: Database) -> dict[str, list[Any]]:
        office = Office(db, house=DENSE)
        await office.opens()
        await lived(office, history, ())
        return await told(db)

    async def often(db: Database) -> dict[str, list[Any]]:
        office = Office(db, house=DENSE)
        await office.opens()
        regular = [(second, False) for second in range(0, 300, every)]
        await lived(office, history, [*regular, *runs])
        await office.new_desk().once()
        return await told(db)

    expected = on_a_copy(template, "once.sqlite3", once)

    assert expected == on_a_copy(template, "often.sqlite3", often)
    assert [0] == expected["broken"]


async def busy(db: Database) -> None:
    """Many callers ring out, some twice, within two hours."""
    office = Office(db)
    await office.opens()
    for n in range(CALLERS):
        number = f"+86138{n // 2 if n % 3 else n:08}"
        await office.misses(f"call-{n:02}", n * 100, number=number)


def works(url: str) -> None:
    """Run a desk until everything is done: what is killed."""

    async def work() -> None:
        db = await Database.open(url)
        await Office(db).runs(CALLERS * 100 + END)
        await db.close()

    asyncio.run(work())


def test_a_desk_that_is_killed_again_and_again_leaves_what_one_in_peace_leaves(
    template: Path,
) -> None:
    async def in_peace(db: Database) -> dict[str, list[Any]]:
        await busy(db)
        await Office(db).runs(CALLERS * 100 + END)
        return await told(db)

    expected = on_a_copy(template, "peace.sqlite3", in_peace)
    on_a_copy(template, "killed.sqlite3", busy)
    url = f"sqlite+aiosqlite:///{template.with_name('killed.sqlite3')}"

    halfway = list[tuple[int, int]]()
    chance, longest = random.Random(7), 0.1  # noqa: S311  no secret
    for _ in range(KILLS):
        kill(url, chance.uniform(longest / 3, longest))
        found = asyncio.run(look(url))
        halfway.append((len(found["calls"]), len(found["audited"])))
        if halfway[-1] == halfway[-2:][0]:
            longest *= 1.2  # on a slow machine it had not begun yet
    works(url)

    assert expected == asyncio.run(look(url))
    assert CALLERS == len(expected["calls"]) > len(expected["incidents"])
    assert len(set(halfway)) > KILLS / 4, halfway


async def look(url: str) -> dict[str, list[Any]]:
    """Open a file and tell what came about in it."""
    db = await Database.open(url)
    found = await told(db)
    await db.close()
    return found


def kill(url: str, seconds: float) -> None:
    """Start a desk and kill it after a while."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.penalties.test_once"])
    process = context.Process(target=works, args=(url,))
    process.start()
    process.join(seconds)
    process.kill()
    process.join()
    process.close()
