"""Pages, rights, messages, codes and routes stand in web.md as they are in the code."""

import inspect
import re
from typing import Any, get_args

from cti.people.rules import Person, Role
from cti.web import api, auth, pages, push, server, wire
from cti.web.roles import may, sees_callers
from tests.docs.texts import DOCS, first_names, table, text_of

PAGE = DOCS / "web.md"
YES = {True: "yes", False: "no"}


def test_who_sees_what_is_what_the_server_checks() -> None:
    told = {row.cells[0]: row.cells[1:] for row in table(PAGE, "Who sees what")}

    assert {str(role): seen(role) for role in Role} == told


def seen(role: Role) -> tuple[str, ...]:
    person = Person(id="p", number="1", name="May", role=role)
    rights = (may(person, "agent"), may(person, "board"), sees_callers(person))
    return tuple(YES[right] for right in rights)


def test_close_codes_are_those_of_the_server() -> None:
    codes = {
        value
        for name, value in vars(push).items()
        if name.isupper() and name[0] != "_" and 1000 <= number(value)
    } - {push.MAX_MESSAGE}

    assert codes == {int(row.cells[0]) for row in table(PAGE, "Close codes")}


def number(value: object) -> int:
    return value if isinstance(value, int) else 0


def test_messages_are_those_that_the_server_sends() -> None:
    told = {row.names()[0]: set(row.names(1)) for row in table(PAGE, "The live channel")}
    sent = {
        get_args(kind.model_fields["type"].annotation)[0]: set(kind.model_fields) - {"type", "now"}
        for kind in vars(wire).values()
        if inspect.isclass(kind) and issubclass(kind, wire.Message) and kind is not wire.Message
    }

    assert sent == told


def test_a_card_has_the_keys_that_are_told() -> None:
    (line,) = (one for one in text_of(PAGE).splitlines() if one.startswith("A `card` has"))
    names = re.findall(r"`(\w+)`", line)

    states = get_args(wire.Card.model_fields["state"].annotation)
    assert set(names) - {"card", *states} == set(wire.Card.model_fields)


def test_routes_are_those_of_the_server() -> None:
    nothing: Any = None
    table_ = api.Api(auth=nothing, live=nothing, desk=nothing, messages=nothing).table()

    told = {row.names()[0]: row.cells[2] for row in table(PAGE, "REST")}
    assert {f"{route.method} {route.path}": route.view or "any" for route in table_} == told


def test_refusals_have_the_status_that_is_told() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (\d{3}) \|", text_of(PAGE), re.MULTILINE)
    statuses = {code: int(status) for code, status in rows}
    source = inspect.getsource(api) + inspect.getsource(auth)
    denied = re.findall(r"Denied\((\d+), \"(\w+)\"\)", source)

    assert api.STATUS.items() <= statuses.items()
    assert {code: int(status) for status, code in denied}.items() <= statuses.items()


def test_pages_are_those_of_the_server() -> None:
    told = {re.sub("TOKEN", "{token}", name) for name in first_names(PAGE, "Pages")}
    served = set(re.findall(r"web\.(?:get|post)\(\"([^\"]+)\"", inspect.getsource(pages)))
    plain = set(re.findall(r"web\.get\(\"(/\w+)\"", inspect.getsource(server)))

    assert {name for name in told if name.startswith("/")} == served | plain
