"""Each decision is told in the same form; the changelog begins with this version."""

import re
from pathlib import Path

import pytest

from cti import __version__
from tests.docs.texts import DOCS, text_of

DECISIONS = sorted((DOCS / "adr").glob("*.md"))
PARTS = ["Status", "Context", "Decision", "Consequences"]


@pytest.mark.parametrize("page", DECISIONS, ids=lambda page: page.name)
def test_a_decision_has_a_number_a_title_and_four_parts(page: Path) -> None:
    number = int(page.name.partition("-")[0])

    assert re.match(rf"# {number}\. .+\n", text_of(page))
    assert re.findall(r"^## (.+)$", text_of(page), re.MULTILINE) == PARTS


def test_no_number_is_given_twice() -> None:
    numbers = [page.name.partition("-")[0] for page in DECISIONS]

    assert len(numbers) >= 9
    assert sorted(set(numbers)) == numbers


def test_the_changelog_begins_with_this_version() -> None:
    assert re.findall(r"^## (.+)$", text_of(DOCS / "changelog.md"), re.MULTILINE)[0] == __version__
