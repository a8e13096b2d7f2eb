"""The pictures of the README: run the demo, log in by link, ring, look.

`python -m tests.browser.screenshots [DIR]` writes them to docs/images; it takes two minutes.
"""

import asyncio
import re
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from playwright.async_api import Browser, Page, async_playwright

from tests.kit.png import smaller
from tests.kit.scenes import CHROMIUM_ARGS, chromium

IMAGES = Path(__file__).parents[2] / "docs" / "images"
COMMAND = str(Path(sys.executable).parent / "cti")
LOCALES = {"en": "en-GB", "zh-Hans": "zh-CN"}
ZONE = "Asia/Shanghai"
SHARP = 1.5
"""Dots of a picture for one of the page: text stays clear, the files small."""
GUEST, OTHER, THIRD = "13800138000", "13900139001", "02158881234"
NAME = "王小明"
_LINK = re.compile(r"(agent|supervisor) +.*?(\S+) +(http\S+/login/link/\S+)")


@dataclass(frozen=True, slots=True)
class Demo:
    """A running demo: its data directory and the login links, by first name."""

    data: str
    links: Mapping[str, str]

    async def ring(self, number: str) -> None:
        """Let a customer ring."""
        process = await asyncio.create_subprocess_exec(
            *(COMMAND, "demo", "ring", number, "--data", self.data),
            stdout=asyncio.subprocess.DEVNULL,
        )
        assert await process.wait() == 0


@asynccontextmanager
async def demo() -> AsyncIterator[Demo]:
    """Run `cti demo` in a directory of its own, on any free port."""
    with tempfile.TemporaryDirectory() as data:
        words = ("demo", "--port", "0", "--data", data)
        process = await asyncio.create_subprocess_exec(
            COMMAND, *words, stdout=asyncio.subprocess.PIPE
        )
        assert process.stdout is not None
        links: dict[str, str] = {}
        try:
            async for line in process.stdout:
                if found := _LINK.search(line.decode()):
                    links[found[2]] = found[3]
                if b"Ctrl-C" in line:
                    break
            yield Demo(data, links)
        finally:
            process.terminate()
            await process.wait()


class Screen:
    """One person's page in each language, in one session."""

    def __init__(self, pages: Mapping[str, Page]) -> None:
        self.pages = pages

    @classmethod
    async def opened(cls, browser: Browser, link: str, width: int, height: int) -> "Screen":
        """Log in by a link, then open the first page in each language."""
        how = {"viewport": {"width": width, "height": height}, "device_scale_factor": SHARP}
        first = await browser.new_context()
        page = await first.new_page()
        await page.goto(link)
        await page.click("button.main")
        await page.wait_for_url(re.compile(r"/(agent|live)$"))
        address, session = page.url, await first.storage_state()
        pages = {}
        for name, locale in LOCALES.items():
            context = await browser.new_context(
                storage_state=session, locale=locale, timezone_id=ZONE, **how
            )
            pages[name] = await context.new_page()
            await pages[name].goto(address)
            await pages[name].locator("cti-agent .status, cti-board .status").wait_for()
        return cls(pages)

    async def sees(self, what: str, within: float = 120) -> None:
        """Wait until the English page shows something."""
        await self.pages["en"].locator(what).first.wait_for(timeout=within * 1000)

    async def no_longer_sees(self, what: str, within: float = 120) -> None:
        """Wait until the English page does not show it any more."""
        where = self.pages["en"].locator(what).first
        await where.wait_for(state="detached", timeout=within * 1000)

    async def shoot(self, folder: Path, name: str) -> None:
        """Take the pictures, all at once: time goes on."""
        await asyncio.gather(
            *(
                page.screenshot(path=folder / f"{name}-{locale}.png", animations="disabled")
                for locale, page in self.pages.items()
            )
        )


async def shots(folder: Path) -> None:
    """Take all pictures."""
    folder.mkdir(parents=True, exist_ok=True)
    async with demo() as it, async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium(), args=CHROMIUM_ARGS)
        agent = await Screen.opened(browser, it.links["May"], 420, 500)
        board = await Screen.opened(browser, it.links["Lin"], 1280, 540)
        for number in (OTHER, GUEST):  # so that the day has figures, and the guest a history
            await it.ring(number)
        await board.sees(f"td:has-text('{NAME}')")
        await board.no_longer_sees(f"td:has-text('{NAME}')")
        await board.sees("p.counts:has-text('3 available')")
        await it.ring(GUEST)
        await agent.sees(f".card:has-text('{NAME}') .rings b:text('2 / 3')")
        await agent.shoot(folder, "pop")
        await board.sees("p.counts:has-text('1 on call')")
        await it.ring(THIRD)
        await board.sees(".rings:has-text('2 / 3')")
        await board.shoot(folder, "board")
        await browser.close()
    for path in sorted(folder.glob("*.png")):
        path.write_bytes(smaller(path.read_bytes()))
        sys.stdout.write(f"{path}: {path.stat().st_size / 1000:.0f} kB\n")


if __name__ == "__main__":
    asyncio.run(shots(Path(sys.argv[1]) if len(sys.argv) > 1 else IMAGES))
