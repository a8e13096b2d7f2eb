import json
from typing import Any

import pytest
from aiohttp import web
from pydantic import TypeAdapter, ValidationError

from cti import __version__
from cti.web import wire
from tests.kit.scenes import busy_board, late, multi, talking
from tests.kit.web import BO, LIN, MAY, WANG, WANG_MAY, Seat, Stage, make_card


async def ask(seat: Seat, path: str) -> dict[str, Any]:
    async with seat.browser.get(path) as answer:
        assert 200 == answer.status
        found: dict[str, Any] = await answer.json()
        return found


async def choose(seat: Seat, call: str, body: Any) -> tuple[int, dict[str, Any]]:
    data = body if isinstance(body, str) else json.dumps(body)
    headers = seat.headers | {"Content-Type": "application/json"}
    async with seat.browser.post(
        f"/api/v1/calls/{call}/customer", data=data, headers=headers
    ) as answer:
        return answer.status, await answer.json()


async def test_a_choice_is_kept_and_told_to_every_screen_of_the_call(it: Stage) -> None:
    it.desk.rings("k1", MAY, BO, customers=[WANG, WANG_MAY])
    may, bo = await it.enters(MAY), await (await it.enters(BO)).listens()
    await bo.receive_json()

    status, card = await choose(may, "k1", {"customer": "c-wang-2"})

    assert (200, "c-wang-2") == (status, card["chosen"])
    assert "c-wang-2" == (await bo.receive_json())["card"]["chosen"]
    assert (200, None) == ((await choose(may, "k1", {"customer": None}))[0], None)


@pytest.mark.parametrize(
    ("call", "body", "status", "code"),
    [
        ("k1", {"customer": "c-other"}, 404, "no_such_customer"),
        ("k9", {"customer": "c-wang"}, 404, "no_such_call"),
        ("k2", {"customer": "c-wang"}, 404, "no_such_call"),
        ("k1", {}, 400, "body"),
        ("k1", {"customer": 7}, 400, "body"),
        ("k1", {"customer": "c", "x": 1}, 400, "body"),
        ("k1", "no json", 400, "body"),
        ("k1", {"customer": "x" * 101}, 400, "body"),
    ],
)
async def test_a_choice_that_makes_no_sense_is_refused(
    it: Stage, call: str, body: Any, status: int, code: str
) -> None:
    it.desk.rings("k1", MAY, customers=[WANG, WANG_MAY])
    it.desk.rings("k2", BO, customers=[WANG])

    found, problem = await choose(await it.enters(MAY), call, body)

    assert (status, code) == (found, problem["code"])
    wire.Problem.model_validate(problem)


async def test_a_refusal_is_in_the_users_language(it: Stage) -> None:
    seat = await it.enters(MAY)
    seat.browser.headers["Accept-Language"] = "zh-TW"

    _, problem = await choose(seat, "k9", {"customer": None})

    assert "這通電話已不在您的畫面上。" == problem["message"]


async def test_too_long_a_body_is_not_read(it: Stage) -> None:
    status, problem = await choose(await it.enters(MAY), "k1", "x" * 70_000)

    assert (413, "http") == (status, problem["code"])


async def test_a_form_is_no_json(it: Stage) -> None:
    seat = await it.enters(MAY)

    async with seat.browser.post(
        "/api/v1/calls/k1/customer", data={"customer": "c"}, headers=seat.headers
    ) as answer:
        assert 400 == answer.status


async def test_what_is_sent_has_the_shape_that_is_described(it: Stage) -> None:
    for scene in (late, talking, multi, busy_board):
        scene(it)
    may, lin = await it.enters(MAY), await it.enters(LIN)

    wire.Me.model_validate(await ask(may, "/api/v1/me"))
    wire.Snapshot.model_validate(await ask(may, "/api/v1/cards"))
    wire.BoardMessage.model_validate(await ask(lin, "/api/v1/board"))

    live = await may.listens()
    wire.Snapshot.model_validate(await live.receive_json())
    it.desk.rings("k2", MAY)
    wire.CardMessage.model_validate(await live.receive_json())
    it.desk.link(up=False)
    wire.LinksMessage.model_validate(await live.receive_json())
    behind = await may.listens(since=99, epoch="x")
    wire.ResetMessage.model_validate(await behind.receive_json())


def test_a_forgotten_call_has_the_shape_of_a_card() -> None:
    wire.Card.model_validate(wire.gone("k1"))


def test_a_card_with_a_surprise_is_no_card(it: Stage) -> None:
    card = make_card("k1", it.clock.now())
    wire.Card.model_validate(card)

    with pytest.raises(ValidationError):
        wire.Card.model_validate(card | {"password": "x"})


class TestDescription:
    async def test_it_names_every_route_and_no_other(self, it: Stage) -> None:
        described = await ask(await it.enters(MAY), "/api/v1/openapi.json")

        served = {
            (resource.canonical, route.method.lower())
            for resource in it.app.router.resources()
            for route in resource
            if resource.canonical.startswith("/api/") and route.method != "HEAD"
        }
        assert served - {("/api/v1/openapi.json", "get")} == {
            (path, method) for path, methods in described["paths"].items() for method in methods
        }

    async def test_it_is_openapi_3_1_without_loose_ends(self, it: Stage) -> None:
        described = await ask(await it.enters(MAY), "/api/v1/openapi.json")

        assert ("3.1.0", __version__) == (described["openapi"], described["info"]["version"])
        text = json.dumps(described)
        names = {part.split('"')[0] for part in text.split("#/components/schemas/")[1:]}
        assert names <= set(described["components"]["schemas"])
        operations = [op["operationId"] for p in described["paths"].values() for op in p.values()]
        assert len(set(operations)) == len(operations)

    async def test_a_program_that_is_refused_is_told_as_described(self, it: Stage) -> None:
        described = await ask(await it.enters(MAY), "/api/v1/openapi.json")
        stranger = it.browser()

        for path, methods in described["paths"].items():
            for method, operation in methods.items():
                if path == "/api/v1/live":
                    continue
                async with stranger.request(method, path.replace("{call}", "k1")) as answer:
                    assert str(answer.status) in operation["responses"], path
                    TypeAdapter(wire.Problem).validate_python(await answer.json())


def test_the_app_can_be_asked_for_its_routes(it: Stage) -> None:
    assert isinstance(it.app, web.Application)
