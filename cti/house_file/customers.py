"""Section `[customers]`: which tiers and care flags are there, and who sees numbers whole?"""

import re
from typing import Final

from cti.house import TIERS, CustomerRules, House, Tier
from cti.house_file.keys import Keys, Reading, hint, show
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


def refuse_unknown_tiers(reading: Reading, house: House) -> None:
    """Note each tier that a visit names and the house has not."""
    known = house.customers.tiers
    for rule in house.visits.rules.values():
        for tier in rule.also_tiers:
            if tier not in known:
                key = f"visits.rules.{rule.id}.also_tiers"
                reading.wrong(key, "no_tier", hint(tier, known), said=show(tier))


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
