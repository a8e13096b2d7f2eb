import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from string import Formatter

import pytest

import cti.web
from cti.web.words import FOLDER, LOCALES, ROOMS, Text, Words, choose

WEB = Path(cti.web.__file__).parent
CODE = WEB.parent
RECORDINGS = CODE.parent / "recordings"
PAGES = {path.name for path in [*WEB.glob("*.py"), *CODE.glob("*/routes/*.py")]} | {"routes.py"}
WORDS = Words()

FAMILIES = (
    "fault",
    "tier",
    "call",
    "card.direction",
    "card.state",
    "contact",
    "error",
    "api",
    "help.link",
    "link",
)
FAMILIES += (
    "policy.recordings",
    "link.short",
    "outcome",
    "reason",
    "rec",
    "rec.do",
    "rec.told",
    "role",
    "state",
    "was",
)
"""Keys below these are put together at run time."""


def forms(text: Text) -> list[str]:
    return [text] if isinstance(text, str) else list(text.values())


def facts(text: Text) -> list[set[str]]:
    return [{name for _, name, _, _ in Formatter().parse(form) if name} for form in forms(text)]


def test_all_languages_say_the_same_things() -> None:
    english = set(WORDS.catalogues["en"])

    assert dict.fromkeys(LOCALES, english) == {
        locale: set(WORDS.catalogues[locale]) for locale in LOCALES
    }


@pytest.mark.parametrize("locale", LOCALES)
def test_every_text_has_the_facts_of_the_english_one(locale: str) -> None:
    for key, text in WORDS.catalogues["en"].items():
        wanted = set.union(*facts(text))
        for named in facts(WORDS.catalogues[locale][key]):
            assert wanted == named, key


@pytest.mark.parametrize("locale", ["zh-Hant", "zh-Hans"])
def test_chinese_has_chinese_punctuation(locale: str) -> None:
    for key, text in WORDS.catalogues[locale].items():
        assert not re.search(r"[\u4e00-\u9fff][,:;?!.]", "".join(forms(text))), key


def test_each_chinese_is_written_in_its_own_characters() -> None:
    hant = "".join("".join(forms(text)) for text in WORDS.catalogues["zh-Hant"].values())
    hans = "".join("".join(forms(text)) for text in WORDS.catalogues["zh-Hans"].values())

    assert not set("来电话线号码时间队员应声标结转这请发见为务说没无") & set(hant)
    assert not set("來電話線號碼時間隊員應聲標準結轉這請發見為務說沒無") & set(hans)


def test_taiwan_and_the_mainland_have_words_of_their_own() -> None:
    pairs = {"login.title": ("登入", "登录"), "nav.logout": ("登出", "退出登录")}
    pairs |= {"card.queue": ("佇列", "队列"), "link.reload_now": ("重新整理", "刷新")}

    assert pairs == {key: (WORDS.say("zh-Hant", key), WORDS.say("zh-Hans", key)) for key in pairs}


def sources() -> list[Path]:
    found = [*CODE.rglob("*.html"), *CODE.rglob("*.py"), *(WEB / "static").glob("*.js")]
    found += RECORDINGS.glob("*.py")
    found.remove(WEB / "static" / "shapes.js")  # names of shapes look like keys
    return found


def used() -> Iterator[tuple[str, str]]:
    for source in sources():
        for key in re.findall(r"""["'`]([a-z]+(?:\.[a-z0-9_]+)+)["'`]""", source.read_text()):
            yield source.name, key


def families() -> set[str]:
    """Give the families below which pages put keys together: `word("role", …)`, `say("x." ~ …)`."""
    made = r"""word\(\s*"([a-z_.]+)"|say\(\s*"([a-z_.]+)\."\s*~"""
    pages = [*CODE.rglob("*.html"), *CODE.rglob("*.py")]
    return {
        one for page in pages for pair in re.findall(made, page.read_text()) for one in pair if one
    } | set(FAMILIES)


def test_no_room_says_what_another_says_already() -> None:
    said = [
        key
        for file in [FOLDER / "en.json", *ROOMS.glob("*/en.json")]
        for key in json.loads(file.read_text(encoding="utf-8"))
    ]

    assert [] == [key for key, n in Counter(said).items() if n > 1]


def test_every_text_is_used_and_every_used_text_exists() -> None:
    known = set(WORDS.catalogues["en"])
    named = {key for _, key in used()}
    put_together = families()
    built = {key for key in known if key.rpartition(".")[0] in put_together}
    first_words = {key.split(".")[0] for key in known}

    unknown = {
        key
        for page, key in used()
        if page.endswith((".html", ".js")) or page in PAGES
        if key not in known
        if key.split(".")[0] in first_words
        and key.rpartition(".")[0] not in put_together
        and key not in put_together
        and not key.endswith((".html", ".js", ".json"))
    }
    columns = {key for key in known if ".col." in key}  # tables and sheets name theirs
    assert (set(), set()) == (unknown, known - named - built - columns)


def test_one_is_told_from_many() -> None:
    assert "1 ring" == WORDS.say("en", "contact.rings", n=1)
    assert "2 rings" == WORDS.say("en", "contact.rings", n=2)
    assert "鈴響 1 聲" == WORDS.say("zh-Hant", "contact.rings", n=1)


def test_a_code_without_a_word_shows_itself() -> None:
    assert ("rang out", "new_reason", "") == (
        WORDS.name("en", "reason", "rang_out"),
        WORDS.name("en", "reason", "new_reason"),
        WORDS.name("en", "reason", None),
    )


@pytest.mark.parametrize(
    ("accept", "default", "chosen"),
    [
        ("zh-TW,zh;q=0.9,en;q=0.8", "en", "zh-Hant"),
        ("zh-HK", "zh-Hans", "zh-Hant"),
        ("zh-Hant-CN", "en", "zh-Hant"),
        ("zh-CN", "zh-Hant", "zh-Hans"),
        ("zh-SG", "en", "zh-Hans"),
        ("zh-Hans-TW", "en", "zh-Hans"),
        ("zh", "zh-Hant", "zh-Hant"),
        ("zh", "en", "zh-Hans"),
        ("fr-FR, en-GB;q=0.7, zh-TW;q=0.9", "en", "zh-Hant"),
        ("de, fr", "zh-Hans", "zh-Hans"),
        ("en;q=0, zh-TW;q=0.1", "en", "zh-Hant"),
        ("", "zh-Hant", "zh-Hant"),
        ("q=;;,,;q=x", "en", "en"),
        ("x" * 100_000, "en", "en"),
    ],
)
def test_the_script_decides_the_language(accept: str, default: str, chosen: str) -> None:
    assert chosen == choose(accept, default)  # type: ignore[arg-type]
