"""What is wrong in the settings is told with file or variable, key and reason."""

from pathlib import Path

import pytest

from cti import settings
from cti.errors import ConfigError


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "cti.toml"


def fault(file: Path | None) -> tuple[str, str]:
    """Load what cannot be loaded; give code and sentence."""
    with pytest.raises(ConfigError) as told:
        settings.load(file)
    assert told.value.todo
    return told.value.code, told.value.what


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("bogus = 1", "bogus: no such setting"),
        ("[web]\nprot = 8080", "web.prot: no such setting"),
        ("[web]\nport = 70000", "web.port: Input should be less than or equal to 65535"),
        ("[[pbx]]\nport = 'x'", "pbx.0.port: Input should be a valid integer"),
        ("[[pbx]]\n[[pbx]]\n", "two PBXs have the same name; give each its own `name`"),
    ],
)
def test_a_wrong_key_is_named_with_its_file(file: Path, text: str, expected: str) -> None:
    file.write_text(text)

    code, what = fault(file)

    assert code == "settings"
    assert what.startswith(f"settings ({file}): ")
    assert expected in what


def test_everything_that_is_wrong_is_told_at_once(file: Path) -> None:
    file.write_text("bogus = 1\n[web]\nport = -1\n")

    assert fault(file)[1].count(";") == 1


def test_a_file_that_is_not_toml_or_not_there_is_told(file: Path) -> None:
    assert fault(file) == ("settings_file", f"settings file {file} does not exist")

    file.write_text("[[pbx")

    assert "Expected ']]' at the end of an array declaration" in fault(file)[1]


def test_a_wrong_variable_is_named_as_such(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write_text("")
    monkeypatch.setenv("CTI_WEB__PROT", "1")
    assert "CTI_WEB__PROT (environment): no such setting" in fault(file)[1]

    monkeypatch.delenv("CTI_WEB__PROT")
    monkeypatch.setenv("CTI_WEB__ORIGINS", "https://crm.example.org")
    assert fault(None)[1].startswith("settings (environment): ")


def test_the_environment_wins_and_a_foreign_variable_is_left_alone(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file.write_text("[web]\nport = 1\n")
    monkeypatch.setenv("CTI_WEB__PORT", "2")
    monkeypatch.setenv("CTI_TEST_REQUIRE", "all")

    assert settings.load(file).web.port == 2
