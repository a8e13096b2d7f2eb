"""How do many statements become one message to the database?

SQLite runs in a thread of its own, and a message to it and back costs more than most statements.
So what belongs together is handed over together, and what SQLAlchemy makes of a statement is
kept, for it is always the same. Other databases get one statement after the other.
"""

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import CompoundSelect, Dialect, Select
from sqlalchemy.engine import result_tuple
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.dml import UpdateBase

Row = Mapping[str, Any]
Step = tuple[UpdateBase, Sequence[Row]]
"""A statement, and the rows for each of which it is run; all rows have the same keys.

The statement is one object for ever: it is known again by that.
"""

Bind = tuple[str, Any, Callable[[Any], Any] | None]
"""Name, value if no row has it, and what is done to a value."""


async def run_on(conn: AsyncConnection, steps: Sequence[Step]) -> list[list[Any]]:
    """Run steps one after the other; give of each the first column of what it returned."""
    return [await _run_one(conn, statement, rows) for statement, rows in steps]


async def _run_one(conn: AsyncConnection, statement: UpdateBase, rows: Sequence[Row]) -> list[Any]:
    if not rows:
        return []
    result = await conn.execute(statement, rows)
    return list(result.scalars()) if result.returns_rows else []


class Work:
    """Steps as SQLite's thread wants them; `run` gives what `run_on` gives."""

    def __init__(self, steps: Sequence[Step], dialect: Dialect) -> None:
        self._given = [
            (found := _change(statement, tuple(rows[0]), dialect), found.parameters(rows))
            if rows
            else None
            for statement, rows in steps
        ]

    def run(self, raw: sqlite3.Connection) -> list[list[Any]]:
        """Run them, in the database's thread."""
        return [one[0].run(raw, one[1]) if one else [] for one in self._given]


class _Ready:
    """A statement as SQLite wants it."""

    def __init__(self, made: Any, dialect: Dialect) -> None:
        free = {name: None for name, bind in made.binds.items() if bind.required}
        whole = made.construct_expanded_state(free)
        self.text: str = whole.statement
        self._binds: list[Bind] = [
            (name, bind.effective_value, bind.type.dialect_impl(dialect).bind_processor(dialect))
            if (bind := made.binds.get(name)) is not None
            else ("", whole.parameters[name], None)  # one of the values of an IN
            for name in whole.positiontup or ()
        ]

    def parameters(self, rows: Sequence[Row]) -> list[list[Any]]:
        """Give the values of each row, in their places."""
        return [
            [
                row.get(name, own) if process is None else process(row.get(name, own))
                for name, own, process in self._binds
            ]
            for row in rows
        ]


class _Change(_Ready):
    """A statement that changes rows, and may return some."""

    def __init__(self, statement: UpdateBase, names: tuple[str, ...], dialect: Dialect) -> None:
        super().__init__(statement.compile(dialect=dialect, column_keys=list(names)), dialect)
        self._returns = bool(statement._returning)

    def run(self, raw: sqlite3.Connection, given: list[list[Any]]) -> list[Any]:
        """Run it, in the database's thread."""
        if self._returns:
            return [row[0] for one in given for row in raw.execute(self.text, one).fetchall()]
        raw.executemany(self.text, given)
        return []


class Question(_Ready):
    """A SELECT; rows have the names of its columns."""

    def __init__(self, statement: Select[Any] | CompoundSelect[Any], dialect: Dialect) -> None:
        super().__init__(statement.compile(dialect=dialect), dialect)
        columns = list(statement.selected_columns)
        self._row = result_tuple([str(column.key) for column in columns])
        read = [c.type.dialect_impl(dialect).result_processor(dialect, None) for c in columns]
        self._read = [(place, one) for place, one in enumerate(read) if one is not None]

    def rows(self, raw: Sequence[Sequence[Any]]) -> list[Any]:
        """Make rows of what SQLite gave."""
        if not self._read:
            return list(map(self._row, raw))
        return [self._made(one) for one in raw]

    def _made(self, raw: Sequence[Any]) -> Any:
        values = list(raw)
        for place, read in self._read:
            values[place] = read(values[place])
        return self._row(values)


def told(fault: sqlite3.Error, dialect: Dialect) -> Exception:
    """Give a driver's fault as SQLAlchemy tells it."""
    given: Exception = DBAPIError.instance("", None, fault, sqlite3.Error, dialect=dialect)
    return given


@lru_cache(maxsize=128)
def _change(statement: UpdateBase, names: tuple[str, ...], dialect: Dialect) -> _Change:
    return _Change(statement, names, dialect)


@lru_cache(maxsize=128)
def question(statement: Select[Any] | CompoundSelect[Any], dialect: Dialect) -> Question:
    """Make a question of a SELECT, once."""
    return Question(statement, dialect)
