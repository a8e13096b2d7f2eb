"""Every key of the house file stands in its page with its default, and none besides."""

import re
import tomllib
from collections.abc import Iterator
from dataclasses import replace

import pytest

from cti import house_file, shipped
from tests.docs.texts import DOCS, spans, table, text_of

PAGE = DOCS / "house.md"
NEEDED = '[house]\nid = "may"\ntimezone = "Asia/Shanghai"\n'


def told() -> Iterator[tuple[str, str, str]]:
    """Give (section, key, default as it is written) of every key; required ones as given."""
    for section in house_file.READ:
        for row in table(PAGE, f"`[{section}]`"):
            for name in row.names():
                yield section, name, row.cells[1].strip("`")


KEYS = list(told())


def asked(monkeypatch: pytest.MonkeyPatch) -> set[tuple[str, str]]:
    """Give every key that the reader asks for."""
    found = set[tuple[str, str]]()
    take = house_file.Keys.take

    def noted(self: house_file.Keys, key: str) -> object:
        found.add((self._section, key))
        return take(self, key)

    monkeypatch.setattr(house_file.Keys, "take", noted)
    house_file.examine(NEEDED.encode())
    return found


def test_every_key_that_is_read_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    read = asked(monkeypatch) - {("house", "holidays")}
    flat = {
        (section.partition(".")[0], f"holidays.{key}" if "." in section else key)
        for section, key in read
    }

    assert flat == {(section, key) for section, key, _ in KEYS}


def test_the_defaults_that_are_told_are_those_of_the_code() -> None:
    lines = dict.fromkeys(house_file.READ, "")
    for section, key, default in KEYS:
        if default.startswith(("as ", "required")):
            continue
        lines[section] += f"{key} = {default}\n"
    lines["house"] += NEEDED.partition("\n")[2]
    written = "".join(f"[{section}]\n{text}" for section, text in lines.items())

    house = house_file.parse(written.encode())

    plain = house_file.parse(NEEDED.encode())
    assert plain == replace(house, version=plain.version)


def test_every_default_is_written_as_toml() -> None:
    values = [default for _, _, default in KEYS if not default.startswith(("as ", "required"))]

    assert len(values) > 15
    assert [tomllib.loads(f"x = {value}") for value in values]


def test_sections_of_later_versions_are_named() -> None:
    (line,) = (one for one in text_of(PAGE).splitlines() if "names them, and nothing" in one)

    assert re.findall(r"`\[(\w+)\]`", line) == list(house_file.LATER)


def test_the_shipped_houses_are_named() -> None:
    (line,) = (one for one in text_of(PAGE).splitlines() if one.startswith("`config/houses/`"))
    install = text_of(DOCS / "install.md")

    for name in shipped.houses():
        assert re.search(rf"\b{name}\b", line)
        assert re.search(rf"\b{name}\b", install)


def test_words_that_a_key_takes_are_told() -> None:
    for words in (house_file.BUSINESSES, house_file.LOCALES, house_file.CYCLES):
        assert all(word in text_of(PAGE) for word in words)
    assert "schema" in spans(PAGE)
