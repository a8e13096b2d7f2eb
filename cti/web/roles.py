"""Who may see what? Roles against views. Pure; every check is made on the server."""

from collections.abc import Mapping
from typing import Any, Final

CARD_ROLES: Final = frozenset({"agent", "supervisor", "manager", "owner"})
"""May have cards of their own calls: in a small house everybody answers."""

BOARD_ROLES: Final = frozenset({"supervisor", "manager", "owner", "auditor", "technician"})
"""May see the board."""

WITHOUT_CONTENT: Final = frozenset({"technician"})
"""See lines, phones and figures, but never who is calling."""


def may(role: str, view: str) -> bool:
    """Tell whether a role may see a view: `agent` (cards) or `board`."""
    return role in (CARD_ROLES if view == "agent" else BOARD_ROLES)


def home(role: str) -> str:
    """Give the page on which a role begins."""
    return "/agent" if role == "agent" else "/live"


def without_content(board: Mapping[str, Any]) -> dict[str, Any]:
    """Give the board without anything that says who is calling."""
    hidden = {"shown": None, "caller_name": None, "customer": None}
    return {**board, "calls": [{**call, **hidden} for call in board["calls"]]}
