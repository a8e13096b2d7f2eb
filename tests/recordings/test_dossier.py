"""All that is kept of one customer is given away whole, or erased whole, or refused whole."""

import asyncio
import hashlib
import io
import json
import zipfile
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from cti.callbacks.store import CallbackStore
from cti.calls.record import Direction
from cti.calls.store import CallStore, calls, legs, offers
from cti.cli import run
from cti.clock import SetClock
from cti.customers.rules import Customer, Entry
from cti.customers.store import CustomerStore
from cti.db.audit import audit
from cti.db.engine import Database
from cti.errors import ConfigError, Refused
from cti.house import House
from cti.penalties.store import PenaltyStore
from cti.people.rules import Directory, Person, Role
from cti.quality.store import QualityStore
from recordings.dossier import FolderSink, ZipSink
from recordings.keeping import KeepingRoom
from recordings.listening import Listening
from recordings.record import Recording
from recordings.setup import keeping_of
from recordings.storage import LocalFolder
from recordings.store import RecordingStore
from tests.calls.test_store import answered, batch, keep, keeping, live
from tests.kit.web import CAST, LIN, MAY, Stage, stage
from tests.recordings.test_store import NOON, linked

KIM = Person(id="p-kim", number="5002", name="Kim", role=Role.MANAGER)
WANG, LI = "+8613800138000", "+8613900139000"
SOUND = b"RIFF speech of Wang"


class Files:
    """A customer with calls and sound, and all stores that know of him."""

    def __init__(self, db: Database, root: Path) -> None:
        self.db, self.root, self.clock = db, root, SetClock(NOON)
        self.storage = LocalFolder(root / "kept")
        self.storage.begin(used=False)
        self.store, self.calls = RecordingStore(db), CallStore(db)
        self.customers = CustomerStore(db, self.clock)
        self.callbacks = CallbackStore(db)
        self.keeper, self.dossier = keeping_of(
            db,
            self.storage,
            customers=self.customers,
            calls=self.calls,
            penalties=PenaltyStore(db, self.clock, House, Directory),
            callbacks=self.callbacks,
            quality=QualityStore(db),
            house=lambda: House(version="v7"),
            clock=self.clock,
        )
        self.wang: Customer

    async def begin(self) -> None:
        """Wang called and was called; Li called; a third call names nobody."""
        self.wang = await self._add("王小明", "W1", WANG)
        li = await self._add("Li", "L1", LI)
        by = (("l-1", "Local/13800138000@out-00000001;1"),)
        out = answered("out", direction=Direction.OUTBOUND, dialled="13800138000", legs=by)
        unnamed = keeping(answered("unnamed"), number=WANG, customer=None)
        await keep(
            self.db,
            batch(
                keeping(answered("in"), customer=self.wang.id),
                keeping(out, customer=self.wang.id),
                unnamed,
                keeping(answered("li"), number=LI, customer=li.id),
            ),
        )
        self.sound = await self.keeps("in", SOUND, customer=self.wang.id)
        await self.keeps("li", b"sound of Li", customer=li.id)

    async def _add(self, name: str, external_id: str, number: str) -> Customer:
        phones = ((number, number),)
        return await self.customers.add(Entry(name=name, external_id=external_id, phones=phones))

    async def keeps(self, call: str, content: bytes, **known: Any) -> Recording:
        put = self.storage.put([content])
        one = linked(
            call=call,
            source=f"/monitor/q-13800138000-{call}.wav",
            place=put.place,
            sha256=put.sha256,
            size=put.size,
            channel="PJSIP/13800138000-1",
            **known,
        )
        await self.store.keep([one], {one.id: b"drawn"})
        return one

    async def erase(self, **how: Any) -> None:
        await self.dossier.erase(self.wang.id, who=KIM.id, **{"reason": "he asked"} | how)

    async def row(self, call: str) -> Mapping[str, Any]:
        async with self.db.read() as conn:
            found = await conn.execute(select(calls).where(calls.c.id == call))
            return dict(found.one()._mapping)

    async def audits(self) -> list[tuple[str, str, str]]:
        async with self.db.read() as conn:
            rows = await conn.execute(select(audit).order_by(audit.c.seq))
            return [(row.what, row.about, row.reason) for row in rows]


@pytest.fixture
async def files(db: Database, tmp_path: Path) -> Files:
    """Wang's files, on each database."""
    made = Files(db, tmp_path)
    await made.begin()
    return made


# -- giving away


async def test_a_customer_is_given_away_with_every_file_and_its_hash(files: Files) -> None:
    sink = FolderSink(files.root / "out")

    given = await files.dossier.export(files.wang.id, sink, who=KIM.id, reason="he asked")
    sink.done()

    folder = files.root / "out"
    manifest = json.loads((folder / "manifest.json").read_text())
    assert given.files == manifest["files"]
    for file in manifest["files"]:
        content = (folder / file["name"]).read_bytes()
        assert (file["size"], file["sha256"]) == (
            len(content),
            hashlib.sha256(content).hexdigest(),
        )
    assert {"in", "out", "unnamed"} == {
        one["id"] for one in json.loads((folder / "calls.json").read_text())
    }
    (heard,) = (one for one in json.loads((folder / "recordings.json").read_text()) if one["file"])
    assert SOUND == (folder / heard["file"]).read_bytes()
    assert "13800138000" in (folder / "calls.csv").read_text()
    assert 0o700 == folder.stat().st_mode & 0o777
    assert [("customer_exported", f"customer:{files.wang.id}", "he asked")] == await files.audits()


async def test_what_cannot_be_read_is_told_and_the_rest_is_given(files: Files) -> None:
    (files.root / "kept" / files.sound.place).write_bytes(b"spoilt")
    told = io.BytesIO()
    sink = ZipSink(told)

    given = await files.dossier.export(files.wang.id, sink, who=KIM.id, reason="he asked")
    sink.done()

    with zipfile.ZipFile(told) as made:
        assert not [name for name in made.namelist() if name.startswith("audio/")]
        assert [files.sound.id] == json.loads(made.read("manifest.json"))["unread"] == given.unread


def test_a_folder_that_is_there_is_not_written_into(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is there already"):
        FolderSink(tmp_path)


def test_an_export_that_was_broken_off_leaves_nothing(tmp_path: Path) -> None:
    sink = FolderSink(tmp_path / "out")
    sink.add("a", [b"x"])

    sink.drop()

    assert [] == list(tmp_path.iterdir())


# -- erasing


async def test_erased_is_the_sound_and_whose_the_calls_were(files: Files) -> None:
    before = await files.row("out")

    await files.erase()
    await files.keeper.finish()

    told = await files.store.get(files.sound.id)
    assert (None, "", "", "", "erased") == (
        told.customer,
        told.source,
        told.channel,
        told.place,
        told.gone_reason,
    )
    for call in ("in", "out", "unnamed"):
        row = await files.row(call)
        assert [None] * 4 == [row[name] for name in ("number", "caller", "caller_name", "customer")]
        assert ([], before["talk_ms"], before["rings"]) == (
            row["recordings"],
            row["talk_ms"],
            row["rings"],
        )
    assert (None, "4000") == (
        (await files.row("out"))["dialled"],
        (await files.row("in"))["dialled"],
    )
    emptied = await files.customers.get(files.wang.id)
    assert emptied == Customer(id=files.wang.id, name="")


async def test_another_customer_loses_nothing(files: Files) -> None:
    before = await files.row("li")

    await files.erase()
    await files.keeper.finish()

    assert before == await files.row("li")
    (one,) = await files.store.of_call("li")
    assert one.playable
    with files.storage.open(one.place) as reader:
        assert b"sound of Li" == reader.read(0, 100)


async def test_nothing_of_him_is_found_in_the_database_but_in_the_audit(files: Files) -> None:
    await files.erase()

    for table in (calls, offers, legs):
        async with files.db.read() as conn:
            rows = [str(row) for row in await conn.execute(select(table)) if row[0] != "li"]
        assert not [row for row in rows if "13800138000" in row or "王小明" in row]
    assert 0 == len(await files.customers.find(WANG))


async def test_a_number_that_two_have_names_no_call_of_one(files: Files) -> None:
    await files._add("王太太", "W2", WANG)

    await files.erase()

    assert (None, WANG) == (
        (await files.row("in"))["number"],
        (await files.row("unnamed"))["number"],
    )


async def test_what_is_held_refuses_it_whole_and_is_named(files: Files) -> None:
    await files.keeper.hold("in", LIN, "a lawyer asked", None)

    with pytest.raises(Refused, match=r"in \(by_hand a lawyer asked\)") as refused:
        await files.erase()

    assert "customer_held" == refused.value.code
    assert WANG == (await files.row("out"))["number"]
    assert (await files.store.get(files.sound.id)).playable


async def test_a_live_call_refuses_it_whole(files: Files) -> None:
    await keep(files.db, batch(keeping(live("now"), customer=files.wang.id)))

    with pytest.raises(Refused) as refused:
        await files.erase()

    assert "customer_on_call" == refused.value.code
    assert (await files.store.get(files.sound.id)).playable


@pytest.mark.parametrize(
    ("how", "code"), [({"seen": (3, 2)}, "erase_changed"), ({"reason": " "}, "bad_text")]
)
async def test_it_is_erased_for_a_reason_and_as_it_was_seen(
    files: Files, how: dict[str, Any], code: str
) -> None:
    with pytest.raises(Refused) as refused:
        await files.erase(**how)

    assert code == refused.value.code


async def test_erasing_again_changes_nothing(files: Files) -> None:
    await files.erase()
    first = await files.audits()

    await files.erase()

    assert [what for what, *_ in first] == ["recording_deleted", "customer_erased"]
    assert [what for what, *_ in await files.audits()][2:] == ["customer_erased"]


# -- the pages


@pytest.fixture
async def hall(sqlite_db: Database, tmp_path: Path) -> AsyncIterator[tuple[Files, Stage]]:
    """Wang's files, served."""
    made = Files(sqlite_db, tmp_path)
    await made.begin()

    async def nobody(_calls: object) -> dict[str, set[str]]:
        return {}

    listening = Listening(
        made.store,
        made.storage,
        concerned=nobody,
        rules=lambda: House().recordings,
        clock=made.clock,
    )
    room = KeepingRoom(
        made.keeper,
        made.dossier,
        listening,
        who=str,
        house=House,
        clock=made.clock,
        folder=tmp_path,
    )
    async with stage(rooms=[room], people=(*CAST, KIM), clock=made.clock) as it:
        yield made, it


async def asks(it: Stage, who: Person, path: str, **form: str) -> tuple[int, bytes]:
    """Read a page as somebody, or send a form to it."""
    seat = await it.enters(who)
    data = {"csrf": seat.csrf} | form
    async with seat.browser.request(
        "POST" if form else "GET", path, data=data if form else None, allow_redirects=False
    ) as answer:
        return answer.status, await answer.read()


async def test_a_manager_sees_the_count_and_erases_what_he_saw(hall: tuple[Files, Stage]) -> None:
    files, it = hall
    path = f"/customers/{files.wang.id}/data"
    agreed = {"do": "erase", "reason": "he asked", "sure": "yes", "calls": "3", "recordings": "1"}

    _, page = await asks(it, KIM, path)
    wrong = await asks(it, KIM, path, **agreed | {"calls": "2"})
    unsure = await asks(it, KIM, path, **agreed | {"sure": ""})
    done = await asks(it, KIM, path, **agreed)

    assert b"deleted for good, with their comments: 1." in page
    assert [409, 409, 303] == [wrong[0], unsure[0], done[0]]
    assert b"look again" in wrong[1]
    assert b"Nothing is kept of this customer" in (await asks(it, KIM, path))[1]


async def test_a_manager_takes_everything_away_as_one_file(hall: tuple[Files, Stage]) -> None:
    files, it = hall

    status, body = await asks(
        it, KIM, f"/customers/{files.wang.id}/data", do="export", reason="he asked"
    )

    assert 200 == status
    with zipfile.ZipFile(io.BytesIO(body)) as made:
        assert SOUND in [made.read(name) for name in made.namelist()]


async def test_a_supervisor_holds_and_lets_go_and_the_page_says_so(
    hall: tuple[Files, Stage],
) -> None:
    files, it = hall
    path = f"/recordings/{files.sound.id}/keeping"

    _, before = await asks(it, LIN, path)
    bad = await asks(it, LIN, path, do="hold", reason="x", until="soon")
    held = await asks(it, LIN, path, do="hold", reason="<b>law", until="2026-12-01")
    _, page = await asks(it, LIN, path)
    _, data = await asks(it, KIM, f"/customers/{files.wang.id}/data")
    (hold,) = (await files.keeper.holds(["in"]))["in"]
    lifted = await asks(it, LIN, path, do="lift", reason="settled", hold=hold.id)

    assert b"kept until 2027-11-27" in before
    assert [409, 303, 303] == [bad[0], held[0], lifted[0]]
    assert b"&lt;b&gt;law" in page
    assert b"until 2026-12-02 00:00" in page
    assert b"It cannot be erased now" in data
    assert {} == await files.keeper.holds(["in"])


@pytest.mark.parametrize(("who", "data", "keeping"), [(MAY, 403, 403), (LIN, 403, 200)])
async def test_rights_say_who_sees_what(
    hall: tuple[Files, Stage], who: Person, data: int, keeping: int
) -> None:
    files, it = hall

    paths = (f"/customers/{files.wang.id}/data", f"/recordings/{files.sound.id}/keeping")

    assert [data, keeping] == [(await asks(it, who, path))[0] for path in paths]


# -- the commands


def test_the_commands_give_away_and_erase(tmp_path: Path, capsys: Any) -> None:
    site = tmp_path / "site"
    assert 0 == run(["init", str(site)])
    config = ["--config", str(site / "cti.toml")]

    async def fill() -> None:
        db = await Database.open(f"sqlite+aiosqlite:///{site}/data/cti.sqlite3")
        made = Files(db, site / "data")
        made.storage = LocalFolder(site / "data" / "recordings")
        made.storage.begin(used=False)
        await made.begin()
        await db.close()

    asyncio.run(fill())
    capsys.readouterr()

    assert 0 == run(["customers", "export", "W1", "--to", str(tmp_path / "out"), *config])
    assert f"14 files are in {tmp_path}/out\n" == capsys.readouterr().out
    assert 0 == run(["customers", "erase", "W1", "--reason", "he asked", *config])
    said = capsys.readouterr().out
    assert "erased: 1 recordings, the traces of 3 calls, the record" in said
    assert "the PBX main may still have /monitor/q-13800138000-in.wav" in said
    assert 1 == len(list((site / "data" / "recordings").glob("??/*")))
    assert 2 == run(["customers", "erase", "W1", "--reason", "again", *config])
    assert "there is no customer" in capsys.readouterr().err
