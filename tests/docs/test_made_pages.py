"""Settings and commands stand in the docs as they are in the code; every setting can be set."""

import json
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic.fields import FieldInfo

from cti import settings
from cti.errors import ConfigError
from tests.docs.made import pages
from tests.docs.settings_page import PBX_VARIABLE, TOML, keys, sections, variable

MADE = pages()
SETTABLE = [
    (variable(name, key), name.strip("[]"), key, field)
    for name, _, kind in sections()
    for key, field in keys(kind)
    if variable(name, key) != PBX_VARIABLE
]


@pytest.mark.parametrize("path", MADE, ids=lambda path: path.name)
def test_a_made_page_is_up_to_date(path: Path) -> None:
    assert MADE[path] == path.read_text(encoding="utf-8"), "run: make docs"


def test_the_shipped_settings_are_the_defaults() -> None:
    assert settings.load().model_dump() == settings.load(TOML).model_dump()


@pytest.mark.parametrize(
    ("name", "section", "key", "field"), SETTABLE, ids=[each[0] for each in SETTABLE]
)
def test_every_variable_in_the_table_is_read(
    name: str, section: str, key: str, field: FieldInfo, monkeypatch: pytest.MonkeyPatch
) -> None:
    def value() -> Any:
        found: Any = settings.load()
        return getattr(getattr(found, section) if section else found, key)

    before = value()
    monkeypatch.setenv(name, _another(field))

    assert value() != before


def test_the_list_of_pbxs_is_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PBX_VARIABLE, '[{"name": "east", "host": "10.0.0.5"}]')

    assert [("east", "10.0.0.5")] == [(pbx.name, pbx.host) for pbx in settings.load().pbx]


def test_a_list_that_is_no_json_says_how_to_write_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CTI_WEB__ORIGINS", "https://crm.example.org")

    with pytest.raises(ConfigError, match=r"environment(.|\n)*CTI_WEB__ORIGINS='\[") as told:
        settings.load()
    assert told.value.code == "settings"


@pytest.mark.parametrize("written", ['house = ""', 'data = "x"\nhouse = ""'])
def test_an_empty_file_name_is_none(written: str, tmp_path: Path) -> None:
    file = tmp_path / "cti.toml"
    file.write_text(written)

    assert settings.load(file).house is None


def _another(field: FieldInfo) -> str:
    """Give a value that is not the default, as the environment has it."""
    default = field.get_default(call_default_factory=True)
    choices = [one for one in get_args(field.annotation) if isinstance(one, str)]
    if choices:
        return next(one for one in choices if one != default)
    if isinstance(default, bool):
        return str(not default)
    if isinstance(default, int | float):
        return str(default + 1)
    return json.dumps(["x"]) if isinstance(default, list) else "x"
