"""Every error code that the program raises stands in docs/errors.md, once."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from cti.db import faults
from cti.errors import (
    ActionUnknown,
    CommitUnknown,
    HouseError,
    PbxUnavailable,
    StoreUnavailable,
    UnsafeAction,
)

ROOT = Path(__file__).parents[2]
PACKAGES = ("cti", "recordings")
CHECKED = sorted(path for one in PACKAGES for path in (ROOT / one).rglob("*.py"))
ERRORS = {"ConfigError", "HouseError", "Refused", "StoreUnavailable", "CommitUnknown"}
TEXT = (ROOT / "docs" / "errors.md").read_text()
FIRST = re.findall(r"^\| (`\w+`(?:, `\w+`)*) \|", TEXT, re.MULTILINE)
DOCUMENTED = [code for cell in FIRST for code in re.findall(r"\w+", cell)]


def raised(path: Path) -> Iterator[str]:
    """Give the codes that a module gives to its errors."""
    for node in ast.walk(ast.parse(path.read_text())):
        if not isinstance(node, ast.Call) or getattr(node.func, "id", "") not in ERRORS:
            continue
        words = [word.value for word in node.keywords if word.arg == "code"]
        if getattr(node.func, "id", "") == "Refused":
            words.append(node.args[0])
        for word in words:
            if isinstance(word, ast.Constant):
                yield word.value


def test_every_code_stands_in_the_table() -> None:
    meanings = {
        told[0]
        for told in vars(faults).values()
        if isinstance(told, tuple) and told and isinstance(told[0], str)
    }
    codes = {code for path in CHECKED for code in raised(path)} | {
        meaning for meaning in meanings if meaning.startswith("db_")
    }

    assert len(codes) > 30
    assert codes - set(DOCUMENTED) == set()


def test_every_error_that_can_be_met_stands_in_the_table() -> None:
    met = (PbxUnavailable, StoreUnavailable, ActionUnknown, CommitUnknown, UnsafeAction, HouseError)

    assert {error.code for error in met} - set(DOCUMENTED) == set()


def test_no_code_stands_there_twice() -> None:
    assert sorted(DOCUMENTED) == sorted(set(DOCUMENTED))


def test_every_code_in_the_table_is_one_that_the_program_has() -> None:
    sources = "".join(path.read_text() for path in CHECKED)

    assert [code for code in DOCUMENTED if f'"{code}"' not in sources] == []
