"""The audit log: a chain in which nothing is changed, left out, put in or cut off unseen."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import text

from cti import cli
from cti.db.audit import FIRST, Chain, last, record, verify
from cti.db.engine import Database

NINE = datetime(2025, 3, 28, 1, tzinfo=UTC)


async def write(db: Database, *reasons: str) -> None:
    """Append a row for each reason."""
    for reason in reasons:
        async with db.write() as conn:
            await record(
                conn,
                at=NINE,
                who="lin",
                what="penalty.waive",
                about="line:1",
                before={"state": "proposed"},
                after={"state": "waived", "amount": "10.00"},
                reason=reason,
            )


async def chain(db: Database, known: dict[int, str] | None = None) -> Chain:
    async with db.read() as conn:
        return await verify(conn, known)


async def forge(db: Database, statement: str) -> None:
    async with db.write() as conn:
        await conn.execute(text(statement))


async def newest(db: Database) -> Chain:
    async with db.read() as conn:
        return await last(conn)


async def test_an_untouched_log_holds_to_its_last_row(db: Database) -> None:
    empty = await chain(db)
    await write(db, "one", "two", "鈴壞了")

    found = await chain(db)

    assert Chain(seq=0, hash=FIRST) == empty
    assert (found, 3) == (await newest(db), found.seq)


@pytest.mark.parametrize(
    ("statement", "broken", "why"),
    [
        ("UPDATE audit SET reason = 'mine' WHERE seq = 2", 2, "does not give its hash"),
        ("UPDATE audit SET who = 'mei' WHERE seq = 1", 1, "does not give its hash"),
        ("UPDATE audit SET at = '2025-03-27 01:00:00+00:00' WHERE seq = 3", 3, "does not give"),
        ("DELETE FROM audit WHERE seq = 2", 3, "row 2 is not there"),
        ("DELETE FROM audit WHERE seq = 1", 2, "row 1 is not there"),
        ("UPDATE audit SET hash_before = 'x' WHERE seq = 2", 2, "does not follow"),
    ],
)
async def test_what_was_changed_or_left_out_shows(
    db: Database, statement: str, broken: int, why: str
) -> None:
    await write(db, "one", "two", "three")

    await forge(db, statement)

    found = await chain(db)
    assert broken == found.broken
    assert why in found.why


async def test_a_log_that_was_cut_off_shows_by_a_hash_noted_before(db: Database) -> None:
    await write(db, "one", "two")
    noted = await newest(db)
    known = {noted.seq: noted.hash}

    whole = await chain(db, known)
    await forge(db, "DELETE FROM audit WHERE seq = 2")
    cut = await chain(db, known)
    await write(db, "another two")
    anew = await chain(db, known)

    assert [0, 2, 2] == [found.broken for found in (whole, cut, anew)]
    assert (0, 2) == ((await chain(db)).broken, anew.broken)


def test_the_command_says_how_far_the_log_holds(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(["init", str(tmp_path / "new")]) == 0
    config = ["--config", str(tmp_path / "new" / "cti.toml")]

    async def open_(act: object) -> None:
        db = await Database.open(cli._settings(Path(config[1])).database_url)
        await act(db)  # type: ignore[operator]
        await db.close()

    asyncio.run(open_(lambda db: write(db, "one", "two")))
    capsys.readouterr()
    good = cli.run(["audit", "verify", *config]), capsys.readouterr().out
    last_line = good[1].splitlines()[1].removeprefix("last: ")
    asyncio.run(open_(lambda db: forge(db, "DELETE FROM audit WHERE seq = 2")))
    cut = cli.run(["audit", "verify", *config])
    known = cli.run(["audit", "verify", "--known", last_line, *config])
    bad = cli.run(["audit", "verify", "--known", "yesterday", *config])
    told = capsys.readouterr()

    assert [0, 0, 2, 2] == [good[0], cut, known, bad]
    assert good[1].startswith("2 rows, unbroken\nlast: 2:")
    assert "row 2: it is not there" in told.err
    assert "'yesterday' is no SEQ:HASH" in told.err
