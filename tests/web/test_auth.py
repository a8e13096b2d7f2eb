import re
from http.cookies import SimpleCookie
from urllib.parse import urlencode

import aiohttp
import pytest

from cti.people.rules import Person
from cti.web.site import Site
from tests.kit.web import BO, CAST, LIN, MAY, OU, PASSWORD, TAM, Seat, Stage, stage


def token(page: str) -> str:
    """Read the form's token as a browser would."""
    found = re.search(r'name="csrf" value="([0-9a-f]+)"', page)
    assert found
    return found[1]


async def log_in(
    it: Stage, number: str, password: str = PASSWORD, **more: str
) -> tuple[aiohttp.ClientSession, aiohttp.ClientResponse]:
    browser = it.browser()
    async with browser.get("/login") as answer:
        csrf = token(await answer.text())
    form = {"number": number, "password": password, "csrf": csrf} | more
    return browser, await browser.post("/login", data=form, allow_redirects=False)


async def test_number_and_password_open_the_first_page(it: Stage) -> None:
    browser, answer = await log_in(it, "6001", next="/help")

    assert (303, "/help") == (answer.status, answer.headers["Location"])
    async with browser.get("/api/v1/me") as me:
        assert "May" == (await me.json())["name"]


@pytest.mark.parametrize("path", ["/help?x=%00", "/live?person=a%00b", "/login/link/%00"])
async def test_an_address_with_a_character_that_no_database_takes_is_refused(
    it: Stage, path: str
) -> None:
    seat = await it.enters(LIN)

    async with seat.browser.get(path) as answer:
        assert 400 == answer.status


async def test_a_form_with_a_character_that_no_database_takes_is_refused(it: Stage) -> None:
    _, answer = await log_in(it, "6001\0")

    assert 400 == answer.status


async def test_the_session_cookie_is_out_of_reach_of_scripts_and_other_sites(it: Stage) -> None:
    _, answer = await log_in(it, "6001")

    cookie = SimpleCookie(answer.headers["Set-Cookie"])["cti"]
    wanted = {"samesite": "Lax", "path": "/", "httponly": True, "max-age": "43200", "secure": ""}
    assert wanted == {name: cookie[name] for name in wanted}


async def test_under_https_the_cookie_belongs_to_this_host_alone() -> None:
    async with stage(site=Site(public_url="https://cti.example.org")) as it:
        it.origin = "https://cti.example.org"
        visitor = it.browser()
        async with visitor.get("/login") as answer:
            csrf = token(await answer.text())
            chance = answer.cookies["__Host-cti-visitor"]
            assert (True, "") == (chance["secure"], chance["domain"])
        form = {"number": "6001", "password": PASSWORD, "csrf": csrf}
        cookies = {"Cookie": f"__Host-cti-visitor={chance.value}"}
        async with visitor.post(
            "/login", data=form, headers=cookies, allow_redirects=False
        ) as answer:
            session = answer.cookies["__Host-cti"]
            wanted = {"secure": True, "httponly": True, "path": "/", "domain": ""}
            assert wanted == {name: session[name] for name in wanted}
            assert "Strict-Transport-Security" in answer.headers


async def test_a_refusal_does_not_tell_whether_the_number_exists(it: Stage) -> None:
    pages = []
    for number, password in [("6001", "wrong"), ("0000", "wrong"), ("6001", "x" * 5000)]:
        _, answer = await log_in(it, number, password)
        text = await answer.text()
        assert (403, "text/html") == (answer.status, answer.content_type)
        assert "xxxxx" not in text
        pages.append(re.sub(r'(csrf|number)" value="[^"]*"', "", text))

    assert 1 == len(set(pages))


async def test_too_many_attempts_are_refused_even_with_the_right_password(it: Stage) -> None:
    for _ in range(5):
        await log_in(it, "6001", "wrong")

    _, answer = await log_in(it, "6001")

    assert 429 == answer.status
    assert "Too many attempts" in await answer.text()


@pytest.mark.parametrize(
    "elsewhere",
    [
        "//evil.example",
        "https://evil.example",
        "/\\evil.example",
        "/login?x=//e",
        "",
        "/a\nb",
        "javascript:1",
    ],
)
async def test_nobody_is_sent_to_another_site(it: Stage, elsewhere: str) -> None:
    _, answer = await log_in(it, "6001", next=elsewhere)

    assert (303, "/") == (answer.status, answer.headers["Location"])


async def test_who_needs_to_log_in_comes_back_to_where_he_was_going(it: Stage) -> None:
    async with it.browser().get("/live") as answer:
        assert "/login" == answer.url.path
        assert 'name="next" value="/live"' in await answer.text()


async def test_a_login_ends_the_session_that_this_browser_had(it: Stage) -> None:
    seat = await it.enters(BO)
    async with seat.browser.get("/help") as answer:
        csrf = token(await answer.text())

    form = {"number": "6001", "password": PASSWORD, "csrf": csrf}
    async with seat.browser.post("/login", data=form, allow_redirects=False) as answer:
        assert 303 == answer.status

    assert [MAY.id] == list(it.accounts.sessions.values())


class TestOneTimeLink:
    async def test_looking_at_it_uses_nothing_up(self, it: Stage) -> None:
        it.accounts.links["secret-link"] = (MAY.id, "log_in")

        for _ in range(3):
            async with it.browser().get("/login/link/secret-link") as answer:
                assert 200 == answer.status

        assert ["secret-link"] == list(it.accounts.links)

    async def test_the_button_logs_in_once(self, it: Stage) -> None:
        it.accounts.links["secret-link"] = (MAY.id, "log_in")
        browser = it.browser()
        async with browser.get("/login/link/secret-link") as answer:
            csrf = token(await answer.text())

        for expected in (303, 403):
            async with browser.post(
                "/login/link/secret-link", data={"csrf": csrf}, allow_redirects=False
            ) as answer:
                assert expected == answer.status
                async with browser.get("/login/link/x") as page:
                    csrf = token(await page.text())

    async def test_an_unknown_link_says_so(self, it: Stage) -> None:
        browser = it.browser()
        async with browser.get("/login/link/none") as answer:
            assert 403 == answer.status
            assert "used or over" in await answer.text()

    async def test_a_link_may_be_there_to_choose_a_password(self, it: Stage) -> None:
        it.accounts.links["welcome"] = (BO.id, "set_password")
        browser = it.browser()
        async with browser.get("/login/link/welcome") as answer:
            text = await answer.text()
            assert "at least 10 characters" in text
        form = {"csrf": token(text)}

        async with browser.post("/login/link/welcome", data=form | {"password": "short"}) as answer:
            assert 422 == answer.status
            assert "A password has at least 10 characters." in await answer.text()
        async with browser.post(
            "/login/link/welcome", data=form | {"password": "long enough!"}, allow_redirects=False
        ) as answer:
            assert (303, "/") == (answer.status, answer.headers["Location"])

        assert ({BO.id: "long enough!"}, {}) == (it.accounts.passwords, it.accounts.links)


async def test_logging_out_ends_the_session_on_the_server(it: Stage) -> None:
    seat = await it.enters(MAY)

    async with seat.browser.post(
        "/logout", data={"csrf": seat.csrf}, allow_redirects=False
    ) as answer:
        assert (303, "/login") == (answer.status, answer.headers["Location"])

    assert {} == it.accounts.sessions
    seat.browser.cookie_jar.update_cookies({"cti": seat.token}, it.url)
    async with seat.browser.get("/api/v1/me") as answer:
        assert 401 == answer.status


FORGED: dict[str, dict[str, dict[str, str]]] = {
    "no token": {"data": {}, "headers": {}},
    "a wrong token": {"data": {"csrf": "0" * 64}, "headers": {}},
    "a foreign origin": {"headers": {"Origin": "https://evil.example"}},
    "another port": {"headers": {"Origin": "http://127.0.0.1:1"}},
    "no origin of ours": {"headers": {"Origin": "null"}},
    "another site": {"headers": {"Sec-Fetch-Site": "cross-site"}},
    "a sister site": {"headers": {"Sec-Fetch-Site": "same-site"}},
}


@pytest.mark.parametrize("how", FORGED.values(), ids=FORGED.keys())
async def test_what_another_site_sends_changes_nothing(
    it: Stage, how: dict[str, dict[str, str]]
) -> None:
    seat = await it.enters(MAY)
    data = how.get("data", {"csrf": seat.csrf})

    async with seat.browser.post("/logout", data=data, headers=how["headers"]) as answer:
        assert 403 == answer.status
        assert "too old" in await answer.text()

    assert [MAY.id] == list(it.accounts.sessions.values())


async def test_the_token_of_another_session_does_not_fit(it: Stage) -> None:
    may, bo = await it.enters(MAY), await it.enters(BO)

    async with may.browser.post("/api/v1/rt-ticket", headers=bo.headers) as answer:
        assert (403, "csrf") == (answer.status, (await answer.json())["code"])


async def test_a_program_sends_its_token_in_a_header_never_in_a_form(it: Stage) -> None:
    seat = await it.enters(MAY)

    async with seat.browser.post("/api/v1/rt-ticket", data={"csrf": seat.csrf}) as answer:
        assert 403 == answer.status


ALLOWED = {
    "/agent": {MAY, BO, LIN},
    "/live": {LIN, TAM, OU},
    "/api/v1/cards": {MAY, BO, LIN},
    "/api/v1/board": {LIN, TAM, OU},
    "/api/v1/me": set(CAST),
    "/help": set(CAST),
}


@pytest.mark.parametrize("path", ALLOWED)
@pytest.mark.parametrize("person", CAST, ids=lambda person: person.role + person.number)
async def test_a_role_sees_its_pages_and_no_other(it: Stage, path: str, person: Person) -> None:
    seat = await it.enters(person)

    async with seat.browser.get(path, allow_redirects=False) as answer:
        assert (200 if person in ALLOWED[path] else 403) == answer.status


@pytest.mark.parametrize("path", [path for path in ALLOWED if path != "/help"])
async def test_a_stranger_sees_nothing(it: Stage, path: str) -> None:
    async with it.browser().get(path, allow_redirects=False) as answer:
        if path.startswith("/api/"):
            assert (401, "not_logged_in") == (answer.status, (await answer.json())["code"])
        else:
            assert (303, f"/login?next={path}") == (answer.status, answer.headers["Location"])


@pytest.mark.parametrize(("person", "page"), [(MAY, "/agent"), (LIN, "/live"), (TAM, "/live")])
async def test_everybody_begins_where_the_work_is(it: Stage, person: Person, page: str) -> None:
    seat = await it.enters(person)

    async with seat.browser.get("/", allow_redirects=False) as answer:
        assert page == answer.headers["Location"]


@pytest.mark.parametrize("cookie", ["x" * 5000, "ungültig", "session-0-of-6001", '"'])
async def test_a_made_up_session_is_nobody(it: Stage, cookie: str) -> None:
    headers = {"Cookie": f"cti={cookie}"}

    async with it.browser().get("/api/v1/me", headers=headers) as answer:
        assert answer.status in (400, 401)


class TestLanguage:
    async def lang(self, seat: Seat | None, it: Stage, accept: str = "") -> str:
        browser = seat.browser if seat else it.browser()
        async with browser.get("/help", headers={"Accept-Language": accept}) as answer:
            found = re.search(r'<html lang="([^"]+)"', await answer.text())
            assert found
            return found[1]

    async def test_the_browsers_wish_comes_before_the_sites_default(self, it: Stage) -> None:
        assert "zh-Hant" == await self.lang(None, it, "zh-TW")
        assert "en" == await self.lang(None, it, "fr")

    async def test_a_persons_own_setting_comes_before_the_browsers_wish(self, it: Stage) -> None:
        it.accounts.people[MAY.id] = Person(id=MAY.id, number="6001", name="May", locale="zh-Hans")

        assert "zh-Hans" == await self.lang(await it.enters(MAY), it, "zh-TW")

    async def test_the_switch_comes_before_everything_and_needs_no_login(self, it: Stage) -> None:
        browser = it.browser()
        async with browser.get("/login") as answer:
            csrf = token(await answer.text())

        form = {"csrf": csrf, "locale": "zh-Hant", "next": "/login"}
        async with browser.post("/locale", data=form) as answer:
            assert "/login" == answer.url.path
            text = await answer.text()

        assert '<html lang="zh-Hant">' in text
        assert "工號" in text

    async def test_an_unknown_language_is_refused(self, it: Stage) -> None:
        seat = await it.enters(MAY)

        form = {"csrf": seat.csrf, "locale": "../en"}
        async with seat.browser.post("/locale", data=form) as answer:
            assert 400 == answer.status


async def test_the_address_for_rate_limits_is_the_proxys_word_only_behind_a_proxy(
    it: Stage,
) -> None:
    forged = {"X-Forwarded-For": "203.0.113.9"}
    for site, seen in [(Site(), "127.0.0.1"), (Site(behind_proxy=True), "203.0.113.9")]:
        async with stage(site=site) as other:
            browser = other.browser()
            async with browser.get("/login") as answer:
                csrf = token(await answer.text())
            body = urlencode({"number": "6001", "password": "no", "csrf": csrf})
            headers = forged | {"Content-Type": "application/x-www-form-urlencoded"}
            async with browser.post("/login", data=body, headers=headers):
                assert [seen] == other.accounts.addresses
