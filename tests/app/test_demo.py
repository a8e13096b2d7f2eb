"""`cti demo` as a person runs it: log in by link, ring, see the card; and what cannot be."""

import asyncio
import re
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest

COMMAND = str(Path(sys.executable).parent / "cti")
LINK = re.compile(r"(agent|supervisor) .* (http\S+)/login/link/(\S+)")


@dataclass(frozen=True, slots=True)
class Demo:
    """A demo that runs: where, its data directory, and the one-time logins by role."""

    url: str
    data: str
    links: dict[str, str]


async def cti(*words: str) -> tuple[int | None, str, str]:
    """Run a command to its end; give exit code, output and complaints."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(COMMAND, *words, stdout=pipe, stderr=pipe)
    out, err = await process.communicate()
    return process.returncode, out.decode(), err.decode()


@pytest.fixture
async def demo(tmp_path: Path) -> AsyncIterator[Demo]:
    """The demo with the simulated PBX, on any free port."""
    words = ("demo", "--port", "0", "--data", str(tmp_path))
    process = await asyncio.create_subprocess_exec(COMMAND, *words, stdout=asyncio.subprocess.PIPE)
    assert process.stdout
    links, url = {}, ""
    async for line in process.stdout:
        if found := LINK.search(line.decode()):
            url, links[found[1]] = found[2], found[3]
        if b"Ctrl-C" in line:
            break
    yield Demo(url, str(tmp_path), links)
    process.terminate()
    assert await process.wait() == 0


async def log_in(session: aiohttp.ClientSession, link: str) -> None:
    """Open a one-time link and press its button."""
    path = f"/login/link/{link}"
    async with session.get(path) as page:
        found = re.search(r'name="csrf" value="([0-9a-f]+)"', await page.text())
    assert found
    async with session.post(path, data={"csrf": found[1]}) as answer:
        assert answer.status == 200


async def test_a_customer_rings_at_once_and_every_agents_card_says_who(
    demo: Demo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")  # no proxy stands before the demo
    browser = aiohttp.ClientSession(demo.url, cookie_jar=aiohttp.CookieJar(unsafe=True))
    async with browser as session:
        await log_in(session, demo.links["agent"])
        rung = await cti("demo", "ring", "13800138000", "--data", demo.data)
        names: list[Any] = []
        async with asyncio.timeout(20):
            while ["王小明"] not in names:
                async with session.get("/api/v1/cards") as answer:
                    cards = (await answer.json())["cards"]
                names = [[one["name"] for one in card["customers"]] for card in cards]

    assert (0, "A customer rings.\n", "") == rung


async def test_a_customer_whom_nobody_answers_is_a_missed_call_with_an_incident(
    demo: Demo,
) -> None:
    browser = aiohttp.ClientSession(demo.url, cookie_jar=aiohttp.CookieJar(unsafe=True))
    async with browser as session:
        await log_in(session, demo.links["supervisor"])
        said = await cti("demo", "miss", "13800138000", "--data", demo.data)
        async with asyncio.timeout(60):
            while True:
                async with session.get("/missed?number=13800138000") as answer:
                    if "/incidents/" in (page := await answer.text()):
                        break
                await asyncio.sleep(1)

    assert (0, "A customer rings and gives up after 14 s.\n", "") == said
    assert "left while it rang" in page


async def test_nobody_rings_without_the_demos_token(demo: Demo) -> None:
    async with aiohttp.ClientSession(demo.url) as session:
        for headers in ({}, {"X-Demo-Token": "guessed"}):
            for path in ("/demo/ring", "/demo/miss"):
                async with session.post(path, headers=headers) as answer:
                    assert answer.status == 403


async def test_a_second_demo_in_the_same_place_is_refused_and_the_first_can_still_ring(
    demo: Demo,
) -> None:
    code, _, err = await cti("demo", "--port", "0", "--data", demo.data)

    assert code == 2
    assert f"database {demo.data}/cti.sqlite3 is in use by another cti" in err
    assert (await cti("demo", "ring", "--data", demo.data))[0] == 0


async def test_a_second_demo_on_the_same_port_says_so_and_the_first_can_still_ring(
    demo: Demo, tmp_path_factory: pytest.TempPathFactory
) -> None:
    other = str(tmp_path_factory.mktemp("other"))

    code, _, err = await cti("demo", "--port", demo.url.rpartition(":")[2], "--data", other)

    assert code == 2
    assert "address already in use" in err
    assert "make demo PORT=8081" in err
    assert (await cti("demo", "ring", "--data", demo.data))[0] == 0
    assert (await cti("demo", "ring", "--data", other))[0] == 2


@pytest.mark.parametrize(
    ("words", "said"),
    [(("ring", "abc"), "nobody rings from 'abc'"), (("rnig",), "the demo knows no 'rnig'")],
)
async def test_what_the_demo_does_not_know_is_told(words: tuple[str, ...], said: str) -> None:
    code, _, err = await cti("demo", *words)

    assert code == 2
    assert said in err
