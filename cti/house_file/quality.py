"""Section `[quality]`: how many calls are scored, and by which questions?"""

from typing import Final

from cti.house import QUALITY_ITEMS, QualityItem, QualityRules
from cti.house_file.keys import Keys
from cti.people.rules import LOCALES

_ITEM: Final = '[[quality.items]] with id = "smile", weight = 10, en = "One hears a smile"'
LABEL_LIMIT: Final = 120


def quality(keys: Keys) -> QualityRules:
    """Read `[quality]`."""
    plain = QualityRules()
    return QualityRules(
        sample=keys.whole("sample", plain.sample, 0, 50),
        least=keys.duration("least", plain.least, "1s", "1h"),
        objection=keys.duration("objection", plain.objection, "1d", "90d"),
        items=keys.by_id("items", _ITEM, QUALITY_ITEMS, _item),
    )


def _item(keys: Keys, name: str, plain: QualityItem | None) -> QualityItem:
    """Read one question; a language that is not said is told in one that is."""
    known = plain.labels if plain else {}
    said = {one: keys.line(one, known.get(one, ""), LABEL_LIMIT) for one in LOCALES}
    first = next(filter(None, said.values()), "")
    if not first:
        keys.wrong("en", "required")
    return QualityItem(
        id=name,
        weight=keys.whole("weight", plain.weight if plain else 10, 1, 100),
        labels={one: label or first for one, label in said.items()},
    )
