"""Who did what, when and why, so that nobody can change it afterwards unseen?

One row per decision or change, appended in the transaction of that change. Each row carries the
hash of the one before, so that a row that was changed, left out or put in shows (requirements
21.5, V17). Nothing here updates or deletes.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import BigInteger, Column, Integer, String, Table, Text, insert, select, text

from cti.db.schema import Connection, Instant, metadata

LOCK: Final = 0x61756474  # "audt"
FIRST: Final = "0" * 64
"""What the first row names as the hash of the one before."""
AT_ONCE: Final = 1000

audit: Final = Table(
    "audit",
    metadata,
    Column("seq", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("at", Instant, nullable=False, index=True),
    Column("who", String(64), nullable=False),
    Column("what", String(64), nullable=False),
    Column("about", String(128), nullable=False, index=True),
    Column("before", Text),
    Column("after", Text),
    Column("reason", Text, nullable=False),
    Column("policy", String(64), nullable=False),
    Column("address", String(64), nullable=False),
    Column("hash_before", String(64), nullable=False, unique=True),
    Column("hash", String(64), nullable=False, unique=True),
    sqlite_autoincrement=True,
)
"""`who` is a person's id, or `cti` for what the program did by itself; `about` is `KIND:ID`."""


async def record(
    conn: Connection,
    *,
    at: datetime,
    who: str,
    what: str,
    about: str,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    reason: str = "",
    policy: str = "",
    address: str = "",
) -> int:
    """Append one row in the transaction of `conn`; give its number.

    `before` and `after` are plain values that JSON can write. Rows are appended one after the
    other, on PostgreSQL under a lock that ends with the transaction.
    """
    if conn.dialect.name == "postgresql":
        await conn.execute(text(f"SELECT pg_advisory_xact_lock({LOCK})"))
    last = (
        await conn.execute(select(audit.c.seq, audit.c.hash).order_by(audit.c.seq.desc()).limit(1))
    ).first()
    row: dict[str, Any] = {
        "seq": last.seq + 1 if last else 1,
        "at": at,
        "who": who,
        "what": what,
        "about": about,
        "before": _written(before),
        "after": _written(after),
        "reason": reason,
        "policy": policy,
        "address": address,
        "hash_before": last.hash if last else FIRST,
    }
    await conn.execute(insert(audit).values(**row, hash=hash_of(row)))
    return int(row["seq"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain:
    """How far the log holds: its last good row, and the first that does not fit (0: all do)."""

    seq: int
    hash: str
    broken: int = 0
    why: str = ""


async def last(conn: Connection) -> Chain:
    """Give the last row's number and hash, unchecked; 0 and `FIRST` for an empty log."""
    newest = select(audit.c.seq, audit.c.hash).order_by(audit.c.seq.desc()).limit(1)
    row = (await conn.execute(newest)).first()
    return Chain(seq=row.seq, hash=row.hash) if row else Chain(seq=0, hash=FIRST)


async def verify(conn: Connection, known: Mapping[int, str] | None = None) -> Chain:
    """Follow the chain from the first row (V17).

    `known` are hashes by number that were noted elsewhere, as in the daemon's log: by them a log
    shows that was cut off at its end, or written anew from somewhere on.
    """
    noted = dict(known or {})
    good = Chain(seq=0, hash=FIRST)
    while True:
        found = await conn.execute(
            select(audit).where(audit.c.seq > good.seq).order_by(audit.c.seq).limit(AT_ONCE)
        )
        rows = found.all()
        for row in rows:
            told = dict(row._mapping)
            if why := _fault(told, good, noted.pop(row.seq, None)):
                return replace(good, broken=row.seq, why=why)
            good = Chain(seq=row.seq, hash=row.hash)
        if not rows:
            gone = min(noted, default=0)
            return replace(good, broken=gone, why="it is not there") if gone else good


def _fault(row: Mapping[str, Any], before: Chain, noted: str | None) -> str:
    if row["seq"] != before.seq + 1:
        return f"row {before.seq + 1} is not there"
    if row["hash_before"] != before.hash:
        return "it does not follow from the row before"
    if row["hash"] != hash_of(row):
        return "what it says does not give its hash"
    return "its hash is not the one that was noted" if noted not in (None, row["hash"]) else ""


def hash_of(row: Mapping[str, Any]) -> str:
    """Give the hash that a row must carry: over everything in it, the row before included."""
    told = {key: row[key] for key in row if key != "hash"}
    told["at"] = row["at"].astimezone(UTC).isoformat()
    return hashlib.sha256(_written(told).encode()).hexdigest()  # type: ignore[union-attr]


def _written(values: Mapping[str, Any] | None) -> str | None:
    if values is None:
        return None
    return json.dumps(values, ensure_ascii=False, sort_keys=True, default=str)
