"""By what does a supervisor select customers to be visited (CB-28)? Pure."""

import re
from collections.abc import Collection, Mapping
from dataclasses import asdict, fields
from typing import Any, Final

from cti.errors import Refused
from cti.house import CustomerRules
from cti.value import value

KINDS: Final = ("member", "not_member", "merchant")
"""Kinds of customers: members, those who are none, restaurants."""
NOBODY: Final = "nobody"
"""The owner of customers who are in nobody's care."""
DAYS_MOST: Final = 3660
SPENT_DAYS: Final = 365
AREA_LIMIT: Final = 80
_DAYS: Final = re.compile(r"[0-9]{1,4}")
_AMOUNT: Final = re.compile(r"[0-9]{1,9}(\.[0-9]{1,2})?")


@value
class Criteria:
    """Which customers are meant; what is empty or 0 is any.

    `not_since`: no visit was made to him and no call with him answered for so many days.
    `spent_least`: an amount as it is written, spent within `spent_days` or more.
    """

    kind: str = ""
    tier: str = ""
    area: str = ""
    owner: str = ""
    care: str = ""
    not_since: int = 0
    spent_least: str = ""
    spent_days: int = SPENT_DAYS

    @property
    def plain(self) -> dict[str, Any]:
        """What it says, as JSON can."""
        return asdict(self)

    @property
    def spent_cents(self) -> int:
        """The least that he spent, in cents."""
        whole, _, part = self.spent_least.partition(".")
        return int(whole or 0) * 100 + int(part.ljust(2, "0"))


def criteria_of(said: Mapping[str, Any]) -> Criteria:
    """Give the criteria that were kept as `plain`, once in fewer words."""
    known = {one.name for one in fields(Criteria)}
    return Criteria(**{name: said[name] for name in known if name in said})


def read_criteria(
    said: Mapping[str, str], rules: CustomerRules, owners: Collection[str]
) -> Criteria:
    """Read criteria as a page sends them; `owners` are the ids of people.

    Raises `Refused` (selection_wrong: `fields` says which, parted by blanks).
    """
    texts = {one.name: said.get(one.name, "").strip() for one in fields(Criteria)}
    tier = rules.tier(texts["tier"]) if texts["tier"] else ""
    good = {
        "kind": texts["kind"] in ("", *KINDS),
        "tier": tier is not None,
        "area": len(texts["area"]) <= AREA_LIMIT and texts["area"].isprintable(),
        "owner": texts["owner"] in ("", NOBODY, *owners),
        "care": texts["care"] in ("", *rules.care_flags),
        "not_since": _is_days(texts["not_since"], least=0),
        "spent_least": not texts["spent_least"]
        or _AMOUNT.fullmatch(texts["spent_least"]) is not None,
        "spent_days": _is_days(texts["spent_days"], least=1),
    }
    if wrong := [name for name, is_good in good.items() if not is_good]:
        why = f"these are wrong: {', '.join(wrong)}"
        raise Refused("selection_wrong", why, fields=" ".join(wrong))
    return Criteria(
        kind=texts["kind"],
        tier=tier or "",
        area=texts["area"],
        owner=texts["owner"],
        care=texts["care"],
        not_since=int(texts["not_since"] or 0),
        spent_least=texts["spent_least"],
        spent_days=int(texts["spent_days"] or SPENT_DAYS),
    )


def _is_days(text: str, *, least: int) -> bool:
    return not text or (_DAYS.fullmatch(text) is not None and least <= int(text) <= DAYS_MOST)
