"""Does a line test find out how the line is? A real PBX calls itself through a real carrier.

The number of the house goes out by the trunk, and the world brings it in again; other numbers
lead nowhere. What Asterisk wrote down says how often was dialled.
"""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from cti.dials.rules import NEVER_DIALLED, Attempt, AttemptState
from cti.dials.store import DialStore
from cti.lines.rules import TRIES, Fault, FaultState, LineTest, LineTestState, Step
from cti.lines.store import LineStore
from cti.people.rules import Person, Role
from tests.kit.house import House, opened
from tests.pbx.lab import Lab, Pair
from tests.pbx.lab.truth import CHANNEL, LINKEDID, TYPE

pytestmark = [pytest.mark.lab, pytest.mark.asyncio(loop_scope="module")]

GOOD, DEAD, BUSY, ASTRAY, GONE = (f"0216111000{n}" for n in range(5))
ENTRY = "4030"
LINES = [("trunk", number) for number in (GOOD, DEAD, BUSY, ASTRAY)] + [("nowhere", GONE)]


def rules(folder: Path) -> Path:
    """Write a house file with these lines; tests are made only when somebody asks."""
    parts = [
        "schema = 1",
        "[house]",
        'id = "lines"',
        'timezone = "Asia/Shanghai"',
        "[line_test]",
        "automatic = false",
    ]
    for trunk, number in LINES:
        parts += ["[[line_test.lines]]", f'trunk = "{trunk}"', f'dial = "{number}"']
        parts.append(f'arrives_at = "{ENTRY}"')
    parts += ["[dialing]", "per_minute = 100", "per_number_day = 100", 'prefixes = ["0216111"]']
    path = folder / "house.toml"
    path.write_text("\n".join([*parts, ""]), encoding="utf-8")
    return path


@dataclass
class Plant:
    """A house whose technician tests lines."""

    lab: Lab
    house: House
    tam: Person
    asked: set[str] = field(default_factory=set)

    @property
    def store(self) -> LineStore:
        return LineStore(self.house.db)

    async def asks(self, number: str, trunk: str = "trunk") -> LineTest:
        """Let the technician press the button; give the test."""
        token = await self.house.token(self.tam)
        url = self.house.daemon.url
        headers = {"Cookie": f"cti={token}", "Origin": url}
        async with aiohttp.ClientSession(url, headers=headers) as browser:
            async with browser.get("/api/v1/me") as answer:
                csrf = (await answer.json())["csrf"]
            form = {"csrf": csrf, "line": f"{trunk}/{number}"}
            async with browser.post("/lines/run", data=form, allow_redirects=False) as answer:
                assert answer.status == 303, await answer.text()
        (test,) = [one for one in await self._extras() if one.id not in self.asked]
        self.asked.add(test.id)
        return test

    async def _extras(self) -> list[LineTest]:
        open_, over = await self.store.open_tests(), await self.store.history(limit=100)
        return [test for test in (*open_, *over) if test.source == "extra"]

    async def result(self, test: LineTest, within: float = 60) -> LineTest:
        """Wait until a test has a result, or the machine has given up."""
        async with asyncio.timeout(within):
            while True:
                now = await self.store.test(test.id)
                given_up = now.tries >= TRIES and now.cause and not now.attempt
                if now.state is not LineTestState.DUE or given_up:
                    return now
                await asyncio.sleep(0.1)

    async def attempts(self, test: LineTest) -> list[Attempt]:
        found = [await DialStore(self.house.db).of(f"line_test:{test.id}:{n}") for n in range(1, 4)]
        return [one for one in found if one is not None]

    async def fault(self, number: str, trunk: str = "trunk") -> Fault | None:
        found = [f for f in await self.store.open_faults() if f.place == f"{trunk}/{number}"]
        return found[0] if found else None

    def dials(self, attempt: Attempt) -> int:
        """Count how often Asterisk itself says that this attempt went out by the trunk."""
        return sum(
            row[TYPE] == "CHAN_START"
            and row[LINKEDID] == attempt.id
            and row[CHANNEL].startswith("PJSIP/trunk")
            for row in self.lab.cel()
        )


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def plant(pair: Pair, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Plant]:
    """The house at work, the numbers as the carrier treats them."""
    data = tmp_path_factory.mktemp("lines")
    async with Lab(pair) as lab:
        await lab.records_quiet()
        lab.mark()
        behave = {GOOD: f"loop,{ENTRY}", DEAD: "dead", BUSY: "busy", ASTRAY: "answer,1,9"}
        for number, does in behave.items():
            await lab.behave(number, does)
        async with opened(pair, data, rules=rules(data)) as house:
            tam = await house.people.add(number="9001", name="Tam", role=Role.TECHNICIAN)
            await house.daemon.start()
            await house.daemon.says("pbx_resynced")
            yield Plant(lab, house, tam)
            await lab.records_quiet()


async def test_a_good_line_passes_and_its_call_is_nobodys_miss(plant: Plant) -> None:
    await plant.house.watch("6001")

    test = await plant.result(await plant.asks(GOOD))

    assert (test.state, test.cause, test.by) == (LineTestState.PASSED, "", "cti")
    (attempt,) = await plant.attempts(test)
    assert (attempt.state, plant.dials(attempt)) == (AttemptState.ANSWERED, 1)
    (came_in,) = await inbound(plant)
    assert (came_in["dialled"], came_in["purpose"]) == (ENTRY, "line_test")
    assert await plant.house.store.is_test(came_in["id"])
    assert await plant.house.store.is_test(attempt.call or "")
    assert [] == plant.house.screens["6001"].told
    assert 0 == await missed_today(plant)


async def inbound(plant: Plant) -> list[dict[str, Any]]:
    await plant.house.none_open()
    return [call for call in await plant.house.calls() if call["direction"] == "inbound"]


async def missed_today(plant: Plant) -> int:
    calls = await plant.house.none_open()
    began, ended = calls[0]["seen_at"], calls[-1]["ended_at"]
    return (await plant.house.store.day(began, ended, 3)).missed


@pytest.mark.parametrize(
    ("number", "trunk", "cause"),
    [
        (DEAD, "trunk", "no_trunk"),
        (GONE, "nowhere", "no_trunk"),
        (BUSY, "trunk", "busy"),
        (ASTRAY, "trunk", "elsewhere"),
    ],
)
async def test_a_line_that_leads_nowhere_fails_and_opens_a_fault(
    plant: Plant, number: str, trunk: str, cause: str
) -> None:
    test = await plant.result(await plant.asks(number, trunk))

    assert (test.state, test.cause) == (LineTestState.FAILED, cause)
    fault = await plant.fault(number, trunk)
    assert fault is not None
    assert (fault.state, fault.source, fault.test) == (FaultState.OPEN, "machine", test.id)


async def test_a_repair_is_confirmed_by_a_test_that_passes(plant: Plant) -> None:
    await plant.lab.behave(DEAD, "dead")
    if await plant.fault(DEAD) is None:
        await plant.result(await plant.asks(DEAD))
    fault = await plant.fault(DEAD)
    assert fault is not None
    now = fault.found_at
    for step in (Step.REPORT, Step.REPAIR, Step.FIX):
        await plant.store.step(fault.id, step, plant.tam.id, "", now)
    await plant.lab.behave(DEAD, f"loop,{ENTRY}")

    await plant.result(await plant.asks(DEAD))

    assert (await plant.store.fault(fault.id)).state is FaultState.CONFIRMED


async def test_a_customer_at_the_same_entry_is_served_whether_a_test_is_on_or_not(
    plant: Plant,
) -> None:
    await plant.lab.behave_all(p6001="answer,1,20", p6002="ring,60", p6003="ring,60")
    calm = await plant.lab.customer_calls("13800005001", to=ENTRY, talk=1)
    await calm.over()
    await plant.lab.behave(ASTRAY, "ring,9")  # the test rings elsewhere, the entry stays open
    test = await plant.asks(ASTRAY)
    await plant.lab.pbx.until(
        lambda m: m.is_event("UserEvent", UserEvent="CtiDial", Result="dial"),
        since=len(plant.lab.pbx.heard),
    )

    busy = await plant.lab.customer_calls("13800005002", to=ENTRY, talk=9)
    await busy.over()

    for caller in ("13800005001", "13800005002"):
        kept = await plant.house.kept(caller)
        assert ["answered", "6001", None] == kept.says("outcome", "agent", "purpose")
        assert not await plant.house.store.is_test(kept.row["id"])
    await plant.result(test)


@pytest.mark.parametrize("after_s", [0.0, 0.1, 0.6, 1.5])
async def test_killed_at_any_moment_it_dials_once_or_proves_that_it_did_not(
    plant: Plant, after_s: float
) -> None:
    plant.lab.mark()
    test = await plant.asks(GOOD)
    dials = DialStore(plant.house.db)
    async with asyncio.timeout(20):
        while not await dials.open():  # noqa: ASYNC110  a row tells nobody
            await asyncio.sleep(0.002)
    await asyncio.sleep(after_s)

    await plant.house.daemon.kill()
    await plant.house.daemon.start()
    await plant.house.daemon.says("pbx_resynced")
    test = await plant.result(test, within=100)

    await plant.lab.records_quiet()
    attempts = await plant.attempts(test)
    for attempt in attempts:
        assert attempt.over
        never = attempt.cause in NEVER_DIALLED
        assert (0 if never else 1) == plant.dials(attempt), attempt
    if test.state is LineTestState.DUE:  # ended while nobody looked: a person decides
        assert attempts[-1].state is AttemptState.UNKNOWN
    else:
        assert test.state is LineTestState.PASSED
    for call in await inbound(plant):
        assert call["outcome"] == "answered" or await plant.house.store.is_test(call["id"])
