"""A table of the tests' own, for what concerns the database and no room."""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from functools import cache

from sqlalchemy import Column, Integer, MetaData, String, Table, select, text
from sqlalchemy.dialects.postgresql import insert as postgres_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.dml import UpdateBase

from cti.db.engine import Database
from cti.db.together import Step

notes = Table(
    "scratch_notes",
    MetaData(),
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("said", String, nullable=False),
)


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[Database]:
    """Open a database with the table in it, and close it whatever comes."""
    db = await Database.open(url)
    try:
        await make(db)
        yield db
    finally:
        await db.close()


async def make(db: Database) -> None:
    """Make the table."""
    async with db.write() as connection:
        await connection.run_sync(notes.metadata.create_all)


async def keep(connection: AsyncConnection, items: list[tuple[int, str | None]]) -> list[int]:
    """Write items, and bear the same ones again; give their ids."""
    statement, rows = step(connection.dialect.name, items)
    await connection.execute(statement, rows)
    return [key for key, _said in items]


def step(dialect: str, items: list[tuple[int, str | None]]) -> Step:
    """Give the same as a step of `Database.run`."""
    return _same(dialect), [{"id": key, "said": said} for key, said in items]


@cache
def _same(dialect: str) -> UpdateBase:
    made = postgres_insert(notes) if dialect == "postgresql" else sqlite_insert(notes)
    return made.on_conflict_do_update(index_elements=["id"], set_={"said": made.excluded.said})


async def kept(db: Database) -> dict[int, str]:
    """Read all back."""
    async with db.read() as connection:
        rows = await connection.execute(select(notes).order_by(notes.c.id))
        return {row.id: row.said for row in rows}


async def tell(db: Database, *statements: str) -> None:
    """Run statements in the writing transaction."""
    async with db.write() as connection:
        for statement in statements:
            await connection.execute(text(statement))


async def asked(db: Database, question: str) -> int:
    """Ask for one number, in the writing transaction."""
    async with db.write() as connection:
        return int(await connection.scalar(text(question)) or 0)


def lines(numbers: Iterable[int], size: int = 10) -> list[tuple[int, str | None]]:
    """Make items."""
    return [(number, "x" * size) for number in numbers]
