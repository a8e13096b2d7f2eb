"""How points are put together and told."""

from typing import Any

import pytest

from cti.pbx.check.point import NOT_OVER_AMI, Point, State, exit_code, lines, merged, summary


def point(key: str, state: State = "ok", **more: Any) -> Point:
    return Point(key=key, what="a thing", state=state, **{"found": "so", **more})


@pytest.mark.parametrize(
    ("states", "code"),
    [
        ([], 0),
        (["ok", "unseen"], 0),
        (["ok", "wrong"], 1),
        (["ok", "missing"], 1),
    ],
)
def test_the_exit_code_tells_whether_something_is_wrong(states: list[State], code: int) -> None:
    assert exit_code([point(f"pbx.{state}", state) for state in states]) == code


@pytest.mark.parametrize("key", ["link.reachable", "link.login"])
def test_no_way_in_has_an_exit_code_of_its_own(key: str) -> None:
    assert exit_code([point(key, "wrong"), point("conf.acl", "wrong")]) == 2


@pytest.mark.parametrize(
    ("asked", "read", "counts"),
    [
        ("ok", "unseen", "ok"),
        ("unseen", "ok", "ok"),
        ("unseen", "missing", "missing"),
        ("ok", "wrong", "wrong"),
        ("wrong", "ok", "wrong"),
    ],
)
def test_of_what_was_asked_and_what_was_read_the_worse_counts(
    asked: State, read: State, counts: State
) -> None:
    (found,) = merged([point("read.call", asked)], [point("read.call", read)])

    assert found.state == counts


def test_points_stand_by_area() -> None:
    found = merged([point("read.a"), point("link.a")], [point("conf.a"), point("read.b")])

    assert [p.key for p in found] == ["link.a", "read.a", "read.b", "conf.a"]


def test_what_is_not_well_is_told_with_its_cost_and_its_remedy() -> None:
    told = lines(
        "PBX main",
        [point("link.login"), point("read.call", "missing", why="no calls", todo="add it")],
    )

    assert told == [
        "PBX main",
        "",
        "Connection",
        "  ok        a thing  so",
        "",
        "What the account hears (read)",
        "  MISSING   a thing  so",
        "                     why: no calls",
        "                     do:  add it",
        "",
        "This PBX needs attention: 1 ok, 0 wrong, 1 missing, 0 not seen.",
    ]


def test_the_summary_says_that_files_would_show_more() -> None:
    told = summary([point("conf.acl", "unseen", found=NOT_OVER_AMI)])

    assert told == (
        "Nothing wrong was found: 0 ok, 0 wrong, 0 missing, 1 not seen; "
        "--asterisk-etc DIR shows more."
    )


def test_a_secret_is_blotted_out_wherever_it_stands() -> None:
    hidden = point("pbx.a", found="is topsecret", why="topsecret", todo="no topsecret").hidden(
        ["topsecret"]
    )

    assert hidden.as_dict() == {
        "key": "pbx.a",
        "what": "a thing",
        "state": "ok",
        "found": "is ***",
        "why": "***",
        "todo": "no ***",
    }
