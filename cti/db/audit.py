"""Who did what, when and why, so that nobody can change it afterwards unseen?

One row per decision or change, appended in the transaction of that change. Each row carries the
hash of the one before, so that a row that was changed, left out or put in shows (requirements
21.5, V17). Nothing here updates or deletes.
"""

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import BigInteger, Column, Integer, String, Table, Text, insert, select, text

from cti.db.schema import Connection, Instant, metadata

LOCK: Final = 0x61756474  # "audt"
FIRST: Final = "0" * 64
"""What the first row names as the hash of the one before."""

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


def hash_of(row: Mapping[str, Any]) -> str:
    """Give the hash that a row must carry: over everything in it, the row before included."""
    told = {key: row[key] for key in row if key != "hash"}
    told["at"] = row["at"].astimezone(UTC).isoformat()
    return hashlib.sha256(_written(told).encode()).hexdigest()  # type: ignore[union-attr]


def _written(values: Mapping[str, Any] | None) -> str | None:
    if values is None:
        return None
    return json.dumps(values, ensure_ascii=False, sort_keys=True, default=str)
