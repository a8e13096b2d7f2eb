"""Recordings are kept once each, with the strongest evidence; on every database."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from cti.db import audit
from cti.db.engine import Database
from cti.db.schema import new_id
from cti.errors import Refused
from recordings.record import Kind, Marker, NamedBy, Recording, State
from recordings.store import RecordingStore

NOON = datetime(2026, 11, 27, 4, tzinfo=UTC)


def recording(minute: int = 0, **known: object) -> Recording:
    """Make a recording of one minute that is stored and belongs to nothing yet."""
    began = NOON + timedelta(minutes=minute)
    made = Recording(
        id=new_id(began),
        pbx="main",
        kind=Kind.CALL,
        state=State.STORED,
        source=f"/var/spool/asterisk/monitor/{minute}.wav",
        began=began,
        ended=began + timedelta(minutes=1),
        duration_ms=60_000,
        size=960_044,
        sha256=f"{minute:064x}",
        format="wav",
        rate=8000,
        channels=1,
        place=f"local/{minute}",
        seen_at=began,
    )
    return replace(made, **known)  # type: ignore[arg-type]


def linked(minute: int = 0, **known: object) -> Recording:
    """Make a recording that belongs to a call."""
    made = {"state": State.LINKED, "call": "call-1", "named_by": NamedBy.EVENT}
    return recording(minute, **(made | known))


async def test_what_is_kept_is_read_back_whole(db: Database) -> None:
    store = RecordingStore(db)
    one = linked(agent="6001", person="p-may", customer="c-wang", silence_share=0.25, left="agent")

    await store.keep([one], {one.id: b"\x00\xff"})

    assert one == await store.get(one.id)
    assert await store.peaks(one.id) == b"\x00\xff"


async def test_the_same_file_is_one_recording_however_often_it_is_kept(db: Database) -> None:
    store = RecordingStore(db)
    first = recording()
    again = replace(first, id=new_id(NOON), seen_at=NOON + timedelta(hours=1))

    await store.keep([first], {first.id: b"drawn"})
    (told,) = await store.keep([again])

    assert first == told == await store.get(first.id)
    assert await store.peaks(first.id) == b"drawn"
    assert await store.counts() == {State.STORED: 1}


async def test_a_name_that_the_pbx_uses_again_is_another_recording(db: Database) -> None:
    store = RecordingStore(db)
    first, second = recording(), recording(take=1)

    await store.keep([first, second])

    assert {first.source: second} == await store.latest("main", [first.source, "/none.wav"])
    assert await store.latest("other", [first.source]) == {}


async def test_weaker_evidence_does_not_move_a_recording_to_another_call(db: Database) -> None:
    store = RecordingStore(db)
    by_event = linked(call="right")
    by_name = replace(by_event, call="wrong", named_by=NamedBy.OVERLAP)

    await store.keep([by_event])
    (told,) = await store.keep([by_name])

    assert (told.call, told.named_by) == ("right", NamedBy.EVENT)


async def test_stronger_evidence_does(db: Database) -> None:
    store = RecordingStore(db)
    await store.keep([linked(call="wrong", named_by=NamedBy.OVERLAP)])

    await store.keep([linked(call="right")])

    assert [one.call for one in await store.of_call("right")] == ["right"]
    assert await store.of_call("wrong") == []


async def test_a_state_that_may_not_follow_is_not_taken(db: Database) -> None:
    store = RecordingStore(db)
    await store.keep([linked()])

    (told,) = await store.keep([linked(state=State.EXPECTED)])

    assert told.state is State.LINKED


async def test_a_call_that_has_a_recording_misses_none(db: Database) -> None:
    store = RecordingStore(db)
    none = recording(state=State.MISSING, call="call-1", source="", place="")
    await store.keep([none])
    assert [none] == await store.missing()

    await store.keep([linked()])

    assert await store.missing() == []


async def test_the_recordings_of_a_call_come_in_the_order_of_the_sound(db: Database) -> None:
    store = RecordingStore(db)
    later, first, other = linked(5), linked(1), linked(2, call="call-2")
    await store.keep([later, first, other])

    assert [first, later] == await store.of_call("call-1")
    assert {"call-1": [first, later], "call-2": [other]} == await store.of_calls(
        ["call-1", "call-2", "call-3"]
    )


@pytest.mark.parametrize("which", ["missing", "orphans", "customer", "person"])
async def test_a_list_is_read_page_by_page_newest_first(db: Database, which: str) -> None:
    store = RecordingStore(db)
    state = State.MISSING if which == "missing" else State.ORPHAN
    all_of_it = [recording(n, state=state, customer="c", person="p") for n in range(5)]
    await store.keep(all_of_it)

    async def page(before: str | None) -> list[Recording]:
        if which == "customer":
            return await store.of_customer("c", before, 2)
        if which == "person":
            return await store.of_person("p", before, 2)
        return await (store.missing if which == "missing" else store.orphans)(before, 2)

    found: list[Recording] = []
    while some := await page(found[-1].id if found else None):
        found += some

    assert all_of_it[::-1] == found


async def test_one_that_is_not_there_is_refused(db: Database) -> None:
    with pytest.raises(Refused) as caught:
        await RecordingStore(db).get("none")

    assert caught.value.code == "no_such_recording"


async def test_sound_that_two_share_is_known_to_be_shared(db: Database) -> None:
    store = RecordingStore(db)
    gone = recording(3, place="local/same", gone_at=NOON, gone_reason="retention")
    await store.keep([recording(1, place="local/same"), recording(2, place="local/same"), gone])

    assert await store.sharing("local/same") == 2


async def test_how_far_calls_were_looked_at_is_remembered(db: Database) -> None:
    store = RecordingStore(db)
    assert await store.cursor("calls") is None

    for call in ("call-1", "call-2"):
        await store.move_cursor("calls", NOON, call)

    assert await store.cursor("calls") == (NOON, "call-2")


async def test_what_belongs_to_nothing_is_told_oldest_first(db: Database) -> None:
    store = RecordingStore(db)
    some = [recording(n) for n in range(3)]
    gone = recording(7, gone_at=NOON, gone_reason="retention")
    await store.keep([*some, gone, linked(8), recording(9, state=State.ORPHAN)])

    assert some == await store.unlinked([State.STORED])
    assert some[1:] == await store.unlinked([State.STORED], since=NOON + timedelta(minutes=1))


async def test_only_what_has_no_sound_is_dropped(db: Database) -> None:
    store = RecordingStore(db)
    kept, awaited = linked(1), linked(2, state=State.EXPECTED, sha256="", place="")
    await store.keep([kept, awaited])

    await store.drop([kept.id, awaited.id])

    assert [kept] == await store.of_call("call-1")


async def test_who_stored_nothing_yet_has_a_new_folder(db: Database) -> None:
    store = RecordingStore(db)
    await store.keep([linked(state=State.EXPECTED, place="")])
    assert not await store.used()

    await store.keep([linked()])

    assert await store.used()


async def test_a_comment_and_a_play_are_kept_with_a_row_of_the_audit(db: Database) -> None:
    store, one = RecordingStore(db), linked()
    await store.keep([one])
    later, sooner = (
        Marker(id=str(at), recording=one.id, at_ms=at, person="p-may", text="ok", made_at=NOON)
        for at in (9000, 3000)
    )

    for marker in (later, sooner):
        await store.mark(marker, "10.0.0.7")
    about = {f"recording:{one.id}": {"call": "call-1"}, "call:call-2": {"recordings": ["x"]}}
    await store.note("recording_played", about, who="p-lin", at=NOON, reason="r", address="a")

    assert [sooner, later] == list(await store.markers_of(one.id))
    async with db.read() as conn:
        rows = (await conn.execute(select(audit.audit).order_by(audit.audit.c.seq))).all()
        chain = await audit.verify(conn)
    assert [
        ("recording_marked", f"recording:{one.id}", "p-may", "10.0.0.7"),
        ("recording_marked", f"recording:{one.id}", "p-may", "10.0.0.7"),
        ("recording_played", f"recording:{one.id}", "p-lin", "a"),
        ("recording_played", "call:call-2", "p-lin", "a"),
    ] == [(row.what, row.about, row.who, row.address) for row in rows]
    assert (4, 0) == (chain.seq, chain.broken)


async def test_what_has_sound_is_listed_newest_first_page_by_page(db: Database) -> None:
    store = RecordingStore(db)
    some = [linked(minute) for minute in range(3)]
    await store.keep([*some, linked(9, state=State.MISSING, place="")])

    first = await store.kept(limit=2)
    rest = await store.kept(first[-1].id, limit=2)

    assert ([some[2], some[1]], [some[0]]) == (first, rest)
