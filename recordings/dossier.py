"""What do we keep of one customer, and how is it given away, or erased?

Given away: his record, his calls, and the sound of his recordings as it was written, decrypted,
each file with its hash. Erased: the sound, its drawing and the comments; calls keep what is
counted, and forget whose they were. One transaction, with its row in the audit; what somebody
holds, or what is undecided, refuses it whole (REC-08).
"""

import asyncio
import hashlib
import json
import os
import shutil
import zipfile
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import IO, Any, Final, Protocol

from cti.clock import Clock
from cti.customers.rules import Customer
from cti.db import audit
from cti.db.engine import Database
from cti.db.schema import Connection
from cti.errors import ConfigError, Refused
from cti.people.rules import checked_text
from cti.reports.sheets import Column, Sheet, csv_bytes
from cti.reports.sheets import Kind as Holds
from cti.value import value
from recordings import names
from recordings.record import Gone, Hold, Recording
from recordings.storage import PIECE, Storage, StorageUnavailable
from recordings.store import RecordingStore, Tomb

REASON_LIMIT: Final = 500
MANIFEST: Final = "manifest.json"
_COLUMNS: Final = {"caller": Holds.PHONE, "number": Holds.PHONE, "dialled": Holds.PHONE}
_INSTANTS: Final = ("began", "seen_at", "answered_at", "ended_at")


class Customers(Protocol):
    """What is asked of the customers (`cti.customers.store`)."""

    async def get(self, customer: str) -> Customer | None:
        """Find a customer by our id."""
        ...

    async def find_all(self, numbers: Collection[str]) -> Mapping[str, Sequence[Customer]]:
        """Find whose some numbers are."""
        ...

    async def forget(self, connection: Connection, customer: str) -> None:
        """Empty his record."""
        ...


class Calls(Protocol):
    """What is asked of the calls (`cti.calls.store`)."""

    async def of_customer(
        self, customer: str, numbers: Collection[str] = ()
    ) -> list[dict[str, Any]]:
        """Give all that is stored of his calls."""
        ...

    async def forget_customer(
        self, conn: Connection, customer: str, numbers: Collection[str] = ()
    ) -> list[str]:
        """Let his calls forget whose they were; give them."""
        ...


class Forgetful(Protocol):
    """A room that keeps numbers of its own (`forget_numbers` of a store)."""

    async def __call__(
        self, conn: Connection, calls: Collection[str], numbers: Collection[str]
    ) -> None:
        """Forget whose some calls were, and some numbers. Raises `Refused`."""
        ...


class Rooms(Protocol):
    """Rooms that keep what was done about a customer: events, visits."""

    async def tell(self, customer: str) -> Mapping[str, Any]:
        """Give all of it, by the name of the file in which it is given away."""
        ...

    async def forget(self, conn: Connection, customer: str, now: datetime) -> None:
        """Forget all of it. Raises `Refused` (customer_on_call)."""
        ...


class Sink(Protocol):
    """Where files are given away to. Blocks."""

    def add(self, name: str, content: Iterable[bytes]) -> None:
        """Add a file."""
        ...


@value
class Whole:
    """Everything that is kept of one customer. `numbers` are those that are his alone."""

    customer: Customer
    numbers: Sequence[str]
    calls: Sequence[Mapping[str, Any]]
    recordings: Sequence[Recording]
    holds: Sequence[Hold]
    more: Mapping[str, Any]
    """What other rooms keep of him, by file."""

    @property
    def heard(self) -> list[Recording]:
        """Those recordings that have sound."""
        return [one for one in self.recordings if one.place and one.gone_at is None]

    @property
    def count(self) -> tuple[int, int]:
        """Give the calls, and the recordings that have sound: what would be erased."""
        return len(self.calls), len(self.heard)


@value
class Given:
    """What was given away: files with their hashes, and recordings that could not be read."""

    files: Sequence[Mapping[str, Any]]
    unread: Sequence[str]


class Dossier:
    """All that is kept of one customer, to be looked at, given away, or erased."""

    def __init__(
        self,
        db: Database,
        *,
        customers: Customers,
        calls: Calls,
        store: RecordingStore,
        storage: Storage,
        holds: Callable[[Collection[str]], Awaitable[Mapping[str, Sequence[Hold]]]],
        others: Sequence[Forgetful],
        policy: Callable[[], str],
        clock: Clock,
        rooms: Sequence[Rooms] = (),
    ) -> None:
        self._rooms = rooms
        self._db, self._customers, self._calls = db, customers, calls
        self._store, self._storage, self._holds = store, storage, holds
        self._others, self._policy, self._clock = others, policy, clock

    async def look(self, customer: str) -> Whole:
        """Give everything that is kept of a customer. Raises `Refused` (no_such_customer)."""
        found = await self._customers.get(customer)
        if found is None:
            raise Refused("no_such_customer", "there is no such customer")
        owners = await self._customers.find_all(found.phones)
        numbers = [number for number in found.phones if len(owners.get(number, ())) == 1]
        calls = await self._calls.of_customer(customer, numbers)
        ids = [str(call["id"]) for call in calls]
        some = await self._store.all_of_customer(customer, ids)
        concerned = {*ids, *(one.call for one in some if one.call)}
        held = await self._holds(concerned)
        more: dict[str, Any] = {}
        for room in self._rooms:
            more |= await room.tell(customer)
        return Whole(
            more=more,
            customer=found,
            numbers=numbers,
            calls=calls,
            recordings=some,
            holds=[hold for call in sorted(held) for hold in held[call]],
        )

    async def export(
        self, customer: str, sink: Sink, *, who: str, reason: str, address: str = ""
    ) -> Given:
        """Give everything of a customer away; the audit has it before the first file.

        Raises `Refused`: no_such_customer, bad_text.
        """
        reason = checked_text("reason", reason, REASON_LIMIT, least=1)
        found, now = await self.look(customer), self._clock.now()
        async with self._db.write() as conn:
            await audit.record(
                conn,
                at=now,
                who=who,
                what="customer_exported",
                about=f"customer:{customer}",
                after={
                    "calls": len(found.calls),
                    "recordings": [one.id for one in found.heard],
                },
                reason=reason,
                policy=self._policy(),
                address=address,
            )
        return await asyncio.to_thread(self._give, found, sink, now)

    async def erase(
        self,
        customer: str,
        *,
        who: str,
        reason: str,
        address: str = "",
        seen: tuple[int, int] | None = None,
    ) -> Whole:
        """Erase everything of a customer, in one transaction; give what there was.

        `seen` is the count that somebody agreed to. The files of the sound are removed by the
        keeper. Raises `Refused`: no_such_customer, bad_text, customer_held (`calls` says which),
        erase_changed, customer_on_call, customer_owed.
        """
        reason = checked_text("reason", reason, REASON_LIMIT, least=1)
        found, now = await self.look(customer), self._clock.now()
        if found.holds:
            held = [f"{hold.call} ({hold.why} {hold.ref or hold.reason})" for hold in found.holds]
            raise Refused(
                "customer_held", f"his calls are held: {'; '.join(held)}", calls=", ".join(held)
            )
        if seen is not None and seen != found.count:
            raise Refused("erase_changed", "there is more or less of it by now: look again")
        tomb = Tomb(
            at=now,
            reason=Gone.ERASED,
            policy=self._policy(),
            who=who,
            why=reason,
            address=address,
        )
        async with self._db.write() as conn:
            calls = await self._calls.forget_customer(conn, customer, found.numbers)
            gone = await self._store.erase(conn, customer, calls, tomb)
            for forget in self._others:
                await forget(conn, calls, found.numbers)
            for room in self._rooms:
                await room.forget(conn, customer, now)
            await self._customers.forget(conn, customer)
            await audit.record(
                conn,
                at=now,
                who=who,
                what="customer_erased",
                about=f"customer:{customer}",
                after={"calls": len(calls), "recordings": len(gone)},
                reason=reason,
                policy=tomb.policy,
                address=address,
            )
        return found

    # -- in a thread

    def _give(self, found: Whole, sink: Sink, now: datetime) -> Given:
        files, unread, rows = list[dict[str, Any]](), list[str](), list[dict[str, Any]]()

        def add(name: str, content: Iterable[bytes]) -> None:
            whole = _Counted(content)
            sink.add(name, whole)
            files.append({"name": name, "size": whole.size, "sha256": whole.hash.hexdigest()})

        add("customer.json", [_json(asdict(found.customer))])
        add("calls.json", [_json(list(found.calls))])
        for name, kept in found.more.items():
            add(name, [_json(kept)])
        add("calls.csv", [csv_bytes(_sheet(found.calls))])
        for one in found.recordings:
            file = ""
            if one in found.heard:
                file = f"audio/{names.given(one)}"
                try:
                    self._see_whole(one)
                    add(file, self._content(one.place))
                except StorageUnavailable:
                    unread.append(one.id)
                    file = ""
            rows.append(_told(one, file))
        add("recordings.json", [_json(rows)])
        told = {"made_at": now.isoformat(), "customer": found.customer.id, "files": files}
        sink.add(MANIFEST, [_json(told | {"unread": unread})])
        return Given(files=files, unread=unread)

    def _content(self, place: str) -> Iterator[bytes]:
        with self._storage.open(place) as reader:
            for at in range(0, reader.size, PIECE):
                yield reader.read(at, PIECE)

    def _see_whole(self, one: Recording) -> None:
        """Read a content through, before any of it is given away."""
        whole = _Counted(self._content(one.place))
        for _ in whole:
            pass
        if whole.hash.hexdigest() != one.sha256:
            raise StorageUnavailable(f"{one.place}: what is kept is not what was kept")


class FolderSink:
    """A folder that is there when it is whole, for nobody else to read."""

    def __init__(self, folder: Path) -> None:
        """Raises `ConfigError` (export_exists, export_failed)."""
        self._folder, self._beside = folder, folder.with_name(f".{folder.name}.part")
        if folder.exists():
            raise ConfigError(
                f"{folder} is there already", "name a folder that is not", code="export_exists"
            )
        shutil.rmtree(self._beside, ignore_errors=True)
        try:
            self._beside.mkdir(0o700, parents=True)
        except OSError as fault:
            raise _failed(folder, fault) from fault

    def add(self, name: str, content: Iterable[bytes]) -> None:
        """Write a file."""
        path = self._beside / name
        try:
            path.parent.mkdir(0o700, exist_ok=True)
            with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                for part in content:
                    file.write(part)
                os.fsync(file.fileno())
        except OSError as fault:
            raise _failed(self._folder, fault) from fault

    def done(self) -> None:
        """Give the folder its name."""
        try:
            self._beside.rename(self._folder)
        except OSError as fault:
            raise _failed(self._folder, fault) from fault

    def drop(self) -> None:
        """Let what was written go; once it is done, nothing happens."""
        with suppress(OSError):
            shutil.rmtree(self._beside)


class ZipSink:
    """A ZIP file. Sound hardly shrinks: it is stored as it is."""

    def __init__(self, file: IO[bytes]) -> None:
        self._zip = zipfile.ZipFile(file, "w", zipfile.ZIP_STORED)

    def add(self, name: str, content: Iterable[bytes]) -> None:
        """Add a file."""
        with self._zip.open(name, "w", force_zip64=True) as file:
            for part in content:
                file.write(part)

    def done(self) -> None:
        """Write the end."""
        self._zip.close()


class _Counted:
    """Lets a content pass, and knows its size and hash when it is through."""

    def __init__(self, content: Iterable[bytes]) -> None:
        self._content, self.hash, self.size = content, hashlib.sha256(), 0

    def __iter__(self) -> Iterator[bytes]:
        for part in self._content:
            self.hash.update(part)
            self.size += len(part)
            yield part


def _failed(folder: Path, fault: OSError) -> ConfigError:
    return ConfigError(
        f"cannot write {folder}: {fault.strerror or fault}",
        "name a folder in a place that you may write, with room enough",
        code="export_failed",
    )


def _json(told: Any) -> bytes:
    return json.dumps(told, ensure_ascii=False, indent=1, default=_plain).encode()


def _plain(one: Any) -> str:
    return one.isoformat() if isinstance(one, datetime) else str(one)


def _sheet(calls: Sequence[Mapping[str, Any]]) -> Sheet:
    titles = list(calls[0]) if calls else ["id"]
    columns = [Column(title=title, kind=_COLUMNS.get(title, Holds.TEXT)) for title in titles]
    return Sheet(
        name="calls",
        columns=columns,
        rows=[[_cell(call[title]) for title in titles] for call in calls],
    )


def _cell(one: Any) -> str | int | None:
    if one is None or isinstance(one, int):
        return one
    return " ".join(one) if isinstance(one, list) else _plain(one)


def _told(one: Recording, file: str) -> dict[str, Any]:
    known = ("id", "kind", "state", "call", "began", "ended", "duration_ms", "sha256", "gone_at")
    return {name: getattr(one, name) for name in known} | {"file": file}
