"""What the docs say, in pieces that a test can hold against the code."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
README: Final = ROOT / "README.md"
DOCS: Final = ROOT / "docs"
PAGES: Final = sorted(
    [
        README,
        *DOCS.rglob("*.md"),
        *(ROOT / "config").glob("*/*.md"),
        *(ROOT / "config").glob("*.md"),
    ]
)
_SPAN: Final = re.compile(r"`([^`\n]+)`")


def text_of(page: Path) -> str:
    """Give a page."""
    return page.read_text(encoding="utf-8")


def blocks(page: Path) -> Iterator[str]:
    """Give the lines of the code blocks of a page: indented by four, behind an empty line."""
    inside, empty = False, True
    for line in text_of(page).splitlines():
        inside = line.startswith("    ") and (inside or empty)
        empty = not line.strip()
        if inside:
            yield line[4:]


def prose(page: Path) -> list[str]:
    """Give the lines of a page that are neither code, table nor heading."""
    code = set(blocks(page))
    return [
        line
        for line in text_of(page).splitlines()
        if line.strip() and line[4:] not in code and not line.startswith(("|", "#", "<"))
    ]


def spans(page: Path) -> list[str]:
    """Give what stands between backticks."""
    return _SPAN.findall(text_of(page))


@dataclass(frozen=True, slots=True)
class Row:
    """A line of a table, cell by cell."""

    cells: tuple[str, ...]

    def names(self, cell: int = 0) -> list[str]:
        """Give what stands between backticks in a cell."""
        return _SPAN.findall(self.cells[cell])


def table(page: Path, heading: str) -> list[Row]:
    """Give the rows of the first table below a heading, without its own head."""
    text = text_of(page)
    match = re.search(rf"^#+ {re.escape(heading)}$", text, re.MULTILINE)
    assert match, f"{page.name} has no heading {heading!r}"
    rows: list[Row] = []
    for line in text[match.end() :].splitlines():
        if line.startswith("|"):
            cells = re.split(r"(?<!\\)\|", line.strip().strip("|"))
            rows.append(Row(tuple(cell.strip() for cell in cells)))
        elif rows or line.startswith("#"):
            break
    assert len(rows) > 2, f"{page.name}: no table below {heading!r}"
    return rows[2:]


def first_names(page: Path, heading: str) -> list[str]:
    """Give every name in the first column of a table."""
    return [name for row in table(page, heading) for name in row.names()]


def anchors(page: Path) -> set[str]:
    """Give the anchors that the headings of a page make."""
    heads = re.findall(r"^#+ (.+)$", text_of(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}
