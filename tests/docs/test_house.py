"""Every key of the house file stands in its page with its default, and none besides."""

import re
import tomllib
from collections.abc import Iterator
from dataclasses import replace

import pytest

from cti import house_file, shipped
from cti.calls.rings import CYCLES
from cti.house import EXEMPTIONS, PENALTIES, QUALITY_ITEMS, REASONS, SCOPES, SHIFTS, TIERS
from cti.house_file import Source
from cti.house_file.basics import BUSINESSES, LOCALES
from cti.house_file.fines import TRIGGERS
from cti.house_file.keys import Keys
from cti.house_file.visits import POPULATIONS
from cti.house_visits import EVENTS, PURPOSES, RULES
from tests.docs.texts import DOCS, spans, table, text_of

PAGE = DOCS / "house.md"
NEEDED = '[house]\nid = "may"\ntimezone = "Asia/Shanghai"\n'
ENTRIES = {
    "customers.tiers": 'id = "silver"\nname = "Silver"\n',
    "penalties.rules": 'id = "late"\ntrigger = "manual"\nagent = "1.00"\n',
    "line_test.lines": "",
    "quality.items": 'id = "smile"\nen = "Smiles"\n',
    "shifts.types": 'id = "night"\ntime = ["22:00", "06:00"]\n',
    "visits.rules": 'id = "booked"\nevent = "booking"\nclass = "service"\n',
    "visits.reminders": 'id = "gown"\nevent = "session"\nto = "shop"\n',
    "visits.nodes": 'id = "news"\ntrigger = "operator"\nclass = "care"\n',
}
"""What an entry of a list needs; its section stands in double brackets."""
HEADINGS = re.findall(r"^## `\[+([a-z_.]+)\]+`$", text_of(PAGE), re.MULTILINE)


def heading(section: str) -> str:
    return f"`[[{section}]]`" if section in ENTRIES else f"`[{section}]`"


def told() -> Iterator[tuple[str, str, str]]:
    """Give (section, key, default as it is written) of every key; required ones as given."""
    for section in HEADINGS:
        for row in table(PAGE, heading(section)):
            for name in row.names():
                yield section, name, row.cells[1].strip("`")


KEYS = list(told())


def written(*, defaults: bool) -> str:
    """Write a house file with an entry in each list, and every default that is told or none."""
    lines = {section: ENTRIES.get(section, "") for section in HEADINGS}
    lines["house"] = NEEDED.partition("\n")[2]
    for section, key, default in KEYS:
        is_section = f"{section}.{key}" in HEADINGS
        if defaults and not is_section and not default.startswith(("as ", "required")):
            lines[section] += f"{key} = {default}\n"
    return "".join(f"{heading(section)[1:-1]}\n{text}" for section, text in lines.items())


def asked(monkeypatch: pytest.MonkeyPatch) -> set[tuple[str, str]]:
    """Give every key that the reader asks for, by the section under which it is told."""
    found = set[tuple[str, str]]()
    take = Keys.take

    def noted(self: Keys, key: str) -> object:
        place = re.sub(
            r"\[1\]|(?<=rules)\.(late|booked)|(?<=types)\.night|(?<=items)\.smile"
            r"|(?<=tiers)\.silver|(?<=reminders)\.gown|(?<=nodes)\.news",
            "",
            f"{self.section}.{key}",
        )
        section = max((one for one in HEADINGS if place.startswith(f"{one}.")), key=len, default="")
        if section:
            found.add((section, place.removeprefix(f"{section}.")))
        return take(self, key)

    monkeypatch.setattr(Keys, "take", noted)
    house_file.examine(Source(text=written(defaults=False).encode()))
    return found - {pair for pair in found if f"{pair[0]}.{pair[1]}" in TABLES}


TABLES = {
    "house.holidays",
    "penalties.missed_call.storm",
    "penalties.rules.consecutive",
    "shifts.cleaning",
    "dialing.breaker",
    "visits.retry",
    "visits.retry.busy",
    "visits.retry.failed",
    "visits.retry.no_answer",
    "visits.retry.solution_refused",
    "visits.abandoned",
    "visits.quota",
}
"""Small tables, told key by key."""


def test_every_key_that_is_read_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    assert asked(monkeypatch) == {(section, key) for section, key, _ in KEYS}


def test_the_defaults_that_are_told_are_those_of_the_code() -> None:
    house = house_file.parse(written(defaults=True).encode())

    plain = house_file.parse(written(defaults=False).encode())
    assert plain == replace(house, version=plain.version)


def test_every_default_is_written_as_toml() -> None:
    values = [default for _, _, default in KEYS if not default.startswith(("as ", "required"))]

    assert len(values) > 15
    assert [tomllib.loads(f"x = {value}") for value in values]


def test_every_section_that_is_read_has_its_table() -> None:
    assert {one.partition(".")[0] for one in HEADINGS} == set(house_file.READ)


def test_sections_of_later_versions_are_named() -> None:
    lines = text_of(PAGE).splitlines()
    (sections,) = (one for one in lines if "names them, and nothing" in one)

    assert re.findall(r"`\[(\w+)\]`", sections) == list(house_file.LATER)


def test_the_shipped_houses_are_named() -> None:
    (line,) = (one for one in text_of(PAGE).splitlines() if one.startswith("`config/houses/`"))
    install = text_of(DOCS / "install.md")

    for name in shipped.houses():
        assert re.search(rf"\b{name}\b", line)
        assert re.search(rf"\b{name}\b", install)


def test_words_that_a_key_takes_are_told() -> None:
    for words in (BUSINESSES, LOCALES, CYCLES, SCOPES, EXEMPTIONS, TRIGGERS, EVENTS):
        assert all(word in text_of(PAGE) for word in words)
    for words in (PURPOSES, POPULATIONS, RULES):
        assert all(word in text_of(PAGE) for word in words)
    assert {"schema", *REASONS, *PENALTIES, *SHIFTS, *QUALITY_ITEMS, *TIERS} <= set(spans(PAGE))
