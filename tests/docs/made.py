"""Pages whose head is written by hand and whose rest is made from the code."""

from pathlib import Path
from typing import Final

from tests.docs import commands_page, settings_page

MARK: Final = "<!-- From here on made by `make docs`. -->\n\n"


def pages() -> dict[Path, str]:
    """Give every made file and what it should hold, with the head that it has."""
    return {
        commands_page.PAGE: _head(commands_page.PAGE) + commands_page.page(),
        settings_page.PAGE: _head(settings_page.PAGE) + settings_page.page(),
        settings_page.TOML: settings_page.toml(),
    }


def _head(page: Path) -> str:
    return page.read_text(encoding="utf-8").partition(MARK)[0] + MARK
