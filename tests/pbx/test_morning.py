"""A morning of forty calls: is proposed exactly what should be, and nothing on a guess?

May (6001), Bo (6002) and Chen (6003) are on duty with Lin; Gus, Hua and Ivy (6007 to 6009) take
calls too, off duty. The PBX is real, a proxy cuts its link, and once it is restarted.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import pytest_asyncio

from cti import house_file
from cti.clock import SetClock, SystemClock
from cti.duty.rules import By
from cti.duty.store import DutyStore
from cti.penalties.record import Incident, LineState, MissedFilter, MissReason
from cti.penalties.store import PenaltyStore
from cti.presence.store import PresenceStore
from tests.kit.house import House, engage, opened
from tests.kit.proxy import Proxy, before
from tests.pbx.lab import Call, Lab, Pair
from tests.pbx.lab.register import Roamer

pytestmark = [pytest.mark.lab, pytest.mark.asyncio(loop_scope="module")]

ON_DUTY = ("6001", "6002", "6003")
ROAMING, LIN = "6010", "lin"
EACH, SUPERVISOR = "10.00", "50.00"
SILENT = "ring,60"
CALLS = 40
ALL_PAY = {**dict.fromkeys(ON_DUTY, EACH), LIN: SUPERVISOR}
"""Nobody is exempt: what a missed call costs by the reference rules (MISS-01)."""
ZONE_H = 8


def rules(folder: Path, now: datetime) -> Path:
    """Write the house's rules: short waits, and one shift that covers this very morning."""
    local = now + timedelta(hours=ZONE_H)
    start, end = local - timedelta(hours=2), local + timedelta(hours=6)
    text = f"""
schema = 1
[house]
id = "morning"
timezone = "Asia/Shanghai"
[hours]
default = [["00:00", "24:00"]]
[ring]
short_abandon_ms = 1800
[shifts]
types = [{{ id = "day", time = ["{start:%H:%M}", "{end:%H:%M}"] }}]
meal_windows = []
[line_test]
tests = []
automatic = false
[penalties.missed_call]
wrap_up_limit = "1s"
merge_repeat = "6s"
recovered_within = "6s"
storm = {{ count = 100, within = "1m" }}
"""
    path = folder / "house.toml"
    path.write_text(text, encoding="utf-8")
    return path


@dataclass
class Morning:
    """The house, what was dialled, and what is expected of each caller."""

    lab: Lab
    house: House
    proxy: Proxy
    duty: DutyStore
    penalties: PenaltyStore
    phone: Roamer
    expected: dict[str, tuple[MissReason, dict[str, str]]] = field(default_factory=dict)
    answered: list[str] = field(default_factory=list)
    dialled: int = 0
    repeated: str = ""
    recovered: str = ""

    def number(self) -> str:
        self.dialled += 1
        return f"138100000{self.dialled:02}"

    async def behave(self, **does: str) -> None:
        """Let the phones on duty do this; those not named ring silently."""
        await self.lab.behave_all(**{f"p{one}": does.get(f"p{one}", SILENT) for one in ON_DUTY})

    async def rings(self, to: str, *, patience: float = 60, talk: float = 1) -> tuple[str, Call]:
        number = self.number()
        return number, await self.lab.customer_calls(number, to=to, patience=patience, talk=talk)

    async def misses(
        self,
        to: str,
        reason: MissReason,
        *,
        lines: dict[str, str] | None = None,
        patience: float = 3.5,
        talk: float = 1,
    ) -> str:
        """Let a call be missed, and note what must come of it."""
        number, call = await self.rings(to, patience=patience, talk=talk)
        await call.over()
        self.expected[number] = reason, ALL_PAY if lines is None else lines
        return number

    async def is_answered(self, to: str, talk: float = 1) -> None:
        number, call = await self.rings(to, talk=talk)
        await call.over()
        self.answered.append(number)

    async def calls_again(self, number: str, *, patience: float = 60, talk: float = 1) -> None:
        """Let the same customer ring once more."""
        self.dialled += 1
        call = await self.lab.customer_calls(number, to="4000", patience=patience, talk=talk)
        await call.over()

    @asynccontextmanager
    async def busy(self, *phones: str) -> AsyncIterator[None]:
        """Let these people talk with customers meanwhile."""
        begun = []
        for phone in phones:
            await self.lab.behave(phone, "answer,0,60")
            number, call = await self.rings(f"500{phone[3]}", talk=55)
            self.answered.append(number)
            begun.append(call)
        for call in begun:
            await call.answered()
        for phone in phones:
            screen = self.house.screens[phone]
            await screen.until(lambda s=screen: s.told[-1][1]["state"] == "talking")  # type: ignore[misc]
        yield
        for call in begun:
            await call.hang_up()

    @asynccontextmanager
    async def paused(self, phone: str) -> AsyncIterator[None]:
        """Let somebody pause in all queues."""
        cli, member = self.lab.pair.pbx.cli, f"member PJSIP/{phone}"
        await asyncio.to_thread(cli, f"queue pause {member} reason coffee")
        yield
        await asyncio.to_thread(cli, f"queue unpause {member}")

    async def stands(self, phone: str, state: str) -> None:
        """Wait until the records say that somebody stands so."""
        person, store = self.house.staff[phone].id, PresenceStore(self.house.db)
        now = SystemClock().now()
        async with asyncio.timeout(30):
            while True:
                told = await store.intervals([person], now, now + timedelta(days=1))
                if told and told[-1].state == state:
                    return
                await asyncio.sleep(0.1)

    async def link(self, *, up: bool) -> None:
        screen = self.house.screens["6001"]
        await screen.until(lambda: [one["up"] for one in screen.links] == [up], 60)

    async def incidents(self) -> list[Incident]:
        page = await self.penalties.missed_calls(MissedFilter(), limit=200)
        found = {one.incident for one in page.rows}
        return [await self.penalties.incident(one) for one in sorted(found)]

    async def settled(self, within: float = 120) -> list[Incident]:
        """Wait until every miss that is expected has been judged, and nothing is open."""
        async with asyncio.timeout(within):
            while True:
                found = await self.incidents()
                misses = sum(len(one.calls) for one in found)
                if misses >= len(self.expected) and all(one.state != "open" for one in found):
                    return found
                await asyncio.sleep(0.2)

    def said(self, incident: Incident) -> dict[str, str]:
        """Give an incident's lines by phone: an amount, or the exemption."""
        phones = {person.id: phone for phone, person in self.house.staff.items()}
        return {phones[line.person]: line.exemption or str(line.amount) for line in incident.lines}


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def morning(pair: Pair, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Morning]:
    data = tmp_path_factory.mktemp("morning")
    now = SystemClock().now()
    async with AsyncExitStack() as stack:
        lab = await stack.enter_async_context(Lab(pair))
        await lab.records_quiet()
        proxy = await stack.enter_async_context(before(pair.place.pbx, pair.place.ami))
        path = rules(data, now)
        house = await stack.enter_async_context(opened(pair, data, port=proxy.port, rules=path))
        staff = house.staff
        await engage(house, ROAMING, "Roy")
        directory = await house.people.directory()
        read = house_file.read(path)
        early = SetClock(now - timedelta(hours=2, minutes=5))
        planned = DutyStore(house.db, early, house=lambda: read, people=lambda: directory)
        lin = By(person=staff[LIN])
        local = (now - timedelta(hours=2) + timedelta(hours=ZONE_H)).date()
        for phone in (*ON_DUTY, LIN):
            await planned.add(lin, staff[phone].id, "day", [local])
        await planned.publish(lin, local - timedelta(days=local.weekday()))
        early.go(timedelta(minutes=10))
        for phone in (*ON_DUTY, LIN):
            await planned.clock_in(By(person=staff[phone]))
        await house.daemon.start()
        await house.daemon.says("pbx_resynced")
        await house.watch(*ON_DUTY)
        phone_ = Roamer(ROAMING, (pair.place.phones, 5098), (pair.place.pbx, 5060))
        await phone_.open()
        yield Morning(
            lab=lab,
            house=house,
            proxy=proxy,
            duty=DutyStore(house.db, house=lambda: read, people=lambda: directory),
            penalties=PenaltyStore(house.db, SystemClock(), lambda: read, lambda: directory),
            phone=phone_,
        )
        phone_.close()


async def quiet_calls(morning: Morning) -> None:
    """Ring all, round robin, one after the other: answered, whoever is on duty."""
    await morning.lab.behave_all(p6007="answer,1,30", p6008="answer,1,30", p6009="ring,60")
    for _ in range(8):
        await morning.is_answered("4020")


async def free_agents_miss(morning: Morning) -> None:
    await morning.behave()
    for to in ("4000", "4002", "4003", "4010", "4001"):
        await morning.misses(to, MissReason.ABANDONED_RINGING)
    await morning.misses("4006", MissReason.RANG_OUT, patience=60)
    await morning.misses("4012", MissReason.RANG_OUT, patience=60, talk=4)  # leaves a message
    await morning.misses("4000", MissReason.SHORT_ABANDON, lines={}, patience=1)
    await morning.behave(p6002="answer,1,30")
    await morning.is_answered("4000")
    await morning.behave(p6003="answer,1,30")
    await morning.is_answered("4003")


async def somebody_is_exempt_or_not(morning: Morning) -> None:
    staff, lin = morning.house.staff, By(person=morning.house.staff[LIN])
    await morning.behave()
    async with morning.busy("6001"):
        await morning.misses(
            "4000", MissReason.ABANDONED_RINGING, lines={**ALL_PAY, "6001": "on_call"}
        )
    async with morning.busy(*ON_DUTY):
        exempt = dict.fromkeys(ON_DUTY, "on_call")
        await morning.misses("4000", MissReason.ALL_BUSY, lines=exempt)
    await morning.behave()
    async with morning.paused("6003"):  # nobody approved it
        await morning.misses("4000", MissReason.ABANDONED_RINGING)
    await morning.duty.ask_break(By(person=staff["6003"]), 10)
    (asked,) = await morning.duty.away_at(SystemClock().now())
    await morning.duty.decide_break(lin, asked.id, yes=True)
    async with morning.paused("6003"):
        await morning.misses(
            "4000", MissReason.ABANDONED_RINGING, lines={**ALL_PAY, "6003": "break_approved"}
        )
    await morning.duty.end_away(By(person=staff["6003"]), asked.id)


async def phones_refuse_or_are_unplugged(morning: Morning) -> None:
    staff, lin = morning.house.staff, By(person=morning.house.staff[LIN])
    await morning.behave(p6001="reject")
    await morning.misses("4000", MissReason.REJECTED)
    await morning.behave(p6001="busy")
    await morning.misses("4000", MissReason.ABANDONED_RINGING)
    await morning.behave()
    await morning.duty.call_in(lin, staff[ROAMING].id, "day")
    await morning.phone.registers()
    await morning.stands(ROAMING, "available")
    morning.phone.unplugged = True
    await morning.stands(ROAMING, "unreachable")
    await morning.misses(
        "4000", MissReason.ABANDONED_RINGING, lines={**ALL_PAY, ROAMING: "unreachable"}
    )
    on_duty = await morning.duty.duty_at(SystemClock().now())
    (extra,) = [one for one in on_duty.agents if one.person == staff[ROAMING].id]
    await morning.duty.excuse(lin, extra.assignment, "the phone is broken")


async def callers_try_again(morning: Morning) -> None:
    await morning.behave()
    again = await morning.misses("4000", MissReason.ABANDONED_RINGING)
    await morning.calls_again(again, patience=3.5)
    saved = await morning.misses("4000", MissReason.ABANDONED_RINGING)
    await morning.behave(p6001="answer,1,30")
    await morning.calls_again(saved, talk=1)
    morning.repeated, morning.recovered = again, saved
    await morning.behave()
    for _ in range(2):
        morning.dialled += 1
        await (await morning.lab.anonymous_calls(to="4000", patience=3.5)).over()


async def the_link_is_cut_for_a_minute(morning: Morning) -> None:
    await morning.behave()
    into_it, first = await morning.rings("4000", patience=10)
    screen = morning.house.screens["6001"]
    await screen.until(lambda: screen.told[-1][1]["state"] == "ringing")
    await morning.proxy.refuse()
    await morning.link(up=False)
    await first.over()
    _, within = await morning.rings("4000", patience=3.5)
    await within.over()
    await asyncio.sleep(45)  # the cut lasts a minute
    since = len(morning.lab.pbx.heard)
    out_of_it, last = await morning.rings("4000", patience=60)
    await morning.lab.phone_rings("6001", since=since)
    await morning.proxy.open()
    await morning.link(up=True)
    await last.hang_up()
    for number in (into_it, out_of_it):
        morning.expected[number] = MissReason.UNOBSERVED, {}


async def the_pbx_is_restarted(morning: Morning) -> None:
    number, _ = await morning.rings("4000", patience=30)
    screen = morning.house.screens["6001"]
    await screen.until(lambda: screen.told[-1][1]["state"] == "ringing")
    daemon = morning.house.daemon
    before_it = len(daemon.facts("pbx_resynced"))
    await morning.lab.restart_pbx()
    await daemon.says("pbx_resynced", times=before_it + 1)
    await morning.link(up=True)
    await morning.house.none_open()
    morning.expected[number] = MissReason.UNOBSERVED, {}
    await morning.misses("4000", MissReason.ABANDONED_RINGING)


async def test_a_morning_of_forty_calls_proposes_what_it_should_and_nothing_on_a_guess(
    morning: Morning,
) -> None:
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(quiet_calls(morning))
        await free_agents_miss(morning)
        await somebody_is_exempt_or_not(morning)
        await phones_refuse_or_are_unplugged(morning)
        await callers_try_again(morning)
    await the_link_is_cut_for_a_minute(morning)
    await the_pbx_is_restarted(morning)

    found = await morning.settled()

    assert CALLS == morning.dialled
    told = {one.number.removeprefix("+86"): one for one in found if one.number}
    withheld = [one for one in found if not one.number]
    came_about = {number: (one.reason, morning.said(one)) for number, one in told.items()}
    wrong = {
        number: one for number, one in came_about.items() if morning.expected.get(number) != one
    }
    assert {number: morning.expected.get(number) for number in wrong} == wrong
    assert morning.expected == came_about
    assert [(MissReason.ABANDONED_RINGING, ALL_PAY)] * 2 == [
        (one.reason, morning.said(one)) for one in withheld
    ]
    assert len(told) + len(withheld) == len(found)
    assert (2, 1) == (len(told[morning.repeated].calls), len(told[morning.recovered].calls))
    assert {morning.recovered} == {number for number, one in told.items() if one.recovered}
    lines = [line for one in found for line in one.lines]
    assert {LineState.PROPOSED, LineState.EXEMPTED} == {line.state for line in lines}


async def test_the_daemon_started_again_proposes_nothing_twice(morning: Morning) -> None:
    before_it = await morning.incidents()

    await morning.house.daemon.kill()
    await morning.house.daemon.start()
    await morning.house.daemon.says("pbx_resynced")
    await (await morning.rings("4000", patience=1))[1].over()
    async with asyncio.timeout(60):
        while len(await morning.incidents()) <= len(before_it):  # noqa: ASYNC110  rows tell nobody
            await asyncio.sleep(0.2)

    after = {one.id: one.lines for one in await morning.incidents()}
    assert {one.id: one.lines for one in before_it}.items() <= after.items()
