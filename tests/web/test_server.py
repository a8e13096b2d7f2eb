import logging

import pytest
from structlog.testing import capture_logs

from cti.errors import StoreUnavailable
from cti.web.ports import Readiness
from cti.web.site import Site
from tests.kit.web import LIN, MAY, Stage, stage


async def test_it_lives(it: Stage) -> None:
    async with it.browser().get("/healthz") as answer:
        assert (200, "ok\n") == (answer.status, await answer.text())


@pytest.mark.parametrize(("ok", "status"), [(True, 200), (False, 503)])
async def test_it_says_whether_it_can_work_and_what_is_missing(
    it: Stage, ok: bool, status: int
) -> None:
    it.ready = Readiness(ok=ok, parts={"database": "ok", "link main": "down"})

    async with it.browser().get("/readyz") as answer:
        assert status == answer.status
        parts = {"database": "ok", "link main": "down"}
        assert {"ok": ok, "parts": parts} == await answer.json()


class TestMetrics:
    async def test_they_count_the_channels(self, it: Stage) -> None:
        live = await (await it.enters(MAY)).listens()
        await live.receive_json()

        async with it.browser().get("/metrics") as answer:
            text = await answer.text()

        assert "text/plain" in answer.headers["Content-Type"]
        assert "cti_live_clients 1.0" in text
        assert "cti_live_messages_total 1.0" in text

    @pytest.mark.parametrize("header", ["X-Forwarded-For", "Forwarded", "X-Real-IP"])
    async def test_they_are_for_this_machine_alone(self, it: Stage, header: str) -> None:
        async with it.browser().get("/metrics", headers={header: "203.0.113.9"}) as answer:
            assert 404 == answer.status

    async def test_behind_a_proxy_its_word_counts(self) -> None:
        async with stage(site=Site(behind_proxy=True)) as it:
            for address, status in [("203.0.113.9", 404), ("127.0.0.1", 200), ("x", 404)]:
                headers = {"X-Forwarded-For": f"127.0.0.1, {address}"}
                async with it.browser().get("/metrics", headers=headers) as answer:
                    assert status == answer.status

    async def test_an_operator_may_open_them(self) -> None:
        async with stage(site=Site(open_metrics=True)) as it:
            headers = {"X-Forwarded-For": "203.0.113.9"}
            async with it.browser().get("/metrics", headers=headers) as answer:
                assert 200 == answer.status


class TestFaults:
    async def test_a_fault_of_ours_has_a_number_that_stands_in_the_log(
        self, it: Stage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def board() -> None:
            raise RuntimeError("secret detail")

        monkeypatch.setattr(it.desk, "board", board)
        seat = await it.enters(LIN)

        with capture_logs() as logs:
            async with seat.browser.get("/live") as answer:
                page = await answer.text()
            async with seat.browser.get("/api/v1/board") as program:
                problem = await program.json()

        assert (500, 500) == (answer.status, program.status)
        assert "secret detail" not in page + str(problem)
        assert [True, True] == [
            fact["incident"] in said for fact, said in zip(logs, (page, str(problem)), strict=True)
        ]

    async def test_a_database_that_is_away_is_no_fault_of_ours(
        self, it: Stage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async def away(_token: str) -> None:
            raise StoreUnavailable("no route to db.internal")

        seat = await it.enters(MAY)
        monkeypatch.setattr(it.accounts, "session", away)

        with capture_logs() as logs:
            async with seat.browser.get("/agent") as answer:
                page = await answer.text()
            async with seat.browser.get("/api/v1/me") as program:
                problem = await program.json()

        assert (503, 503) == (answer.status, program.status)
        assert "nothing is lost" in page
        assert "http_503" == problem["code"]
        assert "db.internal" not in page + str(problem)
        assert {"web_unavailable"} == {fact["event"] for fact in logs}

    async def test_no_address_is_logged_for_it_may_hold_a_login(
        self, it: Stage, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.DEBUG)

        with capture_logs() as logs:
            async with it.browser().get("/login/link/very-secret"):
                pass

        assert "very-secret" not in caplog.text + str(logs)
