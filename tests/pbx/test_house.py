"""Is what is stored and shown what happened? A real PBX, the real daemon, and the phones' word.

All scenes are played once, side by side, on phones of their own; each test looks at one.
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from cti.calls.reconcile import compare, leg_ids, read_cdr, read_queue_log
from tests.kit.house import SHARED, WANG, House, Kept, at_work
from tests.pbx.lab import Lab, Pair
from tests.pbx.lab.desk import DeskPhone
from tests.pbx.lab.trees import CROWD_PORT
from tests.pbx.lab.truth import Side

pytestmark = [pytest.mark.lab, pytest.mark.asyncio(loop_scope="module")]

CLOSE_MS = 200
"""Stored ring times differ from the phone's own by no more."""
SILENT = "ring,60"

Play = Callable[[House, Lab], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """Who calls, which phones are his alone meanwhile, and what is done."""

    caller: str
    phones: tuple[str, ...]
    play: Play
    calls: int = 1


def rings(caller: str, to: str, *, name: str = "", patience: float = 30, talk: float = 2) -> Play:
    """Let a customer call, to the end of the call."""

    async def play(_: House, lab: Lab) -> None:
        how = {"patience": patience, "talk": talk}
        await (await lab.customer_calls(caller, to=to, name=name, **how)).over()

    return play


def after(play: Play, **phones: str) -> Play:
    """Tell phones what to do, then play."""

    async def told(house: House, lab: Lab) -> None:
        await lab.behave_all(**phones)
        await play(house, lab)

    return told


async def anonymous(_: House, lab: Lab) -> None:
    await lab.behave("6009", "answer,1,30")
    await (await lab.anonymous_calls(to="5009", talk=1)).over()


async def chosen(house: House, lab: Lab) -> None:
    """Gus says which of two customers it is, while his phone rings."""
    await lab.behave("6007", "answer,2,30")
    call = await lab.customer_calls(SHARED, to="5007", talk=1)
    _, card = await house.screens["6007"].shows(lambda card: len(card["customers"]) == 2)
    await choose(house, "6007", card["call"], card["customers"][1]["id"])
    await call.over()


async def choose(house: House, phone: str, call: str, customer: str) -> None:
    headers = {"Cookie": f"cti={await house.token(house.staff[phone])}"}
    async with aiohttp.ClientSession(house.daemon.url, headers=headers) as session:
        async with session.get("/api/v1/me") as answer:
            own = {"X-CSRF": (await answer.json())["csrf"], "Origin": house.daemon.url}
        path, choice = f"/api/v1/calls/{call}/customer", {"customer": customer}
        async with session.post(path, json=choice, headers=own) as answer:
            assert answer.status == 200


async def round_robin(_: House, lab: Lab) -> None:
    """The first caller hears one phone ring out and gives up on the next; a second is answered."""
    await lab.behave_all(p6001=SILENT, p6002=SILENT, p6003=SILENT)
    await (await lab.customer_calls("13900000004", to="4003", patience=8)).over()
    await lab.behave_all(p6001="answer,1,30", p6002="answer,1,30", p6003="answer,1,30")
    await (await lab.customer_calls("13900000004", to="4003", talk=1)).over()


async def attended_by_refer(house: House, lab: Lab) -> None:
    """Jin holds the customer, asks Eve, and joins both."""
    place = lab.pair.place
    await lab.behave("6005", "answer,2,30")
    phone = DeskPhone("6101", (place.phones, CROWD_PORT), (place.pbx, 5060), ring=1)
    await phone.open()
    call = await lab.customer_calls("13900000008", to="4019", talk=7)
    first = await phone.takes()
    await phone.holds(first)
    second = await phone.dials("6005", until=200)
    await house.screens["6005"].shows(
        lambda card: card["number"] == "6101" and card["state"] == "talking"
    )
    await phone.refers(first, "6005", replaces=second)
    await call.over()
    lab.played += phone.sides()
    phone.close()


async def picked_up(_: House, lab: Lab) -> None:
    await lab.behave("6004", SILENT)
    call = await lab.customer_calls("13900000010", to="5004", talk=1)
    since = len(lab.pbx.heard)
    await lab.phone_rings("6004", since=max(0, since - 200))
    await asyncio.sleep(2)  # the length of this ring is the scene's own
    await lab.phone_calls("6005", to="**6004", talk=20)
    await call.over()


async def parked(_: House, lab: Lab) -> None:
    await lab.behave("6006", "answer,1,30,##,1,700,1")
    call = await lab.customer_calls("13900000011", to="5006", talk=9)
    said = await lab.pbx.until(lambda m: m.is_event("ParkedCall"), within=20)
    await lab.phone_calls("6005", to=said["ParkingSpace"], talk=20)
    await call.over()


BLIND = "answer,1,30,##,1,6006,1"
ATTENDED = "answer,1,9,*2,1,6008,1"
SCENES = {
    "ring-all": Scene(
        caller=WANG,
        phones=("6001", "6002", "6003"),
        play=after(rings(WANG, "4000"), p6001="answer,4,30", p6002=SILENT, p6003=SILENT),
    ),
    "abandoned": Scene(
        caller="13900000002",
        phones=("6007", "6008", "6009"),
        play=after(
            rings("13900000002", "4020", patience=7), p6007=SILENT, p6008=SILENT, p6009=SILENT
        ),
    ),
    "given up at once": Scene(
        caller="13900000003",
        phones=("6004",),
        play=after(rings("13900000003", "5004", patience=2), p6004=SILENT),
    ),
    "round robin": Scene(
        caller="13900000004", phones=("6001", "6002", "6003"), play=round_robin, calls=2
    ),
    "busy": Scene(
        caller="13900000005",
        phones=("6004",),
        play=after(rings("13900000005", "5004"), p6004="busy"),
    ),
    "declined": Scene(
        caller="13900000006",
        phones=("6005",),
        play=after(rings("13900000006", "5005"), p6005="reject,2"),
    ),
    "one declines": Scene(
        caller="13900000012",
        phones=("6001", "6002", "6003"),
        play=after(
            rings("13900000012", "4000", talk=1),
            p6001="reject,1",
            p6002="answer,2,30",
            p6003=SILENT,
        ),
    ),
    "blind": Scene(
        caller="13900000007",
        phones=("6004", "6006"),
        play=after(rings("13900000007", "5004", talk=9), p6004=BLIND, p6006="answer,2,30"),
    ),
    "attended": Scene(
        caller="02162345678",
        phones=("6007", "6008"),
        play=after(rings("02162345678", "5007", talk=13), p6007=ATTENDED, p6008="answer,2,30"),
    ),
    "attended by refer": Scene(
        caller="13900000008", phones=("6101", "6005"), play=attended_by_refer
    ),
    "picked up": Scene(caller="13900000010", phones=("6004", "6005"), play=picked_up),
    "parked": Scene(caller="13900000011", phones=("6005", "6006"), play=parked),
    "chinese": Scene(
        caller="13900000009",
        phones=("6009",),
        play=after(rings("13900000009", "5009", name="陳大文", talk=1), p6009="answer,1,30"),
    ),
    "anonymous": Scene(caller="anonymous", phones=("6009",), play=anonymous),
    "choice": Scene(caller=SHARED, phones=("6007",), play=chosen),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What is stored and was shown of a scene, and what its phones say of themselves."""

    house: House
    kept: Kept
    sides: list[Side]

    def words(self, phone: str) -> list[str]:
        """Give the life of somebody's card."""
        return self.house.screens[phone].words(self.kept.row["id"])

    def card(self, phone: str, state: str) -> dict[str, Any]:
        """Give somebody's card as it first was in a state."""
        cards = self.house.screens[phone].cards(self.kept.row["id"])
        return next(card for card in cards if card["state"] == state)

    def rings_agree(self) -> bool:
        """Hold every stored ring against what the phone itself says: none more, none less."""
        stored = sorted((o["agent"], o["ring_ms"]) for o in self.kept.offers if o["rang_at"])
        phones = sorted((s.number, s.ring_ms or 0) for s in self.sides if s.rang)
        assert [who for who, _ in stored] == [who for who, _ in phones]
        for (who, ms), (_, own) in zip(stored, phones, strict=True):
            assert abs(ms - own) <= CLOSE_MS, (who, ms, own)
        return True


class Evening:
    """All scenes, under way; those that need the same phone wait for each other."""

    def __init__(self, house: House, lab: Lab) -> None:
        self.house, self.lab = house, lab
        self._locks: dict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        loop = asyncio.get_running_loop()
        self.tasks = {name: loop.create_task(self._play(scene)) for name, scene in SCENES.items()}

    async def _play(self, scene: Scene) -> None:
        async with AsyncExitStack() as stack:
            for phone in sorted(scene.phones):
                await stack.enter_async_context(self._locks[phone])
            await scene.play(self.house, self.lab)
            await self.house.kept(scene.caller, scene.calls - 1)

    async def told(self, name: str, nth: int = 0) -> Told:
        """Wait for a scene, and give what came of it."""
        await self.tasks[name]
        scene = SCENES[name]
        kept = await self.house.kept(scene.caller, nth)
        began, ended = (kept.row[key].timestamp() for key in ("began", "ended_at"))
        sides = [
            side
            for side in self.lab.sides()
            if side.number in scene.phones and began - 0.3 <= side.began <= ended
        ]
        return Told(house=self.house, kept=kept, sides=sides)


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def evening(pair: Pair, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Evening]:
    """The scenes, begun."""
    data: Path = tmp_path_factory.mktemp("house")
    async with Lab(pair) as lab:
        await lab.records_quiet()
        lab.mark()
        async with at_work(pair, data) as house:
            await house.watch(*(phone for phone in house.staff if phone != "lin"))
            evening = Evening(house, lab)
            yield evening
            await asyncio.gather(*evening.tasks.values(), return_exceptions=True)
            await lab.records_quiet()


async def test_three_phones_ring_and_who_answers_keeps_the_card(evening: Evening) -> None:
    told = await evening.told("ring-all")

    wanted = ["answered", None, "6001", 2, "caller", ["support"], False]
    keys = ("outcome", "reason", "agent", "rings", "ended_by", "queues", "approximate")
    assert wanted == told.kept.says(*keys)
    elsewhere = "answered_elsewhere"
    assert {"6001": "answered", "6002": elsewhere, "6003": elsewhere} == told.kept.outcomes
    assert ["ringing", "talking", "ended completed"] == told.words("6001")
    for phone in ("6002", "6003"):
        assert ["ringing", "ended answered_elsewhere"] == told.words(phone)
        assert "May" == told.card(phone, "ended")["by"]
    assert told.rings_agree()


async def test_the_card_has_the_customers_record_from_the_first_ring_on(evening: Evening) -> None:
    told = await evening.told("ring-all")

    first = told.card("6002", "ringing")
    assert ["王小明"] == [customer["name"] for customer in first["customers"]]
    assert ("+8613800138000", "4000", "support") == (first["number"], first["line"], first["queue"])
    assert first["rang_at"] == told.card("6002", "ended")["rang_at"]
    assert told.kept.row["customer"] == first["customers"][0]["id"]


async def test_queue_visit_and_talk_are_stored(evening: Evening) -> None:
    told = await evening.told("ring-all")

    (visit,), (talk,), row = told.kept.visits, told.kept.talks, told.kept.row
    assert ("support", False) == (visit["queue"], visit["abandoned"])
    assert row["began"] <= visit["joined_at"] <= row["answered_at"] <= visit["left_at"]
    assert ("6001", told.house.staff["6001"].id) == (talk["agent"], talk["person"])
    assert 1800 <= row["talk_ms"] <= 2200


async def test_a_caller_who_gives_up_takes_all_cards_away(evening: Evening) -> None:
    told = await evening.told("abandoned")

    assert ["missed", "abandoned_ringing", None, 3, "caller"] == told.kept.says(
        "outcome", "reason", "agent", "rings", "ended_by"
    )
    for phone in ("6007", "6008", "6009"):
        assert ["ringing", "ended caller_gave_up"] == told.words(phone)
    assert [True] == [visit["abandoned"] for visit in told.kept.visits]
    assert [] == told.card("6007", "ringing")["customers"]
    assert told.rings_agree()


async def test_who_hangs_up_within_five_seconds_hardly_meant_to_call(evening: Evening) -> None:
    told = await evening.told("given up at once")

    assert ["missed", "short_abandon", 1] == told.kept.says("outcome", "reason", "rings")
    assert told.rings_agree()


async def test_round_robin_asks_one_after_the_other(evening: Evening) -> None:
    first, second = await evening.told("round robin"), await evening.told("round robin", 1)

    assert ["missed", "abandoned_ringing", 3] == first.kept.says("outcome", "reason", "rings")
    outcomes = [offer["outcome"] for offer in first.kept.offers]
    assert ["rang_out", "caller_gave_up"] == outcomes
    order = [side.number for side in first.sides if side.rang]
    assert order == [offer["agent"] for offer in first.kept.offers]
    assert ["ringing", "ended rang_out"] == first.words(order[0])
    assert first.rings_agree()
    (answerer,) = [side.number for side in second.sides if side.answered]
    assert ["answered", answerer] == second.kept.says("outcome", "agent")
    assert answerer not in order
    assert second.rings_agree()


async def test_a_busy_phone_never_rang_and_shows_nothing(evening: Evening) -> None:
    told = await evening.told("busy")

    assert ["missed", "all_busy", None, None] == told.kept.says(
        "outcome", "reason", "rings", "ring_ms"
    )
    assert {"6004": "busy"} == told.kept.outcomes
    assert [] == told.words("6004")


async def test_a_declined_call_is_told_from_one_that_rang_out(evening: Evening) -> None:
    told = await evening.told("declined")

    assert ["missed", "rejected", 1] == told.kept.says("outcome", "reason", "rings")
    assert ["ringing", "ended rejected"] == told.words("6005")
    assert told.rings_agree()


async def test_who_declines_in_a_queue_loses_the_card_and_the_others_go_on(
    evening: Evening,
) -> None:
    told = await evening.told("one declines")

    expected = {"6001": "rejected", "6002": "answered", "6003": "answered_elsewhere"}
    assert expected == told.kept.outcomes
    assert ["ringing", "ended rejected"] == told.words("6001")
    assert told.rings_agree()


async def test_a_blind_transfer_moves_the_card(evening: Evening) -> None:
    told = await evening.told("blind")

    assert ["answered", "6004"] == told.kept.says("outcome", "agent")
    assert {"6004": "answered", "6006": "answered"} == told.kept.outcomes
    assert ["ringing", "talking", "ended transferred"] == told.words("6004")
    assert ["ringing", "talking", "ended completed"] == told.words("6006")
    assert ["6004", "6006"] == [talk["agent"] for talk in told.kept.talks]
    assert told.rings_agree()


@pytest.mark.parametrize(
    ("scene", "gives", "takes"),
    [("attended", "6007", "6008"), ("attended by refer", "6101", "6005")],
)
async def test_an_attended_transfer_is_one_call_and_one_card(
    evening: Evening, scene: str, gives: str, takes: str
) -> None:
    told = await evening.told(scene)

    (row,) = await evening.house.calls(SCENES[scene].caller)
    assert (row["outcome"], row["agent"]) == ("answered", gives)
    assert {gives: "answered", takes: "answered"} == told.kept.outcomes
    assert ["ringing", "talking", "ended transferred"] == told.words(gives)
    assert ["talking", "ended completed"] == told.words(takes)[-2:]
    assert told.rings_agree()


async def test_who_is_asked_first_has_the_question_then_the_customer_never_both(
    evening: Evening,
) -> None:
    told = await evening.told("attended by refer")

    screen, customers = evening.house.screens["6005"], told.kept.row["id"]
    (asked,) = {card["call"] for _, card in screen.told if card["number"] == "6101"}
    open_now, most = set[str](), 0
    for _, card in screen.told:
        if card["call"] in (asked, customers):
            (open_now.discard if card["state"] == "ended" else open_now.add)(card["call"])
            most = max(most, len(open_now))
    assert 1 == most
    assert ["ringing", "talking", "ended None"] == screen.words(asked)
    assert "internal" == screen.cards(asked)[0]["direction"]
    assert "王小明" not in [c["name"] for c in screen.cards(asked)[0]["customers"]]
    assert "+8613900000008" == told.card("6005", "talking")["number"]


async def test_the_receiver_of_a_transfer_sees_the_customers_record(evening: Evening) -> None:
    told = await evening.told("attended")

    assert ["王小明"] == [c["name"] for c in told.card("6008", "talking")["customers"]]
    assert ["王小明"] == [c["name"] for c in told.card("6008", "ringing")["customers"]]


async def test_a_pickup_gives_the_card_to_who_picked_up(evening: Evening) -> None:
    told = await evening.told("picked up")

    assert ["answered", "6005"] == told.kept.says("outcome", "agent")
    assert "picked_up_by_other" == told.kept.outcomes["6004"]
    assert ["ringing", "ended picked_up_by_other"] == told.words("6004")
    assert "Eve" == told.card("6004", "ended")["by"]
    assert "talking" in told.words("6005")


async def test_a_parked_customer_stays_one_call(evening: Evening) -> None:
    told = await evening.told("parked")

    assert 1 == len(await evening.house.calls(SCENES["parked"].caller))
    assert ["answered", "6006"] == told.kept.says("outcome", "agent")
    assert ["6006", "6005"] == [talk["agent"] for talk in told.kept.talks]
    assert "ended completed" == told.words("6005")[-1]


async def test_a_chinese_name_is_stored_and_shown_whole(evening: Evening) -> None:
    told = await evening.told("chinese")

    assert ["陳大文", None] == told.kept.says("caller_name", "raw")
    assert "陳大文" == told.card("6009", "ringing")["caller_name"]


async def test_an_anonymous_caller_is_nobodys_customer(evening: Evening) -> None:
    told = await evening.told("anonymous")

    assert ["answered", None, None] == told.kept.says("outcome", "number", "customer")
    card = told.card("6009", "ringing")
    assert ("anonymous", []) == (card["number"], card["customers"])


async def test_two_customers_with_one_phone_are_a_choice_that_is_kept(evening: Evening) -> None:
    told = await evening.told("choice")

    card = told.card("6007", "ringing")
    assert ["張家", "李家"] == [customer["name"] for customer in card["customers"]]
    assert card["customers"][1]["id"] == told.kept.row["customer"]


async def test_nothing_of_the_evening_differs_from_queue_log_and_cdr(evening: Evening) -> None:
    await asyncio.gather(*evening.tasks.values())
    lab = evening.lab
    await lab.records_quiet()
    await evening.house.none_open()

    queue, broken = read_queue_log(lab.queue_log())
    cdr, more = read_cdr(lab.records.text("cdr", lab.since).splitlines(keepends=True))
    rows = await evening.house.store.rows_of(leg_ids(queue, cdr))
    report = compare(queue, cdr, rows, broken + more)

    assert [] == list(report.differences)
    assert (0, len(SCENES) + 1) == (report.broken, len(rows) - others(rows))


def others(rows: list[dict[str, Any]]) -> int:
    """Count the calls that no customer began: who dials a pickup or a parking place."""
    return sum(row["direction"] != "inbound" for row in rows)
