"""What the screens are shown of all that goes on, and when they are told."""

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from structlog.testing import capture_logs

from cti.bus import person
from cti.calls.desk import KEPT, LINGER, Found, Owed, Recorded, Turn
from cti.calls.record import CallId
from cti.calls.store import Contact
from cti.customers.rules import Number
from cti.db.engine import Database
from cti.errors import Refused, StoreUnavailable
from cti.house import TIERS, CustomerRules, RecordingRules, Tier
from tests.kit import story
from tests.kit.desk import (
    NOON,
    WANG,
    WU,
    Room,
    over,
    ringing,
    talking,
    update,
)
from tests.kit.exchange import BO, CHEN, LIN, MAY, exchange, frames_of_file
from tests.kit.story import Story
from tests.kit.tapes import TRACES
from tests.kit.until import until


@pytest.fixture
def room() -> Iterator[Room]:
    """A desk in Shanghai, at noon."""
    with capture_logs():
        yield Room()


class TestCards:
    """What one person sees."""

    async def test_a_card_says_who_calls_where_and_since_when(self, room: Room) -> None:
        contact = Contact(
            call="k0", at=NOON, direction="inbound", outcome=None, reason=None, rings=2,
            agent="6002", person=BO.id, talk_ms=5000,
        )  # fmt: skip
        owed = Owed(visit="v1", customer="c-wang", due_at=NOON, late=True)
        found = Found(customers=[WANG], contacts=[contact], owed=[owed])

        await room.shows(update(ringing(name="王小明"), found))

        [card] = room.desk.cards(MAY.id)
        assert card == {
            "call": "k1", "state": "ringing", "outcome": None, "by": None, "direction": "inbound",
            "number": "+8613800138000", "shown": "138 0013 8000", "caller_name": "王小明",
            "line": "4000", "queue": "support", "rang_at": "2026-03-02T01:00:01.000Z",
            "waiting_since": "2026-03-02T01:00:00.500Z", "answered_at": None, "cycle_ms": 3000,
            "standard": 3, "apologise_from": 5, "approximate": False, "chosen": None,
            "customers": [{
                "id": "c-wang", "name": "王小明", "tier": "VIP", "company": None, "area": "上海",
                "phones": ["+8613800138000"],
            }],
            "contacts": [{
                "at": "2026-03-02T04:00:00.000Z", "direction": "inbound", "outcome": "missed",
                "reason": None, "rings": 2, "agent": "Bo", "talk_ms": 5000,
                "recording": None,
            }],
            "owed": [{
                "visit": "v1", "customer": "c-wang", "due_at": "2026-03-02T04:00:00.000Z",
                "late": True,
            }],
            "recording": None,
        }  # fmt: skip
        assert room.desk.card(MAY.id, "k1") == card

    async def test_a_tier_that_the_house_named_itself_is_told_by_its_name(self, room: Room) -> None:
        labels = {"en": "Diamond", "zh-Hant": "金鑽", "zh-Hans": "金钻"}
        rules = CustomerRules(tiers={"gold": Tier(id="gold", labels=labels), "vip": TIERS["vip"]})
        room.desk.obey(replace(room.desk.house, customers=rules))
        known = [replace(WANG, id=tier or "-", tier=tier) for tier in ("gold", "vip", "lost", "")]

        await room.shows(update(ringing(), Found(customers=known)))

        [card] = room.desk.cards(MAY.id)
        assert ["金钻", "vip", "lost", None] == [one["tier"] for one in card["customers"]]

    async def test_an_earlier_contact_leads_to_a_recording_that_one_may_hear(
        self, room: Room
    ) -> None:
        contacts = [
            Contact(
                call=call, at=NOON, direction="inbound", outcome="answered", reason=None, rings=2,
                agent="6001", person=MAY.id, talk_ms=5000,
            )
            for call in ("k0", "k00")
        ]  # fmt: skip
        recorded = {
            "k0": [Recorded(id="r-bo", person=BO.id), Recorded(id="r-may", person=MAY.id)],
            "k00": [Recorded(id="r-nobody", person=None)],
        }
        found = Found(customers=[WANG], contacts=contacts, recorded=recorded)
        heard = {}
        for listens in (True, False):
            rules = RecordingRules(agents_listen=listens)
            room.desk.obey(replace(room.desk.house, recordings=rules))
            await room.shows(update(ringing("k1", story.MAY, story.LIN), found))
            for who in (MAY, LIN):
                [card] = room.desk.cards(who.id)
                heard[who.id, listens] = [one["recording"] for one in card["contacts"]]

        assert heard == {
            (MAY.id, True): ["r-may", None],
            (MAY.id, False): [None, None],
            (LIN.id, True): ["r-bo", "r-nobody"],
            (LIN.id, False): ["r-bo", "r-nobody"],
        }

    async def test_nobody_else_sees_it(self, room: Room) -> None:
        await room.shows(update(ringing()))

        for who in (BO, LIN, CHEN):
            assert room.desk.cards(who.id) == []
            assert room.desk.card(who.id, "k1") is None

    async def test_several_cards_come_in_the_order_in_which_their_calls_came(
        self, room: Room
    ) -> None:
        await room.shows(update(talking("k1")), update(ringing("k2")))
        await room.shows(update(ringing("k1")))

        assert [card["call"] for card in room.desk.cards(MAY.id)] == ["k1", "k2"]

    async def test_a_finished_card_can_be_looked_at_for_a_while(self, room: Room) -> None:
        await room.shows(update(over()))
        assert room.desk.cards(MAY.id) == []
        card = room.desk.card(MAY.id, "k1")
        assert card is not None
        assert (card["state"], card["outcome"]) == ("ended", "completed")

        room.clock.go(LINGER + timedelta(seconds=1))
        await room.shows()

        assert room.desk.card(MAY.id, "k1") is None

    async def test_a_call_that_was_another_takes_its_card_away_without_a_word(
        self, room: Room
    ) -> None:
        await room.shows(update(talking("k1")), update(ringing("k2")))

        await room.shows(gone=["k2", "never heard of"])

        assert [card["call"] for card in room.desk.cards(MAY.id)] == ["k1"]
        card = room.desk.card(MAY.id, "k2")
        assert card is not None
        assert (card["state"], card["outcome"]) == ("ended", None)

    async def test_a_colleague_is_named(self, room: Room) -> None:
        told = Story().calls(0).joins(0.5).asks(1, story.WANG, story.MAY, story.BO)
        told.rang(1, story.MAY, story.BO).picked_up(4, story.BO).cancelled(4.01, story.MAY)
        record = replace(told.talk(4.02, story.WANG, story.BO).now(), id=CallId("k1"))

        await room.shows(update(record))

        card = room.desk.card(MAY.id, "k1")
        assert card is not None
        assert (card["outcome"], card["by"]) == ("answered_elsewhere", "Bo")

    @pytest.mark.parametrize(
        ("sent", "number", "shown"),
        [
            ("13800138000", "+8613800138000", "138 0013 8000"),
            ("anonymous", "anonymous", None),
            (None, None, None),
            ("6002", "6002", "6002"),
        ],
    )
    async def test_numbers_are_shown_as_people_read_them(
        self, room: Room, sent: str | None, number: str | None, shown: str | None
    ) -> None:
        await room.shows(update(ringing(caller=sent)))

        [card] = room.desk.cards(MAY.id)
        assert (card["number"], card["shown"]) == (number, shown)

    async def test_the_word_anonymous_is_nobodys_name(self, room: Room) -> None:
        await room.shows(update(ringing("k1", caller="anonymous", name="Anonymous")))
        await room.shows(update(ringing("k2", name="Ann Onymous")))

        [one, two] = room.desk.cards(MAY.id)
        assert (one["caller_name"], two["caller_name"]) == (None, "Ann Onymous")
        assert [c["caller_name"] for c in room.desk.board()["calls"]] == [None, "Ann Onymous"]

    async def test_what_a_caller_sends_cannot_harm_a_screen(self, room: Room) -> None:
        await room.shows(update(ringing(name="\x1b[2J\u202e" + "x" * 500, dialled="4\x00")))

        [card] = room.desk.cards(MAY.id)
        assert len(card["caller_name"]) <= 129
        assert card["caller_name"].isprintable()
        assert card["line"].isprintable()


class TestLookUp:
    """The customer's record comes when it comes."""

    async def test_a_card_waits_a_moment_for_its_customer(self, room: Room) -> None:
        looked: asyncio.Future[Found] = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_later(0.02, looked.set_result, Found(customers=[WANG]))

        async with room.showing():
            room.desk.committed(Turn(updates=[update(ringing(), looked)]), [])
            await until(lambda: bool(room.desk.cards(MAY.id)))

        assert [c["name"] for c in room.desk.cards(MAY.id)[0]["customers"]] == ["王小明"]

    async def test_a_late_customer_is_shown_when_he_is_found(
        self, room: Room, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("cti.calls.desk.LOOK_WITHIN", 0.01)
        looked: asyncio.Future[Found] = asyncio.get_running_loop().create_future()
        with room.bus.subscribe(person(MAY.id)) as box:
            async with room.showing():
                room.desk.committed(Turn(updates=[update(ringing(), looked)]), [(7, MAY.id, "k1")])
                await until(lambda: bool(room.desk.cards(MAY.id)))
                assert room.desk.cards(MAY.id)[0]["customers"] == []
                [letter] = await box.take(1)
                assert letter.push.seq == 7

                looked.set_result(Found(customers=[WANG]))

                [letter] = await box.take(1)
                assert (letter.push.call, letter.push.seq) == ("k1", None)
        assert [c["name"] for c in room.desk.cards(MAY.id)[0]["customers"]] == ["王小明"]
        assert room.stores.told == [([MAY.id], "k1")]

    async def test_who_is_found_too_late_disturbs_nobody(
        self, room: Room, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("cti.calls.desk.LOOK_WITHIN", 0.01)
        looked: asyncio.Future[Found] = asyncio.get_running_loop().create_future()
        async with room.showing():
            room.desk.committed(Turn(updates=[update(ringing(), looked)]), [])
            await until(lambda: bool(room.desk.cards(MAY.id)))
        await room.shows(update(over()))

        looked.set_result(Found(customers=[WANG]))
        await asyncio.sleep(0)

        assert room.stores.told in ([], [([], "k1")])
        assert room.desk.cards(MAY.id) == []

    @pytest.mark.parametrize("when", ["in time", "late"])
    async def test_a_look_up_that_fails_leaves_a_card_without_a_name(
        self, room: Room, monkeypatch: pytest.MonkeyPatch, when: str
    ) -> None:
        monkeypatch.setattr("cti.calls.desk.LOOK_WITHIN", 0.05)
        looked: asyncio.Future[Found] = asyncio.get_running_loop().create_future()
        delay = 0.01 if when == "in time" else 0.2
        asyncio.get_running_loop().call_later(
            delay, looked.set_exception, StoreUnavailable("it sleeps")
        )
        async with room.showing():
            room.desk.committed(Turn(updates=[update(ringing(), looked)]), [])
            await until(lambda: bool(room.desk.cards(MAY.id)))
            await until(looked.done)
            await asyncio.sleep(0)
            room.desk.committed(Turn(updates=[update(ringing("k2"))]), [])
            await until(lambda: len(room.desk.cards(MAY.id)) == 2)

        assert room.desk.cards(MAY.id)[0]["customers"] == []

    async def test_a_hint_that_cannot_be_stored_is_given_all_the_same(
        self, room: Room, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("cti.calls.desk.LOOK_WITHIN", 0.01)
        looked: asyncio.Future[Found] = asyncio.get_running_loop().create_future()
        async with room.showing():
            room.desk.committed(Turn(updates=[update(ringing(), looked)]), [])
            await until(lambda: bool(room.desk.cards(MAY.id)))
            room.stores.fault = StoreUnavailable("full", code="store_full")
            looked.set_result(Found(customers=[WANG]))
            await until(lambda: bool(room.desk.cards(MAY.id)[0]["customers"]))

    async def test_a_new_state_keeps_the_customer_that_was_found(self, room: Room) -> None:
        await room.shows(update(ringing(), Found(customers=[WANG])))

        await room.shows(update(talking()))

        assert [c["name"] for c in room.desk.cards(MAY.id)[0]["customers"]] == ["王小明"]


class TestUnstored:
    """A pop while the store is in trouble."""

    async def test_it_is_shown_at_once_without_a_number(self, room: Room) -> None:
        with room.bus.subscribe(person(MAY.id)) as box:
            room.desk.show_unstored(Turn(updates=[update(ringing(), Found(customers=[WANG]))]))

            [letter] = await box.take(1)

        assert (letter.push.seq, letter.push.call) == (None, "k1")
        assert room.desk.cards(MAY.id)[0]["customers"][0]["name"] == "王小明"
        assert room.desk.last_seq() == 0

    async def test_a_merge_takes_its_card_away_at_once(self, room: Room) -> None:
        room.desk.show_unstored(Turn(updates=[update(ringing())]))
        with room.bus.subscribe(person(MAY.id)) as box:
            room.desk.show_unstored(Turn(gone=["k1"]))

            [letter] = await box.take(1)

        assert letter.push.call == "k1"
        assert room.desk.cards(MAY.id) == []

    async def test_a_customer_found_later_is_shown_then(self, room: Room) -> None:
        looked: asyncio.Future[Found] = asyncio.get_running_loop().create_future()
        room.desk.show_unstored(Turn(updates=[update(ringing(), looked)]))

        looked.set_result(Found(customers=[WANG]))
        await asyncio.sleep(0)

        assert room.desk.cards(MAY.id)[0]["customers"][0]["name"] == "王小明"


class TestNumbers:
    """Hints by number."""

    async def test_who_comes_back_is_given_what_came_meanwhile_and_is_his(self, room: Room) -> None:
        await room.shows(told=[(3, MAY.id, "k1"), (5, BO.id, "k1"), (8, MAY.id, "k2")])

        assert room.desk.last_seq() == 8
        assert room.desk.since(MAY.id, 0) == [(3, "k1"), (8, "k2")]
        assert room.desk.since(MAY.id, 3) == [(8, "k2")]
        assert room.desk.since(BO.id, 8) == []

    async def test_a_number_that_was_never_given_makes_a_screen_begin_anew(
        self, room: Room
    ) -> None:
        await room.shows(told=[(3, MAY.id, "k1")])

        assert room.desk.since(MAY.id, 4) is None

    def test_what_was_told_before_the_program_started_is_known(self) -> None:
        room = Room(told=[(40, MAY.id, "k1"), (41, BO.id, "k1")])

        assert room.desk.last_seq() == 41
        assert room.desk.since(MAY.id, 39) == [(40, "k1")]
        assert room.desk.since(MAY.id, 38) is None

    async def test_what_is_long_past_is_forgotten(self, room: Room) -> None:
        await room.shows(told=[(n, MAY.id, f"k{n}") for n in range(1, KEPT + 11)])

        assert room.desk.since(MAY.id, 9) is None
        missed = room.desk.since(MAY.id, 10)
        assert missed is not None
        assert len(missed) == KEPT

    async def test_when_a_hint_is_published_the_desk_knows_more_already(self, room: Room) -> None:
        seen: list[tuple[int, bool]] = []
        publish = room.bus.publish

        def look(push: Any) -> None:
            seen.append((room.desk.last_seq(), bool(room.desk.cards(MAY.id))))
            publish(push)

        room.bus.publish = look  # type: ignore[method-assign]
        await room.shows(update(ringing()), told=[(1, MAY.id, "k1"), (2, BO.id, "k1")])

        assert seen == [(2, True), (2, True)]


class TestChoice:
    """One of several customers."""

    async def test_who_has_the_card_may_say_who_calls(self, room: Room) -> None:
        await room.shows(update(ringing("k1", story.MAY, story.BO), Found(customers=[WANG, WU])))
        assert room.desk.chosen("k1") is None

        await room.desk.choose("k1", MAY, WU.id)

        assert room.stores.chosen == [("k1", WU.id)]
        assert room.stores.told == [([MAY.id, BO.id], "k1")]
        assert room.desk.cards(BO.id)[0]["chosen"] == WU.id
        assert room.desk.chosen("k1") == WU.id
        assert room.desk.board()["calls"][0]["customer"] == "吳美玲"

    async def test_a_choice_can_be_taken_back(self, room: Room) -> None:
        await room.shows(update(ringing(), Found(customers=[WANG, WU])))
        await room.desk.choose("k1", MAY, WU.id)

        await room.desk.choose("k1", MAY, None)

        assert room.desk.chosen("k1") is None

    async def test_the_only_customer_there_is_needs_no_choice(self, room: Room) -> None:
        await room.shows(update(ringing(), Found(customers=[WANG])))

        assert room.desk.chosen("k1") == WANG.id
        assert room.desk.board()["calls"][0]["customer"] == "王小明"

    @pytest.mark.parametrize(
        ("call", "who", "customer", "code"),
        [
            ("k1", CHEN, "c-wang", "no_such_call"),
            ("k9", MAY, "c-wang", "no_such_call"),
            ("k1", MAY, "c-somebody", "no_such_customer"),
        ],
    )
    async def test_what_is_not_on_the_screen_cannot_be_chosen(
        self, room: Room, call: str, who: Any, customer: str, code: str
    ) -> None:
        await room.shows(update(ringing(), Found(customers=[WANG, WU])))

        with pytest.raises(Refused) as refused:
            await room.desk.choose(call, who, customer)

        assert refused.value.code == code
        assert room.stores.chosen == []

    def test_of_an_unknown_call_nobody_is_known(self, room: Room) -> None:
        assert room.desk.chosen("k1") is None


class TestWhole:
    """With the real stores."""

    async def test_a_choice_is_kept_and_its_hint_takes_its_turn(self, sqlite_db: Database) -> None:
        frames = frames_of_file(TRACES / "queue-ringall-one-answers.ami")

        def look_up(_number: Number, _call: str) -> asyncio.Future[Found]:
            found: asyncio.Future[Found] = asyncio.get_running_loop().create_future()
            found.set_result(Found(customers=[WANG, WU]))
            return found

        async with exchange(sqlite_db, look_up=look_up) as it:
            screens = [it.screen(who) for who in (MAY, BO)]
            it.hears(frames[:37])
            await it.settled()
            [card] = it.desk.cards(MAY.id)

            await it.desk.choose(card["call"], MAY, WU.id)
            it.hears(frames[37:45])
            await it.settled()

            for screen in screens:
                await screen.look()
                assert screen.shown == screen.fresh()
                assert screen.numbers == sorted(n for n in screen.numbers if n is not None)
            assert screens[0].shown[card["call"]]["chosen"] == WU.id
            it.hears(frames[45:])
            await it.settled()
            await it.passes(3)
            contacts = await it.calls.contacts("+8613800138000", "none")
            assert [contact.call for contact in contacts] == [card["call"]]

    async def test_a_customer_is_looked_up_once_a_call_and_number(
        self, sqlite_db: Database
    ) -> None:
        asked: list[str | None] = []

        def look_up(number: Number, _call: str) -> asyncio.Future[Found]:
            asked.append(number.normal)
            return asyncio.get_running_loop().create_future()

        with capture_logs(), suppress(TimeoutError):
            async with exchange(sqlite_db, look_up=look_up) as it:
                for frame in frames_of_file(TRACES / "queue-abandoned.ami"):
                    it.hears([frame])
                await until(lambda: not it.inbox.waiting)

        assert asked == ["+8613800138000"]

    async def test_a_withheld_number_is_not_looked_up(self, sqlite_db: Database) -> None:
        def look_up(number: Number, _call: str) -> asyncio.Future[Found]:
            raise AssertionError(number)

        async with exchange(sqlite_db, look_up=look_up) as it:
            it.hears(frames_of_file(TRACES / "caller-without-number.ami"))
            await it.settled()
