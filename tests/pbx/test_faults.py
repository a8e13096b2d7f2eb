"""What fails sooner or later: the link, the PBX, the daemon, the disk. Nothing may be lost by it.

A proxy stands between the daemon and the real PBX, and fails on purpose.
"""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio

from tests.kit.disk import small_disk
from tests.kit.house import WANG, House, Row, at_work, opened
from tests.kit.proxy import Proxy, before
from tests.pbx.lab import Call, Lab, Pair
from tests.pbx.lab.sip import Customer, Customers, Manner, Phones
from tests.pbx.lab.trees import CROWD_PORT

pytestmark = [pytest.mark.lab, pytest.mark.asyncio(loop_scope="module")]

SILENT = "ring,60"
NOTICED_S = 7.0
"""A link that is dead without a word is noticed within so many seconds."""
CLOSED_S = 5.0
"""So soon after the PBX can be reached again, the gap is closed."""


@dataclass
class Plant:
    """A house at work behind a proxy."""

    lab: Lab
    house: House
    proxy: Proxy

    async def link(self, *, up: bool, within: float = 20) -> float:
        """Wait until May's screen says that the PBX is heard, or is not; give the seconds."""
        loop, screen = asyncio.get_running_loop(), self.house.screens["6001"]
        began = loop.time()
        await screen.until(lambda: [one["up"] for one in screen.links] == [up], within)
        return loop.time() - began

    async def gap(self) -> Row:
        """Give the last gap that is stored."""
        return (await self.house.gaps())[-1]

    async def rings(self, caller: str, phone: str, does: str, **how: float) -> Call:
        """Let a customer call one phone, until it rings."""
        await self.lab.behave(phone, does)
        since = len(self.lab.pbx.heard)
        call = await self.lab.customer_calls(caller, to=f"500{phone[3]}", **how)
        await self.lab.phone_rings(phone, since=since)
        return call

    async def shows(self, phone: str, state: str) -> None:
        """Wait until somebody's newest card is so: the daemon has heard of it."""
        screen = self.house.screens[phone]
        await screen.until(lambda: bool(screen.told) and screen.told[-1][1]["state"] == state)


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def built(pair: Pair, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Plant]:
    """One house for all faults."""
    data = tmp_path_factory.mktemp("faults")
    async with AsyncExitStack() as stack:
        lab = await stack.enter_async_context(Lab(pair))
        await lab.records_quiet()
        proxy = await stack.enter_async_context(before(pair.place.pbx, pair.place.ami))
        house = await stack.enter_async_context(at_work(pair, data, port=proxy.port))
        await house.watch(*(phone for phone in house.staff if phone != "lin"))
        yield Plant(lab, house, proxy)


@pytest_asyncio.fixture(loop_scope="module")
async def plant(built: Plant) -> AsyncIterator[Plant]:
    """The house with its link up and nobody on the phone, before and after."""
    await built.link(up=True)
    built.lab.mark()
    yield built
    built.proxy.thaw()
    built.proxy.cut_after = None
    await built.proxy.open()
    await built.lab.records_quiet()
    await built.house.none_open()


async def test_calls_go_on_through_a_lost_link_and_what_was_not_seen_is_marked(
    plant: Plant,
) -> None:
    talks_on = await plant.rings("13800001001", "6001", "answer,1,90", talk=80)
    ends_in_it = await plant.rings("13800001002", "6002", "answer,1,30", talk=3)
    is_answered_in_it = await plant.rings("13800001003", "6003", "answer,4,90", talk=80)
    gives_up_in_it = await plant.rings("13800001004", "6004", SILENT, patience=4)
    for phone in ("6001", "6002"):
        await plant.shows(phone, "talking")
    await plant.proxy.refuse()
    await plant.link(up=False)
    begins_in_it = await plant.rings("13800001005", "6005", "answer,1,90", talk=80)
    await asyncio.gather(ends_in_it.over(), gives_up_in_it.over(), is_answered_in_it.answered())
    await begins_in_it.answered()

    await plant.proxy.open()
    back = await plant.link(up=True)
    began = asyncio.get_running_loop().time()
    for caller in ("13800001002", "13800001004"):
        await plant.house.kept(caller)
    closed = asyncio.get_running_loop().time() - began
    for call in (talks_on, is_answered_in_it, begins_in_it):
        await call.hang_up()

    assert (back < CLOSED_S, closed < CLOSED_S) == (True, True)
    gap = await plant.gap()
    assert 3 < (gap["back_at"] - gap["lost_at"]).total_seconds() < 15
    told = {n: await plant.house.kept(f"1380000100{n}") for n in range(1, 6)}
    assert {True} == {kept.row["approximate"] for kept in told.values()}
    keys = ("outcome", "reason", "agent", "ended_by")
    assert ["answered", None, "6001", "caller"] == told[1].says(*keys)
    assert ["answered", None, "6002", None] == told[2].says(*keys)
    assert ["answered", None, "6003", "caller"] == told[3].says(*keys)
    assert ["missed", "unobserved", None, None] == told[4].says(*keys)
    assert ["answered", None, "6005", "caller"] == told[5].says(*keys)
    assert ["ringing", "ended unknown"] == plant.house.screens["6004"].words(told[4].row["id"])
    assert "talking" in plant.house.screens["6005"].words(told[5].row["id"])


async def test_a_link_that_is_cut_at_any_byte_loses_and_doubles_no_call(plant: Plant) -> None:
    dice = random.Random(7)  # noqa: S311  the same bytes each time
    phones = [f"600{n}" for n in range(1, 10)]
    for phone in phones:
        await plant.lab.behave(phone, "answer,2,30")
    callers = [f"138000020{n:02}" for n in range(18)]
    logins = await plant.house.daemon.metric("cti_link_logins_total", role="listen")

    async def calls(caller: str, phone: str, first: bool) -> None:
        if not first:
            await asyncio.sleep(5)
        call = await plant.lab.customer_calls(caller, to=f"500{phone[3]}", talk=2)
        await call.over()

    async with asyncio.TaskGroup() as tasks:
        days = [
            tasks.create_task(calls(caller, phones[n % 9], n < 9))
            for n, caller in enumerate(callers)
        ]
        while not all(day.done() for day in days):
            plant.proxy.cut_after = dice.randrange(6000)
            await asyncio.sleep(0.6)
    plant.proxy.cut_after = None
    await plant.link(up=True)
    rows = [row for row in await plant.house.none_open() if row["caller"] in callers]

    assert callers == sorted(row["caller"] for row in rows)
    wrong = [row for row in rows if row["outcome"] != "answered" or row["device"] is None]
    assert {"unobserved"} >= {row["reason"] for row in wrong}
    assert {True} >= {row["approximate"] for row in wrong}
    again = await plant.house.daemon.metric("cti_link_logins_total", role="listen") - logins
    assert again >= 5


async def test_a_link_that_dies_without_a_word_is_noticed_and_shown(plant: Plant) -> None:
    call = await plant.rings("13800003001", "6002", "answer,10,30", talk=2)

    plant.proxy.freeze()
    noticed = await plant.link(up=False)
    plant.proxy.thaw()
    back = await plant.link(up=True)
    await call.over()

    assert noticed <= NOTICED_S
    assert back < CLOSED_S
    told = await plant.house.kept("13800003001")
    assert ["answered", "6002", True] == told.says("outcome", "agent", "approximate")


NAME = "0" * 48


def frame(*lines: str, name: str = NAME) -> bytes:
    head = ["Event: Newchannel", "Privilege: call,all", "Timestamp: 1795314535.195584"]
    head += [f"SystemName: {name}"] if name else []
    return "\r\n".join([*head, *lines, "", ""]).encode()


FORGED = (
    "Channel: PJSIP/trunk-0000fff0",
    "ChannelState: 4",
    "CallerIDNum: 13899999999",
    "Uniqueid: forged-1.1",
    "Linkedid: forged-1.1",
)


async def test_odd_and_forged_frames_are_set_aside_and_the_stream_goes_on(plant: Plant) -> None:
    own = plant.house.pair.secret.systemname
    bad = {
        "forged": frame(*FORGED, name=""),
        "other_systemname": frame(*FORGED),
        "repeated": frame(*FORGED, "Uniqueid: forged-1.2", name=own),
        "too_long": frame("X: " + "x" * 70_000, name=own),
        "too_many_headers": frame(*(f"X{n}: 1" for n in range(400)), name=own),
        "bad_line": frame("no colon at all", name=own),
        "no_head": b"\xff\xfe\x00 what is this\r\n\r\n",
    }
    counted = {
        reason: await plant.house.daemon.metric("cti_frames_set_aside_total", reason=reason)
        for reason in bad
    }
    downs = len(plant.house.daemon.facts("pbx_down"))
    call = await plant.rings("13800004001", "6003", "answer,2,30", talk=1)
    for data in bad.values():
        plant.proxy.inject(data + b"\r\n")
    await call.over()

    told = await plant.house.kept("13800004001")
    assert ["answered", "6003", False] == told.says("outcome", "agent", "approximate")
    assert [] == await plant.house.calls("13899999999")
    more = {
        reason: await plant.house.daemon.metric("cti_frames_set_aside_total", reason=reason) - was
        for reason, was in counted.items()
    }
    assert dict.fromkeys(bad, 1) == more
    assert downs == len(plant.house.daemon.facts("pbx_down"))


@pytest.mark.parametrize("gracefully", [False, True])
async def test_a_pbx_that_dies_leaves_no_call_open_and_no_ghost(
    plant: Plant, gracefully: bool
) -> None:
    n = 5 + gracefully
    await plant.rings(f"1380000{n}001", "6004", "answer,1,15", talk=15)
    await plant.shows("6004", "talking")
    await plant.lab.behave_all(p6001="ring,12", p6002="ring,12", p6003="ring,12")
    await plant.lab.customer_calls(f"1380000{n}002", to="4000", talk=5, patience=10)
    for phone in ("6001", "6002", "6003"):
        await plant.shows(phone, "ringing")

    await plant.lab.restart_pbx(gracefully=gracefully)
    await plant.link(up=True)
    began = asyncio.get_running_loop().time()
    await plant.house.none_open()
    took = asyncio.get_running_loop().time() - began
    await (await plant.rings(f"1380000{n}003", "6005", "answer,1,30", talk=1)).over()

    assert took < CLOSED_S
    told = [await plant.house.kept(f"1380000{n}00{k}") for k in (1, 2, 3)]
    keys = ("outcome", "reason", "agent")
    assert ["answered", None, "6004"] == told[0].says(*keys)
    reasons = ("pbx_fault", "unobserved")
    assert told[1].says(*keys) in [["missed", reason, None] for reason in reasons]
    assert ["answered", None, "6005"] == told[2].says(*keys)
    for phone in ("6001", "6002", "6003"):
        words = plant.house.screens[phone].words(told[1].row["id"])
        assert "ringing" == words[0]
        assert words[-1].startswith("ended")
    rows = [row for row in await plant.house.calls() if row["caller"].startswith(f"1380000{n}")]
    assert 3 == len(rows)


async def test_a_daemon_that_is_killed_goes_on_with_every_live_call(plant: Plant) -> None:
    place = plant.lab.pair.place
    pbx = (place.pbx, 5060)
    manner: Callable[[str], Manner] = lambda _phone: Manner(ring=2.0)  # noqa: E731
    phones = Phones((place.phones, CROWD_PORT), pbx, manner)
    callers = Customers((place.carrier, CROWD_PORT), pbx, "4005")
    # Long enough that each call lives when the daemon is back, however slow this machine is.
    crowd = [Customer(number=f"138000070{n:02}", talk=25.0) for n in range(20)]
    await phones.open()
    await callers.open()
    for place_, customer in enumerate(crowd):
        asyncio.get_running_loop().call_later(place_ * 0.15, callers.dial, customer)
    await plant.lab.pbx.until(
        lambda m: m.is_event("Newchannel", CallerIDNum=crowd[-1].number), within=20
    )

    await plant.house.daemon.kill()
    await plant.house.daemon.start()
    await callers.idle.wait()
    rows = await plant.house.none_open()
    phones.close()
    callers.close()

    told = {row["caller"]: row for row in rows if row["caller"].startswith("138000070")}
    mine = [row for row in rows if row["caller"].startswith("138000070")]
    assert 20 == len(told) == len(mine)
    truth = {rung.caller: rung.phone for rung in phones.rung if rung.how == "answered"}
    assert truth == {caller: row["agent"] for caller, row in told.items()}
    gaps = await plant.house.gaps()
    assert "cti was not running" in {gap["cause"] for gap in gaps}
    assert None not in {gap["back_at"] for gap in gaps}


async def test_a_daemon_that_is_asked_to_stop_says_goodbye_and_comes_back(plant: Plant) -> None:
    call = await plant.rings("13800008001", "6006", "answer,1,90", talk=80)
    await plant.shows("6006", "talking")

    took = await plant.house.daemon.stop()
    sessions = plant.lab.pair.pbx.cli("manager show connected")
    await plant.house.daemon.start()
    await plant.house.daemon.says("pbx_resynced")
    await call.hang_up()

    assert took < 3
    assert "cti " not in sessions
    told = await plant.house.kept("13800008001")
    assert ["answered", "6006", "caller", True] == told.says(
        "outcome", "agent", "ended_by", "approximate"
    )
    assert 0 == plant.house.daemon.ever("cti_stopped")[-1]["unsaved"]
    assert None not in {gap["back_at"] for gap in await plant.house.gaps()}


async def test_a_pbx_that_is_away_at_the_start_is_waited_for(plant: Plant) -> None:
    await plant.house.daemon.stop()
    await plant.proxy.refuse()
    await plant.house.daemon.start()

    status, ready = await plant.house.daemon.fetch("/readyz")
    page, _ = await plant.house.daemon.fetch("/login")
    await plant.link(up=False)
    await plant.proxy.open()
    took = await plant.link(up=True)

    assert (503, 200) == (status, page)
    assert "nothing listens on 127.0.0.1" in ready
    assert took < CLOSED_S
    assert 200 == (await plant.house.daemon.fetch("/readyz"))[0]


async def test_a_wrong_secret_is_said_once_and_not_hammered(plant: Plant, tmp_path: Path) -> None:
    pair = plant.lab.pair
    async with (
        before(pair.place.pbx, pair.place.ami) as proxy,
        opened(pair, tmp_path, port=proxy.port, secret="wrong") as house,
    ):
        await house.daemon.start()
        said = await house.daemon.says("pbx_login_refused", times=2)
        await asyncio.sleep(3)  # what is not to happen

        status, ready = await house.daemon.fetch("/readyz")
        assert (503, True) == (status, "login refused: Authentication failed" in ready)
        assert 200 == (await house.daemon.fetch("/login"))[0]
        assert 2 == proxy.taken == len(house.daemon.facts("pbx_login_refused"))
        assert "manager.conf" in said["todo"]
        assert "wrong" not in house.daemon.log.read_text(encoding="utf-8")


def fill(disk: Path, log: Path) -> Path:
    """Leave no byte on a disk, nor at the end of the log that lies there."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as more, log.open("ab", buffering=0) as end:
        for file, size in ((more, 65536), (more, 4096), (more, 1), (end, 64), (end, 1)):
            with contextlib.suppress(OSError):
                while True:
                    file.write(b"\n" * size)
    return filler


async def test_a_full_disk_stops_no_pop_and_loses_nothing(plant: Plant, tmp_path: Path) -> None:
    async with (
        small_disk(tmp_path / "disk") as disk,
        at_work(plant.lab.pair, disk) as house,
    ):
        daemon = house.daemon
        await house.watch("6007")
        await (await plant.rings("13800009001", "6007", "answer,1,30", talk=1)).over()
        await house.kept("13800009001")
        filler = fill(disk, daemon.log)
        cpu, loop = daemon.cpu_seconds(), asyncio.get_running_loop()
        began = loop.time()

        call = await plant.rings(WANG, "6007", "answer,2,30", talk=2)
        _, card = await house.screens["6007"].shows(lambda card: "王小明" in str(card))
        await call.over()
        await house.screens["6007"].shows(
            lambda other: other["call"] == card["call"] and other["state"] == "ended"
        )
        share = (daemon.cpu_seconds() - cpu) / (loop.time() - began)
        status, ready = await daemon.fetch("/readyz")
        waiting = await daemon.metric("cti_store_waiting")
        filler.unlink()
        told = await house.kept(WANG, within=15)

        assert ["ringing", "talking", "ended completed"] == house.screens["6007"].words(
            card["call"]
        )
        assert ["answered", "6007", 1, False] == told.says(
            "outcome", "agent", "rings", "approximate"
        )
        assert card["call"] == told.row["id"]
        assert 2 == len(await house.calls())
        assert (503, True) == (status, "changes wait to be stored" in ready)
        assert waiting > 0
        assert share < 0.3
        assert 0 == await daemon.metric("cti_store_trouble")
