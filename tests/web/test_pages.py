import re

import pytest

from cti.web.site import Site
from tests.kit.scenes import busy_board
from tests.kit.web import LIN, MAY, TAM, Seat, Stage, stage

HOSTILE = "<img src=x onerror=alert(1)>\u202e{{7*7}}"
LANGUAGES = ("en", "zh-Hant", "zh-Hans")


async def read(seat: Seat, path: str, **headers: str) -> str:
    async with seat.browser.get(path, headers=headers) as answer:
        return await answer.text()


async def test_without_scripts_the_board_says_how_it_is(it: Stage) -> None:
    busy_board(it)

    text = await read(await it.enters(LIN), "/live")

    for said in (
        "93 %",
        ">137<",
        ">128<",
        ">9<",
        "王美玲",
        "talking",
        "3:25",
        "on call",
        "1:02:00",
    ):
        assert said in text, said
    assert "12:00:00" in text  # the house's time, not the server's
    assert '<noscript><meta http-equiv="refresh"' in text


async def test_an_empty_board_says_so(it: Stage) -> None:
    text = await read(await it.enters(LIN), "/live")

    for said in ("No call now.", "Nobody has a phone here yet.", "none yet"):
        assert said in text


@pytest.mark.parametrize("path", ["/live", "/api/v1/board"])
async def test_a_technician_sees_lines_but_not_who_is_calling(it: Stage, path: str) -> None:
    busy_board(it)

    tam, lin = await it.enters(TAM), await it.enters(LIN)

    for secret in ("王小明", "0912", "ACME", "陳先生"):
        assert secret in await read(lin, path)
        assert secret not in await read(tam, path)
    assert "4000" in await read(tam, path)


async def test_what_a_caller_sends_stays_text(it: Stage) -> None:
    busy_board(it)
    for call in it.desk.whole["calls"]:
        call |= {"customer": HOSTILE, "line": HOSTILE, "queue": HOSTILE, "agents": [HOSTILE]}
    it.desk.line = [{"pbx": HOSTILE, "up": True, "since": None}]
    for agent in it.desk.whole["agents"]:
        agent |= {"name": HOSTILE, "number": HOSTILE}

    text = await read(await it.enters(LIN), "/live")

    assert "<img" not in text
    assert "&lt;img" in text
    assert "49" not in re.sub(r"\d\d:\d\d|csrf.*?>", "", text.split("<main")[1])


@pytest.mark.parametrize("locale", LANGUAGES)
async def test_every_page_is_in_the_users_language_and_says_so(it: Stage, locale: str) -> None:
    lin, may = await it.enters(LIN), await it.enters(MAY)
    wish = {"Accept-Language": locale}

    for seat, path in [
        (lin, "/live"),
        (may, "/agent"),
        (may, "/help"),
        (may, "/live"),
        (may, "/no"),
    ]:
        text = await read(seat, path, **wish)
        assert f'<html lang="{locale}">' in text, path
        assert "{" not in text
        assert not re.search(r"\b(card|board|link|help|nav|error)\.(?!js)[a-z_]+", text), path


@pytest.mark.parametrize(
    ("path", "status", "said"),
    [
        ("/live", 403, "You are logged in as agent."),
        ("/nowhere", 404, "There is no such page."),
        ("/logout", 405, "does not take that kind of request"),
    ],
)
async def test_what_goes_wrong_is_said_in_words(
    it: Stage, path: str, status: int, said: str
) -> None:
    seat = await it.enters(MAY)

    async with seat.browser.get(path) as answer:
        assert (status, "text/html") == (answer.status, answer.content_type)
        assert said in await answer.text()


async def test_no_page_carries_code_or_style_of_its_own(it: Stage) -> None:
    lin, may = await it.enters(LIN), await it.enters(MAY)
    busy_board(it)

    for seat, path in [(lin, "/live"), (may, "/agent"), (may, "/help"), (may, "/live")]:
        text = await read(seat, path)
        assert not re.search(r"<style|\sstyle=|\son[a-z]+=|javascript:", text), path
        assert all("src=" in tag for tag in re.findall(r"<script[^>]*>", text))
        assert not re.search(r"""(?:src|href)=["'](?:https?:)?//""", text), path


PATHS = ["/", "/login", "/agent", "/help", "/nowhere", "/healthz", "/readyz", "/metrics", "/live"]
PATHS += ["/api/v1/me", "/api/v1/openapi.json", "/api/v1/live", "/static/x/y.js"]


@pytest.mark.parametrize("path", PATHS)
async def test_every_answer_is_protected(it: Stage, path: str) -> None:
    async with it.browser().get(path, allow_redirects=False) as answer:
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "require-trusted-types-for 'script'; trusted-types lit-html" in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert {"nosniff", "DENY", "same-origin", "no-store"} <= {
            answer.headers[name]
            for name in (
                "X-Content-Type-Options",
                "X-Frame-Options",
                "Referrer-Policy",
                "Cache-Control",
            )
        }
        assert "Server" not in answer.headers


async def test_framing_and_sockets_follow_the_settings() -> None:
    site = Site(public_url="https://cti.test:8443/", frame_ancestors=("https://crm.test",))

    async with stage(site=site) as it, it.browser().get("/login") as answer:
        policy = answer.headers["Content-Security-Policy"]

    assert "frame-ancestors https://crm.test;" in policy
    assert "connect-src 'self' wss://cti.test:8443;" in policy
    assert "X-Frame-Options" not in answer.headers
