"""Links lead somewhere, files that are named are there, and every page can be found."""

import re
from pathlib import Path

import pytest

from tests.docs.texts import DOCS, PAGES, README, ROOT, anchors, prose, spans, text_of

LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)|(?:src|href)=\"([^\"]+)\"")
FILE = re.compile(r"(?:cti|docs|config|tests|recordings|\.ci)(?:/[\w.\-]+)+/?")
LARGEST_IMAGE = 120_000


def links(page: Path) -> list[str]:
    found = [one or other for one, other in LINK.findall(text_of(page))]
    return [link for link in found if not re.match(r"https?:|mailto:", link)]


ALL_LINKS = [(page, link) for page in PAGES for link in links(page)]


@pytest.mark.parametrize(
    ("page", "link"), ALL_LINKS, ids=lambda part: getattr(part, "name", str(part))
)
def test_a_link_leads_somewhere(page: Path, link: str) -> None:
    path, _, anchor = link.partition("#")
    target = (page.parent / path) if path else page

    assert target.exists()
    assert not anchor or anchor in anchors(target)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_file_that_is_named_is_there(page: Path) -> None:
    named = {span for span in spans(page) if FILE.fullmatch(span)}

    assert [name for name in named if not (ROOT / name).exists()] == []


def test_files_and_links_are_found_at_all() -> None:
    assert len(ALL_LINKS) > 40
    assert "cti/calls/judge.py" in spans(README)


def test_every_page_can_be_reached_from_the_readme() -> None:
    reached, ahead = set[Path](), [README]
    while ahead:
        page = ahead.pop().resolve()
        if page in reached:
            continue
        reached.add(page)
        if page.is_dir():
            ahead += page.glob("*.md")
        elif page.suffix == ".md":
            ahead += [page.parent / link.partition("#")[0] for link in links(page)]

    assert [page for page in PAGES if page.resolve() not in reached] == []


@pytest.mark.parametrize("image", sorted(DOCS.rglob("*.png")), ids=lambda image: image.name)
def test_an_image_is_small_and_shown(image: Path) -> None:
    assert image.stat().st_size < LARGEST_IMAGE
    assert any(f"images/{image.name}" in text_of(page) for page in PAGES)


@pytest.mark.parametrize("page", [README, *sorted(DOCS.rglob("*.md"))], ids=lambda page: page.name)
def test_a_line_holds_one_sentence(page: Path) -> None:
    two = re.compile(r"[\w)`\"”]{2}[.!?] [A-Z`\"“(\[]")
    lines = [re.sub(r"^\s*(\d+\.|-) ", "", line) for line in prose(page)]

    assert [line for line in lines if two.search(line)] == []
