"""How long from the first ring to a card in sight? `python -m tests.browser.measure [CALLS]`

Three agents in three Chromiums, a ring-all queue of a real PBX: from the PBX's own stamp of each
phone's first ring to the first frame that the browser painted with the card in it.
"""

import asyncio
import sys
import tempfile
from datetime import timedelta
from pathlib import Path
from statistics import median
from typing import Any

from playwright.async_api import Browser, Page, async_playwright

from tests.kit.house import House, at_work
from tests.kit.scenes import CHROMIUM_ARGS, chromium
from tests.pbx.lab import Lab, Pair
from tests.pbx.lab.ami import Message

PHONES = ("6001", "6002", "6003")
NOTE = """
window.seen = [];
const painted = (then) => requestAnimationFrame(() => requestAnimationFrame(then));
const note = (number) => window.seen.push([number, performance.timeOrigin + performance.now()]);
document.addEventListener('cti:ringing', (event) => painted(() => note(event.detail.number)));
"""


async def _opens(chrome: Browser, house: House, phone: str) -> Page:
    page = await (await chrome.new_context()).new_page()
    await page.add_init_script(NOTE)
    link = await house.people.make_link(house.staff[phone].id, "log_in", timedelta(hours=1))
    await page.goto(f"{house.daemon.url}/login/link/{link}")
    await page.locator("form button.main").click()
    await page.locator("cti-agent .status .word").wait_for()
    return page


def _rings(phone: str) -> Any:
    device = f"PJSIP/{phone}"

    def fits(message: Message) -> bool:
        mine = message.get("Channel", "").rpartition("-")[0] == device
        return mine and message.is_event("Newstate", ChannelState="5")

    return fits


async def _one(lab: Lab, pages: dict[str, Page], caller: str) -> list[float]:
    since = len(lab.pbx.heard)
    call = await lab.customer_calls(caller, to="4000", patience=1.5)
    took = []
    for phone, page in pages.items():
        rang = await lab.pbx.until(_rings(phone), since=since)
        number = f"+86{caller}"
        at = await (
            await page.wait_for_function(
                "(number) => window.seen.find(([one]) => one === number)?.[1]", arg=number
            )
        ).json_value()
        took.append(float(at) - float(rang["Timestamp"]) * 1000)
    await call.over()
    return took


async def measure(calls: int) -> list[float]:
    """Give the milliseconds of each pop."""
    pair = Pair.start()
    try:
        with tempfile.TemporaryDirectory() as folder:
            async with (
                async_playwright() as playwright,
                Lab(pair) as lab,
                at_work(pair, Path(folder) / "data") as house,
            ):
                chrome = await playwright.chromium.launch(
                    executable_path=chromium(), args=CHROMIUM_ARGS
                )
                pages = {phone: await _opens(chrome, house, phone) for phone in PHONES}
                await lab.behave_all(p6001="ring,9", p6002="ring,9", p6003="ring,9")
                took = []
                for number in range(calls):
                    took += await _one(lab, pages, f"1390001{number:04}")
                await chrome.close()
                return sorted(took)
    finally:
        pair.stop()


def main() -> None:
    """Measure, and say it."""
    took = asyncio.run(measure(int(sys.argv[1]) if len(sys.argv) > 1 else 20))
    p95 = took[min(len(took) - 1, len(took) * 95 // 100)]
    sys.stdout.write(
        f"from the phone's ring to a visible card, ms: p50 {median(took):.0f}, p95 {p95:.0f}, "
        f"worst {took[-1]:.0f} ({len(took)} pops; at most 300 is asked, UI-01)\n"
    )


if __name__ == "__main__":
    main()
