"""The shipped unit starts the program as install.md sets it up."""

import configparser
import re

from tests.docs.settings_page import keys, sections, variable
from tests.docs.texts import DOCS, ROOT, blocks, text_of

UNIT = ROOT / "config" / "systemd" / "cti.service"
VARIABLES = {variable(name, key) for name, _, kind in sections() for key, _ in keys(kind)}


def unit() -> configparser.ConfigParser:
    read = configparser.ConfigParser(strict=False, interpolation=None)
    read.optionxform = str  # type: ignore[assignment,method-assign]
    read.read_string(text_of(UNIT))
    return read


def test_the_unit_runs_the_installed_program_with_the_settings_that_init_made() -> None:
    service = unit()["Service"]
    typed = "\n".join(blocks(DOCS / "install.md"))

    program, *_ = service["ExecStart"].split()
    assert f"python3 -m venv {program.removesuffix('/bin/cti')}\n" in typed
    directory = service["WorkingDirectory"]
    assert service["ExecStart"].endswith(f"--config {directory}/cti.toml")
    assert f"cti init {directory} " in typed
    assert directory == f"/var/lib/{service['StateDirectory']}"
    assert f"--home {directory} {service['User']}\n" in typed


def test_every_variable_in_the_unit_is_a_setting() -> None:
    assert set(re.findall(r"\bCTI_\w+", text_of(UNIT))) <= VARIABLES


def test_a_failure_starts_it_again_and_never_hot() -> None:
    service = unit()["Service"]

    assert service["Restart"] == "on-failure"
    assert int(service["RestartSec"]) >= 1
    assert "ProtectSystem" in service
