"""How do many statements become one message to the database?

SQLite runs in a thread of its own, and a message to it and back costs more than most statements.
So what belongs together is handed over together, and what SQLAlchemy makes of a statement is
kept, for it is always the same. Other databases get one statement after the other.
"""

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, cast

from sqlalchemy import Dialect
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.dml import UpdateBase

from cti.db.sqlite import Connection

Row = Mapping[str, Any]
Step = tuple[UpdateBase, Sequence[Row]]
"""A statement, and the rows for each of which it is run; all rows have the same keys.

The statement is one object for ever: it is known again by that.
"""


async def run(conn: AsyncConnection, steps: Sequence[Step]) -> list[list[Any]]:
    """Run steps in order; give of each the first column of what it returned.

    Raises what `conn.execute` does.
    """
    if conn.dialect.name != "sqlite":
        return [await _run_one(conn, statement, rows) for statement, rows in steps]
    ready = [
        (found := _ready(statement, tuple(rows[0]), conn.dialect), found.parameters(rows))
        for statement, rows in steps
        if rows
    ]
    within = cast("Any", conn.sync_connection)
    if not within.in_transaction():
        within.begin()
    driver: Connection = within.connection.driver_connection
    done = iter(await driver.in_thread(lambda raw: [one.run(raw, given) for one, given in ready]))
    return [next(done) if rows else [] for _, rows in steps]


async def _run_one(conn: AsyncConnection, statement: UpdateBase, rows: Sequence[Row]) -> list[Any]:
    if not rows:
        return []
    result = await conn.execute(statement, rows)
    return list(result.scalars()) if result.returns_rows else []


@dataclass(frozen=True, slots=True)
class _Ready:
    """A statement as SQLite wants it."""

    text: str
    binds: Sequence[tuple[str, Any, Callable[[Any], Any] | None]]
    """Name, value if no row has it, and what is done to a value."""
    returns: bool
    dialect: Dialect

    def parameters(self, rows: Sequence[Row]) -> list[list[Any]]:
        """Give the values of each row, in their places."""
        return [
            [
                row.get(name, own) if process is None else process(row.get(name, own))
                for name, own, process in self.binds
            ]
            for row in rows
        ]

    def run(self, raw: sqlite3.Connection, given: list[list[Any]]) -> list[Any]:
        """Run it, in the database's thread."""
        try:
            if self.returns:
                return [row[0] for one in given for row in raw.execute(self.text, one).fetchall()]
            raw.executemany(self.text, given)
        except sqlite3.Error as fault:
            raise DBAPIError.instance(
                self.text, None, fault, sqlite3.Error, dialect=self.dialect
            ) from fault
        return []


@lru_cache(maxsize=64)
def _ready(statement: UpdateBase, names: tuple[str, ...], dialect: Dialect) -> _Ready:
    made = statement.compile(dialect=dialect, column_keys=list(names))
    binds = [(name, made.binds[name]) for name in made.positiontup or ()]
    return _Ready(
        text=made.string,
        binds=[
            (name, bind.effective_value, bind.type.dialect_impl(dialect).bind_processor(dialect))
            for name, bind in binds
        ],
        returns=bool(made.effective_returning),
        dialect=dialect,
    )
