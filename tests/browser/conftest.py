"""A real Chromium at a real server on this machine, with the cast and calls made up."""

import json
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, Locator, Page, async_playwright

from cti.clock import SystemClock
from cti.people.rules import Person
from tests.kit.need import need
from tests.kit.scenes import CHROMIUM_ARGS, chromium
from tests.kit.web import Stage, stage

AXE = Path(__file__).parent / "vendor" / "axe-4.14.1.min.js"
TIMEZONE = "America/New_York"  # far from the house's, so that a mix-up shows

COUNT_EVENTS = """
window.told = [];
for (const what of ['ringing', 'answered', 'ended']) {
  document.addEventListener(`cti:${what}`, (event) =>
    window.told.push([what, event.detail.call, performance.timeOrigin + performance.now()]));
}
"""


def said(text: str) -> re.Pattern[str]:
    """Read a sentence past the invisible marks that isolate the names in it."""
    return re.compile(r"[\s\u2068\u2069]+".join(re.escape(word) for word in text.split()))


@pytest_asyncio.fixture(loop_scope="session", scope="session")
async def chrome() -> AsyncIterator[Browser]:
    """One browser for all tests."""
    found = chromium()
    need("browser", None if found else "no chromium on this machine (apt-get install chromium)")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=found, args=CHROMIUM_ARGS)
        yield browser
        await browser.close()


@dataclass
class Tab:
    """One open page of one person."""

    page: Page
    faults: list[str] = field(default_factory=list)

    @property
    def widget(self) -> Locator:
        return self.page.locator("cti-agent")

    @property
    def cards(self) -> Locator:
        return self.page.locator("cti-agent .card")

    @property
    def status(self) -> Locator:
        return self.page.locator("cti-agent .status .word, cti-board .status .word")

    async def told(self, what: str) -> list[str]:
        """Give the calls that the page was told of, in order."""
        events: list[list[Any]] = await self.page.evaluate("window.told")
        return [call for kind, call, _ in events if kind == what]

    async def axe(self) -> list[str]:
        """Look for what keeps people out; give rule and place of each finding."""
        await self.page.evaluate(AXE.read_text())
        tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
        found = await self.page.evaluate(
            f"axe.run(document, {{runOnly: {json.dumps(tags)}}})"
            ".then((result) => result.violations.map((v) =>"
            " `${v.id}: ${v.nodes.map((n) => n.target.join(' ')).join(', ')}`))"
        )
        return list(found)


@dataclass
class Room:
    """A running server, and the browsers of those who work there."""

    it: Stage
    chrome: Browser
    contexts: dict[str, BrowserContext] = field(default_factory=dict)
    tabs: list[Tab] = field(default_factory=list)

    async def enters(self, person: Person, **how: Any) -> BrowserContext:
        """Give a browser in which somebody is logged in."""
        how = {"locale": "en-GB", "timezone_id": TIMEZONE} | how
        context = await self.chrome.new_context(**how)
        token = self.it.accounts.open_session(person)
        await context.add_cookies([{"name": "cti", "value": token, "url": self.it.origin}])
        await context.add_init_script(COUNT_EVENTS)
        self.contexts[person.id] = context
        return context

    async def opens(self, person: Person, path: str = "/agent", **how: Any) -> Tab:
        """Open a page as somebody, and wait until it is live."""
        context = self.contexts.get(person.id) or await self.enters(person, **how)
        tab = Tab(await context.new_page())
        tab.page.on("console", lambda said: _keep(tab, said.type, said.text))
        tab.page.on("pageerror", lambda fault: tab.faults.append(str(fault)))
        self.tabs.append(tab)
        await tab.page.goto(f"{self.it.origin}{path}")
        await tab.status.wait_for()
        return tab


NETWORK = ("net::ERR_", "WebSocket connection to", "Failed to load resource")


def _keep(tab: Tab, kind: str, text: str) -> None:
    if kind in ("error", "warning") and not any(word in text for word in NETWORK):
        tab.faults.append(text)


@pytest_asyncio.fixture(loop_scope="session")
async def room(chrome: Browser) -> AsyncIterator[Room]:
    """A server at the machine's own time; no page may have complained at the end."""
    async with stage(clock=SystemClock()) as it:
        made = Room(it, chrome)
        yield made
        for context in made.contexts.values():
            await context.close()

        assert [] == [fault for tab in made.tabs for fault in tab.faults]
