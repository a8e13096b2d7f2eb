"""Section `[customers]`: which tiers and care flags are there, and who sees numbers whole?"""

import re
from typing import Final

from cti.house import TIERS, CustomerRules, Tier
from cti.house_file.keys import Keys
from cti.people.rules import LOCALES

NAME_LIMIT: Final = 32
_TIER: Final = '[[customers.tiers]] with id = "gold", name = "金卡"'
_FLAG: Final = re.compile(r"[^\s;/；,][^;/；,]{0,31}")


def customers(keys: Keys) -> CustomerRules:
    """Read `[customers]`."""
    plain = CustomerRules()
    return CustomerRules(
        tiers=keys.by_id("tiers", _TIER, TIERS, _tier),
        care_flags=keys.texts("care_flags", plain.care_flags, _is_flag, "flag_word"),
        mask_numbers=keys.flag("mask_numbers", default=plain.mask_numbers),
    )


def _tier(keys: Keys, name: str, plain: Tier | None) -> Tier:
    """Read one tier: `name` is said in every language that has no name of its own."""
    common = keys.line("name", "", NAME_LIMIT)
    known = plain.labels if plain else {}
    said = {one: keys.line(one, common or known.get(one, ""), NAME_LIMIT) for one in LOCALES}
    first = next(filter(None, said.values()), "")
    if not first:
        keys.wrong("name", "required")
    return Tier(id=name, labels={one: label or first for one, label in said.items()})


def _is_flag(text: str) -> bool:
    return _FLAG.fullmatch(text) is not None and text.isprintable()
