"""The player in a real browser: it plays, it seeks, by keys and without a script, for everybody."""

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytest_asyncio
from playwright.async_api import Browser, Locator, expect

from cti.clock import SystemClock
from cti.db import migrate
from cti.db.engine import Database
from recordings.record import Kind, Marker, Pause, Recording, State
from tests.browser.conftest import Room, Tab
from tests.browser.test_access import BROWSERS, DARK, FORCED, NARROW, looks_good
from tests.kit.recordings import BEGAN, Archive, archive
from tests.kit.sound import silence, stairs, tone, wav, written
from tests.kit.web import LIN, MAY, stage
from tests.recordings.test_in_pages import incident

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

SPEECH = stairs(120)
HEARD = "(audio) => ({at: audio.currentTime, paused: audio.paused, length: audio.duration})"


@dataclass
class Hall:
    """The archive, served to browsers."""

    kept: Archive
    room: Room

    async def opens(self, one: Recording, **how: Any) -> Tab:
        """Open a recording's page as Lin, the supervisor."""
        return await self.goes(f"/recordings/{one.id}", **how)

    async def goes(self, path: str, **how: Any) -> Tab:
        if LIN.id not in self.room.contexts:
            await self.room.enters(LIN, **how)
        return await goes(self.room, path)

    async def talk(self) -> Recording:
        """A call of two sides with a pause, two comments and all that may stand beside it."""
        agent = np.concatenate([tone(20, 300, 0.7), silence(40), tone(40, 260, 0.4), silence(20)])
        customer = np.concatenate(
            [silence(25), tone(30, 500, 0.3), silence(10), tone(55, 420, 0.6)]
        )
        both = np.column_stack([customer, agent]).reshape(-1)
        one = await self.kept.keeps(wav(both, 2), left="customer", customer="c-wang", mended=True)
        for at, text in ((12_000, "問候語正確"), (70_000, "Promised to call back on Friday")):
            marker = Marker(
                id=f"{at}", recording=one.id, at_ms=at, person=MAY.id, text=text, made_at=BEGAN
            )
            await self.kept.store.mark(marker)
        await self.kept.pauses(
            Pause(
                id="p1",
                call="call-may",
                recording=None,
                began=BEGAN + timedelta(seconds=35),
                ended=BEGAN + timedelta(seconds=50),
                person=MAY.id,
            )
        )
        return one


async def goes(room: Room, path: str) -> Tab:
    """Open a page as Lin."""
    tab = Tab(await room.contexts[LIN.id].new_page())
    tab.page.on("pageerror", lambda fault: tab.faults.append(str(fault)))
    room.tabs.append(tab)
    await tab.page.goto(f"{room.it.origin}{path}")
    return tab


async def database(folder: Path) -> Database:
    url = f"sqlite+aiosqlite:///{folder / 'cti.sqlite3'}"
    await migrate.upgrade(url)
    return await Database.open(url)


@pytest_asyncio.fixture(loop_scope="session")
async def hall(chrome: Browser, tmp_path: Path) -> AsyncIterator[Hall]:
    """A server with an archive of nothing yet; no page may have complained at the end."""
    db, clock = await database(tmp_path), SystemClock()
    async with (
        archive(db, tmp_path / "recordings", clock) as kept,
        stage(rooms=[kept.room], clock=clock) as it,
    ):
        room = Room(it, chrome)
        yield Hall(kept, room)
        for context in room.contexts.values():
            await context.close()

        assert [] == [fault for tab in room.tabs for fault in tab.faults]
    await db.close()


def audio(tab: Tab) -> Locator:
    return tab.page.locator("cti-player audio")


async def plays_from(tab: Tab, seconds: float) -> None:
    """Wait until the sound runs, a little after a moment."""
    await tab.page.wait_for_function(
        "(from) => { const audio = document.querySelector('cti-player audio');"
        " return !audio.paused && audio.currentTime > from && audio.currentTime < from + 4; }",
        arg=seconds,
    )


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("a.wav", wav(SPEECH)),
        ("a.wav", written(SPEECH, "ULAW")),
        ("a.wav", written(SPEECH, "ALAW")),
        ("a.WAV", written(SPEECH, "GSM610")),
        ("a.gsm", written(SPEECH, "GSM610", "RAW")),
        ("a.ulaw", written(SPEECH, "ULAW", "RAW")),
        ("a.ogg", written(SPEECH, "OPUS", "OGG")),
    ],
    ids=["PCM", "µ-law", "A-law", "WAV49", "GSM", "bare µ-law", "Opus"],
)
async def test_whatever_the_pbx_wrote_plays_and_seeks(hall: Hall, name: str, file: bytes) -> None:
    tab = await hall.opens(await hall.kept.keeps(file, name))

    await tab.page.get_by_role("button", name="Play").click()
    await plays_from(tab, 0)
    await tab.page.locator(".seek").fill("90000")
    await plays_from(tab, 90)

    length = (await audio(tab).evaluate(HEARD))["length"]
    assert abs(length - 120) < 0.1


async def test_keys_play_skip_and_comment(hall: Hall) -> None:
    tab = await hall.opens(await hall.kept.keeps(wav(SPEECH)))
    keys = tab.page.keyboard
    await tab.page.locator(".seek").focus()

    await keys.press("Space")
    await plays_from(tab, 0)
    await keys.press("Space")
    await tab.page.wait_for_function("() => document.querySelector('audio').paused")
    await tab.page.locator(".seek").fill("30000")
    await keys.press("ArrowRight")
    await keys.press("Shift+ArrowRight")
    await keys.press("ArrowLeft")
    await expect(tab.page.locator(".time")).to_contain_text("0:45 / 2:00")
    await expect(tab.page.locator(".seek")).to_have_attribute("aria-valuetext", "0:45 of 2:00")
    await keys.press("m")
    await keys.type("m 好 space")
    await keys.press("Enter")

    await expect(tab.page.locator(".markers li")).to_contain_text("m 好 space")
    await expect(tab.page.locator(".markers .jump")).to_have_text("0:45")
    await expect(tab.page.locator(".seek")).to_be_focused()
    await tab.page.get_by_role("button", name="Delete comment").press("Enter")
    await expect(tab.page.locator(".markers li")).to_have_count(0)
    await tab.page.reload()
    await expect(tab.page.locator(".markers li")).to_have_count(0)


async def test_a_comment_is_a_place_to_go_to(hall: Hall) -> None:
    tab = await hall.opens(await hall.talk())

    await tab.page.locator(".markers button", has_text="1:10").click()

    await plays_from(tab, 70)


async def test_a_refused_comment_says_why_and_keeps_what_was_typed(hall: Hall) -> None:
    tab = await hall.opens(await hall.kept.keeps(wav(SPEECH)))
    await tab.page.locator("input[name=at]").fill("9:59")
    await tab.page.locator("input[name=text]").fill("later than the end")

    await tab.page.get_by_role("button", name="Keep comment").click()

    await expect(tab.page.locator(".said")).to_contain_text("Write a moment")
    await expect(tab.page.locator("input[name=text]")).to_have_value("later than the end")


async def test_speed(hall: Hall) -> None:
    tab = await hall.opens(await hall.kept.keeps(wav(SPEECH)))

    await tab.page.locator(".speed").select_option("1.5")
    await tab.page.get_by_role("button", name="Play").click()
    await plays_from(tab, 0)

    assert 1.5 == await audio(tab).evaluate("(audio) => audio.playbackRate")


async def test_an_address_that_is_over_is_made_anew_where_one_was(hall: Hall) -> None:
    tab = await hall.opens(await hall.kept.keeps(wav(SPEECH)))
    await audio(tab).evaluate(
        "(audio) => { audio.src = audio.src.replace(/pass=\\d+/, 'pass=1'); }"
    )

    await tab.page.locator(".speed").select_option("2")
    await tab.page.locator(".seek").fill("60000")
    await tab.page.get_by_role("button", name="Play").click()

    await plays_from(tab, 60)
    assert 2 == await audio(tab).evaluate("(audio) => audio.playbackRate")


async def test_what_cannot_be_played_says_why(hall: Hall) -> None:
    one = await hall.kept.keeps(wav(SPEECH))
    hall.kept.folder.joinpath(one.place).write_bytes(b"<!doctype html>" * 99)
    tab = await hall.opens(one)

    await tab.page.get_by_role("button", name="Play").click()

    await expect(tab.page.locator(".said")).to_contain_text("no sound file that we know")


async def test_one_recording_at_a_time(hall: Hall) -> None:
    first = await hall.kept.keeps(wav(SPEECH))
    second = await hall.kept.keeps(wav(stairs(90)), minute=3)
    tab = await hall.opens(first)
    other = await hall.opens(second)

    for one in (tab, other):
        await one.page.get_by_role("button", name="Play").click()
        await plays_from(one, 0)

    assert not (await audio(other).evaluate(HEARD))["paused"]


async def test_it_plays_and_comments_without_a_script(hall: Hall) -> None:
    one = await hall.kept.keeps(wav(SPEECH))
    tab = await hall.opens(one, java_script_enabled=False)

    await expect(audio(tab)).to_have_attribute("controls", "")
    assert "pass=" in str(await audio(tab).get_attribute("src"))
    await expect(tab.page.locator(".keys")).to_be_hidden()
    await tab.page.locator("input[name=at]").fill("0:07")
    await tab.page.locator("input[name=text]").fill("by hand")
    await tab.page.get_by_role("button", name="Keep comment").click()

    await expect(tab.page.locator(".markers li")).to_contain_text(re.compile("0:07.*by hand"))
    await tab.page.get_by_role("button", name="Delete the comment at 0:07").click()
    await expect(tab.page.locator(".markers li")).to_have_count(0)


@pytest.mark.parametrize("locale", BROWSERS)
@pytest.mark.parametrize("how", [NARROW | DARK, {}, FORCED], ids=["narrow dark", "wide", "forced"])
async def test_the_player_is_for_everybody(hall: Hall, locale: str, how: dict[str, Any]) -> None:
    one = await hall.talk()
    tab = await hall.opens(one, locale=BROWSERS[locale], **how)
    await expect(tab.page.locator(".keys")).to_be_visible()

    await looks_good(tab)


@pytest.mark.parametrize("locale", BROWSERS)
@pytest.mark.parametrize("how", [NARROW | DARK, {}], ids=["narrow dark", "wide"])
async def test_an_incident_with_a_voicemail_is_for_everybody(
    chrome: Browser, tmp_path: Path, locale: str, how: dict[str, Any]
) -> None:
    db = await database(tmp_path)
    async with incident(db, tmp_path) as it:
        room = Room(it.it, chrome)
        await room.enters(LIN, locale=BROWSERS[locale], **how)
        tab = await goes(room, it.page)
        await expect(tab.page.locator(".keys")).to_be_visible()
        await tab.page.locator(".play").click()
        await plays_from(tab, 0)

        await looks_good(tab)
        await room.contexts[LIN.id].close()
    await db.close()


@pytest.mark.parametrize("locale", BROWSERS)
async def test_the_list_is_for_everybody(hall: Hall, locale: str) -> None:
    await hall.talk()
    await hall.kept.keeps(minute=4, kind=Kind.VOICEMAIL, person=None, agent="")
    await hall.kept.keeps(minute=5, state=State.ORPHAN, call=None)
    tab = await hall.goes("/recordings", locale=BROWSERS[locale], **NARROW)

    await looks_good(tab)
