"""Who may see what? Rights against views. Pure; every check is made on the server."""

from collections.abc import Mapping
from typing import Any

from cti.people.rules import Person, Right


def may(person: Person, view: str) -> bool:
    """Tell whether somebody may see a view: `agent` (one's own cards) or `board`.

    Who looks after the lines sees the board too, but not who is calling.
    """
    if view == "agent":
        return person.may(Right.OWN_WORK)
    return person.may(Right.BOARD) or person.may(Right.LINES)


def home(person: Person) -> str:
    """Give the page on which somebody begins."""
    return "/live" if may(person, "board") else "/agent"


def sees_callers(person: Person) -> bool:
    """Tell whether somebody may know who is calling."""
    return person.may(Right.CUSTOMERS)


def without_callers(board: Mapping[str, Any]) -> dict[str, Any]:
    """Give the board without anything that says who is calling."""
    hidden = {"shown": None, "caller_name": None, "customer": None}
    return {**board, "calls": [{**call, **hidden} for call in board["calls"]]}
