"""Who hears what, by any address; what is noted; what the browser gets, whole and in ranges."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
import pytest
from sqlalchemy import select

from cti.clock import SetClock
from cti.db.audit import audit
from cti.db.engine import Database
from cti.errors import StoreUnavailable
from cti.people.rules import Person, Role
from recordings.audio import looked, pieces
from recordings.record import Kind, Pause, Recording, State
from recordings.seal import Key, Keys
from tests.kit.recordings import BEGAN, BO_CALL, SPEECH, Archive, archive
from tests.kit.sound import RATE, heard, pitch, silence, stairs, tone, wav, written
from tests.kit.web import BO, CAST, LIN, MAY, OU, TAM, Seat, Stage, stage

KIM = Person(id="p-kim", number="5002", name="Kim", role=Role.MANAGER)
HOSTILE = "<img src=x onerror=alert(1)>"


@dataclass
class Heard:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()


@dataclass
class Hall:
    """The archive, served."""

    kept: Archive
    it: Stage

    @property
    def clock(self) -> SetClock:
        assert isinstance(self.kept.clock, SetClock)
        return self.kept.clock

    async def asks(self, seat: Seat, path: str, method: str = "GET", **how: Any) -> Heard:
        async with seat.browser.request(method, path, allow_redirects=False, **how) as answer:
            return Heard(answer.status, answer.headers, await answer.read())

    async def sends(self, seat: Seat, path: str, **form: str) -> Heard:
        return await self.asks(seat, path, "POST", data={"csrf": seat.csrf} | form)

    async def tells(self, seat: Seat, path: str, told: Any = None) -> Heard:
        return await self.asks(seat, path, "POST", json=told, headers=seat.headers)

    async def address(self, seat: Seat, one: Recording) -> str:
        """Give the address that a page has for somebody."""
        page = (await self.asks(seat, f"/recordings/{one.id}")).text
        (found,) = re.findall(r'<audio[^>]* src="([^"]+)"', page)
        return str(found)

    async def audits(self) -> list[tuple[str, str, str]]:
        async with self.kept.db.read() as conn:
            rows = await conn.execute(select(audit).order_by(audit.c.seq))
            return [(row.what, row.about, row.who) for row in rows]


@pytest.fixture
def keys() -> Keys | None:
    """With what the archive is sealed; a test may say."""
    return None


@pytest.fixture
async def hall(sqlite_db: Database, tmp_path: Path, keys: Keys | None) -> AsyncIterator[Hall]:
    """An archive of nothing yet; Kim is the manager."""
    async with (
        archive(sqlite_db, tmp_path / "recordings", keys=keys) as kept,
        stage(rooms=[kept.room], people=(*CAST, KIM), clock=kept.clock) as it,
    ):
        yield Hall(kept, it)


# -- who hears what


async def test_an_agent_hears_his_own_call(hall: Hall) -> None:
    one, may = await hall.kept.keeps(), await hall.it.enters(MAY)

    got = await hall.asks(may, await hall.address(may, one))

    assert (200, "audio/wav", SPEECH) == (got.status, got.headers["Content-Type"], got.body)


async def test_nobody_hears_a_colleagues_call_by_any_address(hall: Hall) -> None:
    one = await hall.kept.keeps(**BO_CALL)
    may, bo = await hall.it.enters(MAY), await hall.it.enters(BO)
    bos = await hall.address(bo, one)
    mine = hall.kept.listening.address(one, MAY)  # as if a page of ours had made a mistake

    got = [
        await hall.asks(may, f"/recordings/{one.id}"),
        await hall.asks(may, bos),
        await hall.asks(may, bos, "HEAD"),
        await hall.asks(may, mine),
        await hall.asks(may, mine, headers={"Range": "bytes=0-10"}),
        await hall.asks(may, f"/recordings/{one.id}/audio"),
        await hall.sends(may, f"/recordings/{one.id}/download", reason="x"),
        await hall.sends(may, f"/recordings/{one.id}/markers", at="0:01", text="x"),
        await hall.tells(may, f"/api/v1/recordings/{one.id}/address"),
        await hall.tells(may, f"/api/v1/recordings/{one.id}/markers", {"at_ms": 1, "text": "x"}),
    ]

    assert [404, 403, 403, 404, 404, 403, 404, 404, 404, 404] == [each.status for each in got]
    assert not any(SPEECH[:200] in each.body for each in got)
    for list_ in ("", "?call=call-bo", f"?person={BO.id}", "?customer=c-wang"):
        assert one.id not in (await hall.asks(may, f"/recordings{list_}")).text


@pytest.mark.parametrize(
    ("person", "hears"), [(LIN, True), (KIM, True), (OU, True), (BO, False), (TAM, False)]
)
async def test_rights_say_who_hears_a_call_of_may(hall: Hall, person: Person, hears: bool) -> None:
    one, seat = await hall.kept.keeps(), await hall.it.enters(person)

    got = await hall.asks(seat, f"/recordings/{one.id}")

    assert hears == (got.status == 200)


async def test_a_stranger_is_sent_to_the_login(hall: Hall) -> None:
    one, may = await hall.kept.keeps(), await hall.it.enters(MAY)
    address = await hall.address(may, one)

    async with hall.it.browser().get(address, allow_redirects=False) as answer:
        assert (303, f"/login?next=/recordings/{one.id}/audio") == (
            answer.status,
            answer.headers["Location"],
        )


async def test_where_the_house_says_so_agents_hear_nothing(hall: Hall) -> None:
    one, may = await hall.kept.keeps(), await hall.it.enters(MAY)
    address = await hall.address(may, one)
    hall.kept.rules = replace(hall.kept.rules, agents_listen=False)

    assert 404 == (await hall.asks(may, address)).status
    assert 404 == (await hall.asks(may, f"/recordings/{one.id}")).status
    got = await hall.asks(may, "/recordings")
    assert (409, True) == (got.status, "does not let agents hear" in got.text)


async def test_where_no_one_phone_was_recorded_all_who_spoke_hear_it(hall: Hall) -> None:
    one = await hall.kept.keeps(call="call-both", person=None, agent="")
    hall.kept.concerned["call-both"] = {MAY.id}
    may, bo = await hall.it.enters(MAY), await hall.it.enters(BO)

    assert 200 == (await hall.asks(may, f"/recordings/{one.id}")).status
    assert 404 == (await hall.asks(bo, f"/recordings/{one.id}")).status


async def test_who_left_the_house_hears_nothing_more(hall: Hall) -> None:
    one, may = await hall.kept.keeps(), await hall.it.enters(MAY)
    address = await hall.address(may, one)
    hall.it.accounts.people[MAY.id] = replace(MAY, active=False)

    assert 403 == (await hall.asks(may, address)).status


# -- passes


async def test_an_address_is_over_after_a_while(hall: Hall) -> None:
    one, may = await hall.kept.keeps(), await hall.it.enters(MAY)
    address = await hall.address(may, one)
    hall.clock.go(timedelta(minutes=12))

    got = await hall.asks(may, address)

    assert (403, True) == (got.status, "too old" in got.text)


async def test_a_new_address_is_given_for_one_that_is_over(hall: Hall) -> None:
    one, may = await hall.kept.keeps(), await hall.it.enters(MAY)
    await hall.address(may, one)
    hall.clock.go(timedelta(minutes=12))

    told = json.loads((await hall.tells(may, f"/api/v1/recordings/{one.id}/address")).body)

    assert SPEECH == (await hall.asks(may, told["address"])).body


@pytest.mark.parametrize("change", ["until", "once", "signature", "recording", "nothing", "noise"])
async def test_a_changed_address_is_refused(hall: Hall, change: str) -> None:
    one, other = await hall.kept.keeps(), await hall.kept.keeps(minute=5)
    may = await hall.it.enters(MAY)
    path, _, made = (await hall.address(may, one)).partition("?pass=")
    until, once, signed = made.split(".")
    tried = {
        "until": f"{path}?pass={int(until) + 3600}.{once}.{signed}",
        "once": f"{path}?pass={until}.{once.swapcase()[::-1]}A.{signed}",
        "signature": f"{path}?pass={until}.{once}.{signed[::-1]}",
        "recording": f"/recordings/{other.id}/audio?pass={made}",
        "nothing": path,
        "noise": f"{path}?pass=%01%ff..{'9' * 5000}.é",
    }

    assert 403 == (await hall.asks(may, tried[change])).status


async def test_an_address_serves_one_person_alone(hall: Hall) -> None:
    one, may, lin = await hall.kept.keeps(), await hall.it.enters(MAY), await hall.it.enters(LIN)

    assert 403 == (await hall.asks(lin, await hall.address(may, one))).status


@pytest.mark.parametrize(
    "id",
    [
        "../../etc/passwd",
        "..%2f..%2fetc%2fpasswd",
        "%2e%2e/audio",
        "a.wav",
        "%00",
        "x" * 4000,
        "'%20OR%201=1--",
        "录音",
    ],
)
async def test_no_address_leads_to_a_file(hall: Hall, id: str) -> None:
    await hall.kept.keeps()
    lin = await hall.it.enters(LIN)

    for end in ("", "/audio", "/audio?pass=1.a.b", "/audio?place=/etc/passwd"):
        assert (await hall.asks(lin, f"/recordings/{id}{end}")).status in (400, 403, 404)


async def test_a_link_in_the_storage_is_not_followed(hall: Hall, tmp_path: Path) -> None:
    one, may = await hall.kept.keeps(), await hall.it.enters(MAY)
    (tmp_path / "secret").write_bytes(SPEECH)
    file = tmp_path / "recordings" / one.place
    file.unlink()
    file.symlink_to(tmp_path / "secret")

    got = await hall.asks(may, await hall.address(may, one))

    assert (503, False) == (got.status, SPEECH[:100] in got.body)


# -- what is noted


async def test_a_play_is_noted_once_for_each_address(hall: Hall) -> None:
    one, may = await hall.kept.keeps(), await hall.it.enters(MAY)
    address = await hall.address(may, one)
    for start in (0, 1000, 2000):
        await hall.asks(may, address, headers={"Range": f"bytes={start}-"})

    assert [
        ("recordings_listed", "call:call-may", MAY.id),
        ("recording_played", f"recording:{one.id}", MAY.id),
    ] == await hall.audits()


async def test_to_ask_how_long_it_is_is_no_play(hall: Hall) -> None:
    one, may = await hall.kept.keeps(), await hall.it.enters(MAY)

    got = await hall.asks(may, await hall.address(may, one), "HEAD")

    assert (200, b"", str(len(SPEECH))) == (got.status, got.body, got.headers["Content-Length"])
    assert ["recordings_listed"] == [what for what, _, _ in await hall.audits()]


async def test_what_cannot_be_noted_is_not_played(
    hall: Hall, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, may = await hall.kept.keeps(), await hall.it.enters(MAY)
    address = await hall.address(may, one)

    async def away(*_: Any, **__: Any) -> None:
        raise StoreUnavailable("the database does not answer")

    with monkeypatch.context() as patch:
        patch.setattr(hall.kept.store, "note", away)
        assert 503 == (await hall.asks(may, address)).status

    assert 200 == (await hall.asks(may, address)).status
    assert ("recording_played", f"recording:{one.id}", MAY.id) in await hall.audits()


async def test_every_list_is_noted_by_call(hall: Hall) -> None:
    await hall.kept.keeps()
    await hall.kept.keeps(minute=1)
    await hall.kept.keeps(minute=2, **BO_CALL)
    lin = await hall.it.enters(LIN)

    await hall.asks(lin, "/recordings")

    assert [
        ("recordings_listed", "call:call-bo", LIN.id),
        ("recordings_listed", "call:call-may", LIN.id),
    ] == sorted(await hall.audits())


# -- what the browser gets


@pytest.mark.parametrize(
    ("asked", "status", "first", "stop"),
    [
        ("bytes=0-", 206, 0, None),
        ("bytes=0-99", 206, 0, 100),
        ("bytes=44-45", 206, 44, 46),
        ("bytes=1001-200001", 206, 1001, 200_002),
        ("bytes=-500", 206, -500, None),
        ("bytes=5-99999999999", 206, 5, None),
        ("bytes=-99999999999", 206, 0, None),
        ("bytes=9-5", 200, 0, None),
        ("bytes=0-1,5-9", 200, 0, None),
        ("bytes=-", 200, 0, None),
        ("bytes=a-b", 200, 0, None),
        ("lines=1-2", 200, 0, None),
    ],
)
async def test_ranges(hall: Hall, asked: str, status: int, first: int, stop: int | None) -> None:
    one, may = await hall.kept.keeps(), await hall.it.enters(MAY)

    got = await hall.asks(may, await hall.address(may, one), headers={"Range": asked})

    assert (status, SPEECH[first:stop]) == (got.status, got.body)
    assert str(len(got.body)) == got.headers["Content-Length"]
    assert ("Content-Range" in got.headers) == (status == 206)


@pytest.mark.parametrize("asked", ["bytes=999999999-", f"bytes={len(SPEECH)}-", "bytes=-0"])
async def test_a_range_that_is_not_there_is_told_so(hall: Hall, asked: str) -> None:
    one, may = await hall.kept.keeps(), await hall.it.enters(MAY)

    got = await hall.asks(may, await hall.address(may, one), headers={"Range": asked})

    assert (416, f"bytes */{len(SPEECH)}") == (got.status, got.headers["Content-Range"])


async def test_nothing_of_it_is_kept_by_the_browser(hall: Hall) -> None:
    one, may = await hall.kept.keeps(), await hall.it.enters(MAY)

    got = await hall.asks(may, await hall.address(may, one))

    assert "no-store" == got.headers["Cache-Control"]
    assert "nosniff" == got.headers["X-Content-Type-Options"]
    assert "bytes" == got.headers["Accept-Ranges"]


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("a.wav", written(stairs(20), "ULAW")),
        ("a.wav", written(stairs(20), "ALAW")),
        ("a.WAV", written(stairs(20), "GSM610")),
        ("a.gsm", written(stairs(20), "GSM610", "RAW")),
        ("a.ulaw", written(stairs(20), "ULAW", "RAW")),
    ],
)
async def test_what_no_browser_plays_is_sent_as_it_plays(
    hall: Hall, name: str, file: bytes
) -> None:
    one, may = await hall.kept.keeps(file, name), await hall.it.enters(MAY)
    address = await hall.address(may, one)
    at = 44 + 2 * RATE * 15

    whole = await hall.asks(may, address)
    part = await hall.asks(may, address, headers={"Range": f"bytes={at}-{at + 15_999}"})

    samples, _ = heard(whole.body)
    assert abs(len(samples) - 20 * RATE) < 320
    second = np.frombuffer(part.body, "<i2")
    assert abs(pitch(second) - pitch(stairs(16)[15 * RATE :])) < 5


KEY = Key(id="2026-11", secret=bytes(range(32)))


@pytest.mark.parametrize("keys", [Keys(first=KEY, by_id={KEY.id: KEY})], ids=["sealed"])
async def test_a_sealed_recording_plays_from_any_moment(hall: Hall, tmp_path: Path) -> None:
    one, may = await hall.kept.keeps(), await hall.it.enters(MAY)
    address = await hall.address(may, one)

    whole = await hall.asks(may, address)
    part = await hall.asks(may, address, headers={"Range": "bytes=500000-500099"})

    assert (SPEECH, SPEECH[500_000:500_100]) == (whole.body, part.body)
    assert SPEECH[44:500] not in (tmp_path / "recordings" / one.place).read_bytes()


async def test_a_file_that_is_no_sound_is_refused_in_words(hall: Hall) -> None:
    one, may = await hall.kept.keeps(), await hall.it.enters(MAY)
    page = b"<!doctype html>" * 100
    put = hall.kept.storage.put([page])
    await hall.kept.store.keep([replace(one, place=put.place, size=put.size)])

    got = await hall.asks(may, await hall.address(may, one))
    told = await hall.tells(may, f"/api/v1/recordings/{one.id}/address")

    assert (415, True) == (got.status, "cannot be played" in got.text)
    assert "audio_unknown" == json.loads(told.body)["code"]


async def test_a_storage_that_is_away_is_told_so_and_comes_back(hall: Hall, tmp_path: Path) -> None:
    one, may = await hall.kept.keeps(), await hall.it.enters(MAY)
    address, folder = await hall.address(may, one), tmp_path / "recordings"
    folder.rename(tmp_path / "away")

    assert 503 == (await hall.asks(may, address)).status

    (tmp_path / "away").rename(folder)
    assert SPEECH == (await hall.asks(may, address)).body


async def test_many_listen_at_once(hall: Hall) -> None:
    one, may = await hall.kept.keeps(), await hall.it.enters(MAY)
    address = await hall.address(may, one)

    got = await asyncio.gather(*(hall.asks(may, address) for _ in range(20)))

    assert {SPEECH} == {each.body for each in got}
    played = [what for what, _, _ in await hall.audits() if what == "recording_played"]
    assert 1 == len(played)


async def test_who_listens_waits_for_no_collector(hall: Hall) -> None:
    one, may = await hall.kept.keeps(), await hall.it.enters(MAY)
    address, done = await hall.address(may, one), Event()
    async with asyncio.TaskGroup() as collecting:
        for _ in range(40):
            collecting.create_task(asyncio.to_thread(done.wait, 30))
        try:
            got = await asyncio.wait_for(hall.asks(may, address), 20)
        finally:
            done.set()

    assert SPEECH == got.body


# -- pages


async def test_the_page_plays_without_a_script_and_shows_what_is_known(hall: Hall) -> None:
    sides = np.column_stack([tone(30), silence(30)]).reshape(-1)
    one = await hall.kept.keeps(
        wav(sides, 2), call="call-may", customer="c-wang", left="agent", mended=True
    )
    paused = Pause(
        id="1",
        call="call-may",
        recording=None,
        began=BEGAN + timedelta(seconds=5),
        ended=BEGAN + timedelta(seconds=9),
        person=MAY.id,
    )
    await hall.kept.pauses(paused)
    may = await hall.it.enters(MAY)

    page = (await hall.asks(may, f"/recordings/{one.id}")).text

    for word in ("<audio controls", "2026-11-22 10:00:00", "0:30", "王小明", "Agent", "Customer"):
        assert word in page
    assert "paused 0:05–0:09" in page
    assert "cut off" in page
    assert 2 == page.count("<path")


async def test_a_recording_that_was_deleted_shows_its_tombstone(hall: Hall) -> None:
    one = await hall.kept.keeps()
    lin = await hall.it.enters(LIN)
    address = await hall.address(lin, one)
    await hall.kept.store.keep([replace(one, gone_at=BEGAN, gone_reason="retention")])

    page = await hall.asks(lin, f"/recordings/{one.id}")
    sound = await hall.asks(lin, address)

    assert [410, 410] == [page.status, sound.status]
    assert "Deleted on 2026-11-22. Its time was over by the house&#39;s rules." in page.text
    assert "<audio" not in page.text
    assert "This recording was deleted" in sound.text


@pytest.mark.parametrize("state", [State.MISSING, State.DAMAGED, State.EXPECTED])
async def test_what_has_no_sound_says_why(hall: Hall, state: State) -> None:
    one = await hall.kept.keeps(state=state, place="", duration_ms=None, began=None)
    lin = await hall.it.enters(LIN)

    got = await hall.asks(lin, f"/recordings/{one.id}")

    assert (200, True) == (got.status, 'class="notice"' in got.text)


async def test_a_call_lists_its_recordings_and_a_customer_his(hall: Hall) -> None:
    first = await hall.kept.keeps(customer="c-wang")
    second = await hall.kept.keeps(minute=3, customer="c-wang", **BO_CALL | {"call": "call-may"})
    other = await hall.kept.keeps(minute=9, kind=Kind.VOICEMAIL, call="call-x", person=None)
    lin = await hall.it.enters(LIN)

    for path in ("?call=call-may", "?customer=c-wang"):
        page = (await hall.asks(lin, f"/recordings{path}")).text
        assert (True, True, False) == tuple(one.id in page for one in (first, second, other))


async def test_a_long_list_has_pages(hall: Hall) -> None:
    made = [await hall.kept.keeps(minute=n) for n in range(60)]
    lin = await hall.it.enters(LIN)

    page = (await hall.asks(lin, "/recordings")).text
    (older,) = re.findall(r'href="(/recordings\?before=[^"]+)"', page)
    rest = (await hall.asks(lin, older)).text

    shown = [sum(one.id in text for one in made) for text in (page, rest)]
    assert [50, 10] == shown


# -- comments


async def test_a_comment_is_kept_with_who_and_when(hall: Hall) -> None:
    one, may = await hall.kept.keeps(), await hall.it.enters(MAY)

    sent = await hall.sends(may, f"/recordings/{one.id}/markers", at="0:12", text=HOSTILE)
    told = await hall.tells(
        may, f"/api/v1/recordings/{one.id}/markers", {"at_ms": 3000, "text": "寒暄"}
    )

    assert (303, 200) == (sent.status, told.status)
    kept = await hall.kept.store.markers_of(one.id)
    assert [(3000, "寒暄", MAY.id), (12_000, HOSTILE, MAY.id)] == [
        (mark.at_ms, mark.text, mark.person) for mark in kept
    ]
    page = (await hall.asks(may, f"/recordings/{one.id}")).text
    assert HOSTILE not in page
    assert "0:12" in page
    assert 2 == [what for what, _, _ in await hall.audits()].count("recording_marked")


@pytest.mark.parametrize(
    ("at", "text"), [("1:30", "x"), ("x", "x"), ("0:10", ""), ("0:10", "x" * 501), ("-1:00", "x")]
)
async def test_a_comment_that_makes_no_sense_is_refused(hall: Hall, at: str, text: str) -> None:
    one, may = await hall.kept.keeps(), await hall.it.enters(MAY)

    got = await hall.sends(may, f"/recordings/{one.id}/markers", at=at, text=text)

    assert (409, True) == (got.status, 'role="alert"' in got.text)
    assert [] == list(await hall.kept.store.markers_of(one.id))


async def test_the_auditor_writes_no_comment(hall: Hall) -> None:
    one, ou = await hall.kept.keeps(), await hall.it.enters(OU)

    page = (await hall.asks(ou, f"/recordings/{one.id}")).text
    got = await hall.sends(ou, f"/recordings/{one.id}/markers", at="0:01", text="x")

    assert (False, 409) == ("mark-form" in page, got.status)


@pytest.mark.parametrize("who", [MAY, LIN], ids=["who wrote it", "a supervisor"])
@pytest.mark.parametrize("api", [True, False], ids=["script", "form"])
async def test_a_comment_is_taken_away_and_what_it_said_is_noted(
    hall: Hall, who: Person, api: bool
) -> None:
    one, may = await hall.kept.keeps(), await hall.it.enters(MAY)
    await hall.sends(may, f"/recordings/{one.id}/markers", at="0:12", text="typed in a hurry")
    (mark,) = await hall.kept.store.markers_of(one.id)
    seat, path = await hall.it.enters(who), f"/recordings/{one.id}/markers/{mark.id}"
    page = (await hall.asks(seat, f"/recordings/{one.id}")).text

    got = await (hall.tells(seat, f"/api/v1{path}", {}) if api else hall.sends(seat, path))
    again = await hall.sends(seat, path)

    assert (f'action="{path}"' in page, 200 if api else 303, 303) == (
        True, got.status, again.status,
    )  # fmt: skip
    assert [] == list(await hall.kept.store.markers_of(one.id))
    noted = [row for row in await hall.audits() if row[0] == "recording_unmarked"]
    assert [("recording_unmarked", f"recording:{one.id}", who.id)] == noted


async def test_nobody_takes_away_what_a_colleague_wrote(hall: Hall) -> None:
    one = await hall.kept.keeps()
    lin, may = await hall.it.enters(LIN), await hall.it.enters(MAY)
    await hall.sends(lin, f"/recordings/{one.id}/markers", at="0:12", text="be kinder")
    (mark,) = await hall.kept.store.markers_of(one.id)
    path = f"/recordings/{one.id}/markers/{mark.id}"

    page = (await hall.asks(may, f"/recordings/{one.id}")).text
    got = await hall.tells(may, f"/api/v1{path}", {})
    ou = await hall.tells(await hall.it.enters(OU), f"/api/v1{path}", {})

    assert (False, 409, 409) == (path in page, got.status, ou.status)
    assert [mark] == list(await hall.kept.store.markers_of(one.id))


@pytest.mark.parametrize("told", [{"at_ms": "x", "text": "y"}, {"at_ms": 1}, [], "x"])
async def test_a_body_that_is_no_comment_is_refused(hall: Hall, told: Any) -> None:
    one, may = await hall.kept.keeps(), await hall.it.enters(MAY)

    assert 400 == (await hall.tells(may, f"/api/v1/recordings/{one.id}/markers", told)).status


# -- taking away


async def test_a_manager_takes_a_file_away_and_says_why(hall: Hall) -> None:
    file = written(stairs(5), "GSM610", "RAW")
    one, kim = await hall.kept.keeps(file, "a.gsm"), await hall.it.enters(KIM)

    got = await hall.sends(kim, f"/recordings/{one.id}/download", reason="客訴 2231")

    assert (200, file) == (got.status, got.body)
    assert re.fullmatch(
        r'attachment; filename="recording-20261122-020000-\w{6}\.gsm"',
        got.headers["Content-Disposition"],
    )
    assert ("recording_downloaded", f"recording:{one.id}", KIM.id) in await hall.audits()


@pytest.mark.parametrize(
    ("person", "reason"), [(KIM, ""), (KIM, "x" * 501), (LIN, "x"), (MAY, "x"), (OU, "x")]
)
async def test_without_right_or_reason_nothing_is_taken_away(
    hall: Hall, person: Person, reason: str
) -> None:
    one, seat = await hall.kept.keeps(), await hall.it.enters(person)

    got = await hall.sends(seat, f"/recordings/{one.id}/download", reason=reason)

    assert (409, False) == (got.status, SPEECH[:100] in got.body)
    assert "recording_downloaded" not in [what for what, _, _ in await hall.audits()]


async def test_the_house_may_let_supervisors_take_files_away(hall: Hall) -> None:
    one, lin = await hall.kept.keeps(), await hall.it.enters(LIN)
    hall.kept.rules = replace(hall.kept.rules, download=("supervisor",))

    assert SPEECH == (await hall.sends(lin, f"/recordings/{one.id}/download", reason="x")).body


# -- how what is dear to decode begins


async def test_what_is_dear_to_decode_is_made_while_its_page_is_looked_at(hall: Hall) -> None:
    file = written(stairs(60), "GSM610")
    one = await hall.kept.keeps(file, "dear.WAV")
    lin = await hall.it.enters(LIN)

    address = await hall.address(lin, one)
    begins = hall.kept.listening._begins
    async with asyncio.timeout(10):
        while len(begins._made) < 6:  # noqa: ASYNC110  a thread makes them
            await asyncio.sleep(0.01)
    whole = (await hall.asks(lin, address)).body
    sound = looked(lambda at, length: file[at : at + length], len(file), "dear.WAV")
    for first in (0, 10, 44, 45, 16_428, 16_429, 30_001):
        got = await hall.asks(lin, address, headers={"Range": f"bytes={first}-{first + 20_000}"})
        parts = pieces(sound, first, first + 20_001)
        cold = [one.sent(file[one.offset : one.offset + one.length]) for one in parts]
        assert b"".join(cold) == got.body, first

    samples, _ = heard(whole)
    assert 60 * RATE <= len(samples) < 61 * RATE
    assert abs(pitch(samples[20 * RATE : 21 * RATE]) - 800) < 5


async def test_what_is_cheap_is_made_when_it_is_asked_for(hall: Hall) -> None:
    one, lin = await hall.kept.keeps(), await hall.it.enters(LIN)

    address = await hall.address(lin, one)
    await hall.asks(lin, address)

    assert {} == hall.kept.listening._begins._made
