import re
from pathlib import Path

import pytest

from cti.web.shelf import FOLDER, Shelf
from tests.kit.web import stage

SHELF = Shelf()


async def test_a_file_may_be_kept_for_ever_and_is_not_sent_twice() -> None:
    async with stage() as it, it.browser() as browser:
        async with browser.get(SHELF.url("agent.js")) as answer:
            assert 200 == answer.status
            assert "text/javascript" == answer.content_type
            assert "immutable" in answer.headers["Cache-Control"]
            etag = answer.headers["ETag"]
        again = {"If-None-Match": etag}
        async with browser.get(SHELF.url("agent.js"), headers=again) as answer:
            assert (304, b"") == (answer.status, await answer.read())


@pytest.mark.parametrize(
    "path",
    [
        "/static/000000000000/agent.js",
        "/static/{edition}/../server.py",
        "/static/{edition}/%2e%2e/server.py",
        "/static/{edition}/..%2fserver.py",
        "/static/{edition}//etc/passwd",
        "/static/{edition}/vendor/VENDOR.toml",
        "/static/{edition}/vendor/lit.LICENSE",
        "/static/{edition}/",
        "/static/",
    ],
)
async def test_nothing_else_is_served(path: str) -> None:
    async with (
        stage() as it,
        it.browser() as browser,
        browser.get(it.url.with_path(path.format(edition=SHELF.edition), encoded=True)) as answer,
    ):
        assert 404 == answer.status


def test_any_change_makes_a_new_edition(tmp_path: Path) -> None:
    (tmp_path / "a.js").write_text("1")
    before = Shelf(tmp_path).edition

    (tmp_path / "a.js").write_text("2")

    assert before != Shelf(tmp_path).edition


def test_modules_import_only_what_is_on_the_shelf() -> None:
    for module in FOLDER.glob("*.js"):
        for target in re.findall(r"from '([^']+)'", module.read_text()):
            assert target.startswith("./"), f"{module.name}: {target}"
            SHELF.url(target.removeprefix("./"))


def test_pages_and_elements_have_the_same_tokens() -> None:
    token = re.compile(r"--(?:page|raised|ink|soft|edge|accent|red|amber|green): (#[0-9a-f]{6})")

    assert token.findall((FOLDER / "house.css").read_text()) == token.findall(
        (FOLDER / "sheet.js").read_text()
    )


def luminance(colour: str) -> float:
    parts = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("tone", [0, 1], ids=["light", "dark"])
def test_every_token_can_be_read_on_both_grounds(tone: int) -> None:
    names = re.findall(r"--(\w+): (#[0-9a-f]{6})", (FOLDER / "house.css").read_text())
    half = len(names) // 2
    tokens = dict(names[tone * half : (tone + 1) * half])

    for ground in (tokens["page"], tokens["raised"]):
        for name in ("ink", "soft", "accent", "red", "amber", "green"):
            assert contrast(tokens[name], ground) >= 4.5, name
        assert contrast(tokens["edge"], ground) >= 3
