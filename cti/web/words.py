"""What do the pages say, and in which language? One catalogue per language, for pages and widget.

A text has facts in braces: `{n}`. Where a language tells one from many, the text is a table
of `one` and `other`, chosen by the fact `n`.
"""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final, Literal, get_args

Locale = Literal["en", "zh-Hant", "zh-Hans"]
LOCALES: Final[tuple[Locale, ...]] = get_args(Locale)
FOLDER: Final = Path(__file__).parent / "static" / "words"
"""What pages and widget say; browsers fetch these."""
ROOMS: Final = Path(__file__).parent / "words"
"""What the pages of each room say besides: `ROOM/LOCALE.json`. No key stands in two."""

Text = str | Mapping[str, str]
Catalogue = Mapping[str, Text]

_HANT = ("zh-hant", "zh-tw", "zh-hk", "zh-mo")
_HANS = ("zh-hans", "zh-cn", "zh-sg", "zh-my")


class Words:
    """All catalogues, read once."""

    def __init__(self, folder: Path = FOLDER, rooms: Path = ROOMS) -> None:
        folders = [folder, *sorted(path for path in rooms.glob("*") if path.is_dir())]
        self.catalogues: Mapping[Locale, Catalogue] = {
            locale: _read([one / f"{locale}.json" for one in folders]) for locale in LOCALES
        }

    def say(self, locale: Locale, key: str, **facts: Any) -> str:
        """Give a text with its facts filled in. An unknown key is a `KeyError`: our own bug."""
        text = self.catalogues[locale][key]
        if not isinstance(text, str):
            text = text["one" if facts.get("n") == 1 else "other"]
        return text.format_map(facts)

    def name(self, locale: Locale, family: str, code: str | None) -> str:
        """Give the word for a code, as `reason.rang_out`; the code itself if there is none."""
        text = self.catalogues[locale].get(f"{family}.{code}", code or "")
        return text if isinstance(text, str) else text["other"]


def _read(files: Iterable[Path]) -> Catalogue:
    read: dict[str, Text] = {}
    for file in files:
        read |= json.loads(file.read_text(encoding="utf-8"))
    return read


def locale_of(value: str | None) -> Locale | None:
    """Read a stored or sent language; nothing if it is none of ours."""
    return value if value in LOCALES else None


def choose(accept: str, default: Locale) -> Locale:
    """Choose by the browser's Accept-Language, which a script decides, not a country.

    zh-TW, zh-HK and zh-MO read Hant; zh-CN, zh-SG and zh-MY read Hans; bare `zh` is the site's
    default where that is Chinese, else Hans.
    """
    for tag in _by_preference(accept[:500]):
        if tag.startswith(_HANT):
            return "zh-Hant"
        if tag.startswith(_HANS):
            return "zh-Hans"
        if tag.split("-")[0] == "zh":
            return default if default != "en" else "zh-Hans"
        if tag.split("-")[0] == "en":
            return "en"
    return default


def _by_preference(accept: str) -> list[str]:
    wanted = list[tuple[float, str]]()
    for part in accept.lower().split(","):
        tag, _, weight = part.strip().partition(";q=")
        try:
            wanted.append((-float(weight or 1), tag.strip()))
        except ValueError:
            continue
    return [tag for weight, tag in sorted(wanted, key=lambda one: one[0]) if weight < 0]
