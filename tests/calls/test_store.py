"""Calls are kept whole, once, and read back as they were; on every database."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Table, select

from cti.calls.offers import agent_offers
from cti.calls.record import CallId, CallRecord, Direction, OfferOutcome, SaidRecord
from cti.calls.store import (
    Batch,
    CallStore,
    Gap,
    Keeping,
    Told,
    calls,
    gaps,
    legs,
    offers,
    talks,
    visits,
)
from cti.db.engine import Database
from tests.kit.story import BO, MAY, NINE, WANG, Story, at
from tests.kit.tapes import tape, told

PEOPLE = {MAY: "p-may", BO: "p-bo"}
TABLES: tuple[Table, ...] = (calls, offers, visits, talks, legs, gaps)


def answered(call: str = "call-1", **facts: Any) -> CallRecord:
    """Wang waits for May and Bo, Bo answers."""
    story = Story().calls(0, to="4000", name="王小明").joins(0.5)
    story.asks(1, WANG, MAY, BO).rang(1, MAY, BO).picked_up(4, BO).cancelled(4, MAY)
    record = story.leaves(4).talk(4, WANG, BO).leaves_for_good(9).gone(9, BO).over()
    return replace(record, id=CallId(call), **facts)


def missed(call: str, **facts: Any) -> CallRecord:
    """Wang gives up while May's phone rings."""
    story = Story().calls(0).asks(1, WANG, MAY).rang(1, MAY)
    record = story.hangs_up(9, WANG).cancelled(9, MAY).gone(9, WANG).over()
    return replace(record, id=CallId(call), **facts)


def live(call: str = "call-1", **facts: Any) -> CallRecord:
    """A phone rings for Wang."""
    return replace(Story().calls(0).asks(1, WANG, MAY).rang(1, MAY).now(), id=CallId(call), **facts)


def keeping(record: CallRecord, **facts: Any) -> Keeping:
    """A call as the switchboard hands it on."""
    by = record.answered_by
    return Keeping(
        record=record,
        offers=agent_offers(record, PEOPLE.get),
        person=PEOPLE.get(by.device) if by else None,
        talkers=[PEOPLE.get(talk.phone.device) for talk in record.talks],
        **{"number": "+8613800138000", "house": "v1", **facts},
    )


def batch(*records: CallRecord | Keeping, **facts: Any) -> Batch:
    """What one turn leaves to be stored."""
    kept = [r if isinstance(r, Keeping) else keeping(r) for r in records]
    return Batch(at=NINE, calls=kept, **facts)


async def keep(db: Database, *batches: Batch) -> Told:
    """Store batches in one transaction."""
    return await CallStore(db).keep(batches)


async def rows(db: Database, table: Table) -> list[dict[str, Any]]:
    """Everything in a table."""
    async with db.read() as conn:
        found = await conn.execute(select(table).order_by(*table.primary_key))
        return [dict(row._mapping) for row in found]


async def everything(db: Database) -> dict[str, list[dict[str, Any]]]:
    """Every row of a call."""
    return {table.name: await rows(db, table) for table in TABLES}


async def test_a_call_is_kept_with_all_its_parts(db: Database) -> None:
    await keep(db, batch(answered()))

    [call] = await rows(db, calls)
    assert {
        key: call[key] for key in ("caller", "caller_name", "dialled", "outcome", "device",
                                   "person", "rings", "ring_ms", "wait_ms", "talk_ms", "ended_by",
                                   "queues", "house", "over", "approximate", "evidence", "raw")
    } == {
        "caller": "13800138000", "caller_name": "王小明", "dialled": "4000", "outcome": "answered",
        "device": BO, "person": "p-bo", "rings": 2, "ring_ms": 3000, "wait_ms": 3500,
        "talk_ms": 5000, "ended_by": "caller", "queues": ["support"], "house": "v1", "over": True,
        "approximate": False, "evidence": None, "raw": None,
    }  # fmt: skip
    assert (call["began"], call["answered_at"], call["ended_at"]) == (at(0), at(4), at(9))
    asked = await rows(db, offers)
    assert [(o["agent"], o["person"], o["outcome"], o["ring_ms"]) for o in asked] == [
        ("6001", "p-may", "answered_elsewhere", 3000), ("6002", "p-bo", "answered", 3000),
    ]  # fmt: skip
    assert [(v["queue"], v["joined_at"], v["left_at"]) for v in await rows(db, visits)] == [
        ("support", at(0.5), at(4))
    ]
    assert [(t["device"], t["person"], t["ended_at"]) for t in await rows(db, talks)] == [
        (BO, "p-bo", at(9))
    ]
    assert len(await rows(db, legs)) == 3


async def test_the_same_may_be_kept_any_number_of_times(db: Database) -> None:
    whole = batch(answered(), missed("call-2"), gaps=[gap()])
    await keep(db, whole)
    once = await everything(db)

    await keep(db, whole, whole)
    await keep(db, whole)

    assert await everything(db) == once


async def test_a_live_call_is_a_row_with_its_evidence_until_it_is_over(db: Database) -> None:
    store = CallStore(db)
    await keep(db, batch(keeping(live(), evidence="e")))
    assert await store.live("main") == ["e"]
    assert await rows(db, offers) == []

    await keep(db, batch(answered()))

    assert await store.live("main") == []
    assert len(await rows(db, calls)) == 1
    assert len(await rows(db, offers)) == 2


async def test_of_several_states_in_one_go_the_last_is_written(db: Database) -> None:
    await keep(db, batch(keeping(live(), evidence="e")), batch(answered()))

    [call] = await rows(db, calls)
    assert (call["over"], call["evidence"], call["state"]) == (True, None, "ended")


async def test_live_calls_are_given_per_pbx_oldest_first(db: Database) -> None:
    await keep(
        db,
        batch(
            keeping(live("b"), evidence="second"),
            keeping(live("a"), evidence="first"),
            keeping(live("c", pbx="other"), evidence="third"),
            answered("d"),
        ),
    )

    assert await CallStore(db).live("main") == ["first", "second"]


async def test_a_call_that_was_another_all_along_is_no_call_of_its_own(db: Database) -> None:
    store = CallStore(db)
    await keep(db, batch(keeping(live("a"), evidence="1"), keeping(live("b"), evidence="2")))

    await keep(db, batch(keeping(live("a"), evidence="3"), merges=[("b", "a")]))

    assert await store.live("main") == ["3"]
    assert [(c["id"], c["merged_into"], c["over"]) for c in await rows(db, calls)] == [
        ("a", None, False), ("b", "a", True),
    ]  # fmt: skip
    assert await store.contacts("+8613800138000", "x") == []
    assert (await store.day(at(-60), at(60), 3)).missed == 0


async def test_a_call_that_was_merged_before_it_was_ever_stored_leaves_nothing(
    db: Database,
) -> None:
    await keep(db, batch(keeping(live("a"), evidence="1"), merges=[("b", "a")]))

    assert [call["id"] for call in await rows(db, calls)] == ["a"]


async def test_a_call_stored_and_merged_in_one_go_is_merged(db: Database) -> None:
    await keep(
        db,
        batch(keeping(live("a"), evidence="1"), keeping(live("b"), evidence="2")),
        batch(answered("a"), merges=[("b", "a")]),
    )

    assert [(c["id"], c["merged_into"], c["over"]) for c in await rows(db, calls)] == [
        ("a", None, True), ("b", "a", True),
    ]  # fmt: skip


def gap(**facts: Any) -> Gap:
    """The PBX was not heard for a minute."""
    lost: dict[str, Any] = {"id": "gap-1", "pbx": "main", "lost_at": at(0), "back_at": None}
    return Gap(**(lost | {"cause": "the PBX does not answer"} | facts))


async def test_a_gap_is_an_interval_that_is_closed_under_its_id(db: Database) -> None:
    await keep(db, batch(gaps=[gap()]))
    assert [(g["back_at"], g["restarted"]) for g in await rows(db, gaps)] == [(None, False)]

    await keep(db, batch(gaps=[gap(back_at=at(60), restarted=True)]))

    assert [(g["lost_at"], g["back_at"], g["restarted"]) for g in await rows(db, gaps)] == [
        (at(0), at(60), True)
    ]


class TestHints:
    """What must be told."""

    async def test_hints_are_numbered_in_the_order_in_which_they_were_given(
        self, db: Database
    ) -> None:
        first = await keep(
            db, batch(tell=[("p-may", "a"), ("p-bo", "a")]), batch(tell=[("x", "b")])
        )
        second = await keep(db, batch(tell=[("p-may", "b")]))

        numbers = [seq for seq, _, _ in first + second]
        assert numbers == sorted(set(numbers))
        assert [(who, call) for _, who, call in first] == [
            ("p-may", "a"),
            ("p-bo", "a"),
            ("x", "b"),
        ]
        assert await CallStore(db).recent(10) == first + second

    async def test_the_last_hints_are_given_oldest_first(self, db: Database) -> None:
        told = await keep(db, batch(tell=[("p-may", str(n)) for n in range(9)]))

        assert await CallStore(db).recent(3) == told[-3:]

    async def test_a_turn_without_hints_tells_nothing(self, db: Database) -> None:
        assert await keep(db, batch(answered())) == []

    async def test_old_hints_are_forgotten_and_their_numbers_never_come_again(
        self, db: Database
    ) -> None:
        store = CallStore(db)
        old = await keep(db, batch(tell=[("p-may", "a")]))
        await store.forget_told(at(1))
        assert await store.recent(9) == []

        new = await keep(db, batch(tell=[("p-may", "b")]))

        assert new[0][0] > old[0][0]

    async def test_the_numbering_has_one_name_for_ever(self, db: Database) -> None:
        store = CallStore(db)

        assert await store.epoch("one") == "one"
        assert await store.epoch("two") == "one"


class TestContacts:
    """The last calls of a number."""

    async def test_newest_first_and_no_more_than_asked_for(self, db: Database) -> None:
        some = [missed(f"call-{n}", began=at(n), seen_at=at(n)) for n in range(7)]
        await keep(db, batch(*some))

        found = await CallStore(db).contacts("+8613800138000", "call-6", limit=3)

        assert [contact.call for contact in found] == ["call-5", "call-4", "call-3"]

    async def test_a_contact_says_how_it_went(self, db: Database) -> None:
        await keep(db, batch(answered()))

        [contact] = await CallStore(db).contacts("+8613800138000", "x")

        assert (contact.at, contact.direction, contact.outcome, contact.rings) == (
            at(0), "inbound", "answered", 2,
        )  # fmt: skip
        assert (contact.agent, contact.person, contact.talk_ms) == ("6002", "p-bo", 5000)

    async def test_other_numbers_and_live_calls_are_none_of_them(self, db: Database) -> None:
        await keep(
            db,
            batch(
                keeping(answered("a"), number="+862161234567"),
                keeping(answered("b"), number=None),
                keeping(live("c"), evidence="e"),
            ),
        )

        assert await CallStore(db).contacts("+8613800138000", "x") == []

    async def test_a_call_whose_beginning_was_not_seen_is_dated_by_its_first_sight(
        self, db: Database
    ) -> None:
        await keep(db, batch(answered("a", began=None, seen_at=at(3))))

        [contact] = await CallStore(db).contacts("+8613800138000", "x")

        assert contact.at == at(3)


class TestDay:
    """Counting a day."""

    async def count(self, db: Database, *records: CallRecord, **how: Any) -> Any:
        await keep(db, batch(*records))
        return await CallStore(db).day(how.get("start", at(0)), how.get("end", at(3600)), 3)

    async def test_inbound_calls_that_are_over_are_counted(self, db: Database) -> None:
        day = await self.count(
            db,
            answered("a", rings=3, talk_ms=4_000),
            answered("b", rings=4, talk_ms=9_001),
            answered("c", rings=None, talk_ms=None),
            missed("d"),
            missed("e"),
            replace(missed("f"), reason=None, outcome=None),
            answered("g", direction=Direction.OUTBOUND),
            live("h"),
        )

        assert (day.answered, day.within_standard, day.counted) == (3, 1, 2)
        assert day.talk_ms == 6_500
        assert (day.missed, day.by_reason) == (2, {"abandoned_ringing": 2})

    async def test_a_day_begins_with_its_first_instant_and_ends_before_its_last(
        self, db: Database
    ) -> None:
        micro = timedelta(microseconds=1)
        instants = [at(0) - micro, at(0), at(3600) - micro, at(3600)]

        some = [answered(f"c{n}", began=when) for n, when in enumerate(instants)]

        assert (await self.count(db, *some)).answered == 2

    async def test_borders_in_another_zone_are_the_same_instants(self, db: Database) -> None:
        zone = ZoneInfo("America/Los_Angeles")
        start, end = (datetime(2026, 3, day, tzinfo=zone) for day in (8, 9))
        edges = [start, end - timedelta(seconds=1), end]
        some = [answered(f"c{n}", began=edge.astimezone(UTC)) for n, edge in enumerate(edges)]

        day = await self.count(db, *some, start=start, end=end)

        assert end.astimezone(UTC) - start.astimezone(UTC) == timedelta(hours=23)
        assert day.answered == 2

    async def test_a_day_without_calls_is_empty(self, db: Database) -> None:
        day = await CallStore(db).day(at(0), at(1), 3)

        assert (day.answered, day.missed, day.within_standard, day.by_reason) == (0, 0, 0, {})
        assert day.talk_ms is None


HOSTILE = [
    "\x00",
    "a\x00b",
    "\x1b[2J\x1b]0;x\x07",
    "x" * 10_000,
    b"\xed\xa0\x80\xff".decode("utf-8", "replace"),
    "\u202eevil\u2066",
    "'; DROP TABLE calls;--",
    "<script>alert(1)</script>",
    "\u2028\u2029",
    "=cmd|' /C calc'!A0",
    "王小明",
    "",
    "%s %(x)s {0}",
    "\r\nEvent: Hangup\r\n\r\n",
    "\U0001f4de" * 200,
]


class TestHostile:
    """A caller may send anything."""

    async def test_what_a_caller_sends_is_kept_clean_and_what_was_sent_beside_it(
        self, db: Database
    ) -> None:
        some = [missed(f"c{n:02}", caller=text, caller_name=text) for n, text in enumerate(HOSTILE)]

        await keep(db, batch(*some))

        for text, row in zip(HOSTILE, await rows(db, calls), strict=True):
            for key in ("caller", "caller_name"):
                assert len(row[key]) <= 129
                assert row[key].isprintable()
                if row[key] == text:
                    assert row["raw"] is None
                else:
                    sent = row["raw"][key]
                    assert sent.isascii()
                    assert sent.encode().decode("unicode_escape") == text[:128]

    async def test_every_text_that_comes_from_outside_can_be_stored(self, db: Database) -> None:
        for n, text in enumerate(HOSTILE):
            await keep(db, batch(spoilt(f"c{n:02}", text), gaps=[gap(id=f"g{n}", cause=text)]))

        assert len(await rows(db, calls)) == len(HOSTILE)

    async def test_a_hostile_call_is_live_and_handed_over_too(self, db: Database) -> None:
        for n, text in enumerate(HOSTILE):
            story = Story().calls(0, number=text, name=text, to=text).joins(1, text)
            story.recorded(2, WANG, text)
            [call] = story.book.live()
            evidence = story.book.evidence(call)
            record = replace(story.now(), id=CallId(f"c{n:02}"))
            await keep(db, batch(keeping(record, evidence=evidence)))

        assert len(await CallStore(db).live("main")) == len(HOSTILE)


def spoilt(call: str, text: str) -> CallRecord:
    """A call in which every text that the PBX sent is this."""
    whole = answered(call)
    n = iter(range(100))

    def phone(was: Any) -> Any:
        return replace(was, agent=text, device=text, channel=text, leg=f"{call}-{next(n)}{text}")

    return replace(
        whole,
        caller=text,
        caller_name=text,
        dialled=text,
        channel=text,
        boot=text,
        answered_by=phone(whole.answered_by),
        offers=tuple(replace(offer, phone=phone(offer.phone)) for offer in whole.offers),
        talks=tuple(replace(talk, phone=phone(talk.phone)) for talk in whole.talks),
        visits=tuple(replace(visit, queue=text) for visit in whole.visits),
        queues=(text,),
        recordings=(text,),
        legs=tuple((f"{leg}{text}", text) for leg, _ in whole.legs),
    )


class TestChoice:
    """A person says which customer it was."""

    async def test_a_choice_stands_when_the_call_is_kept_again(self, db: Database) -> None:
        store = CallStore(db)
        await keep(db, batch(keeping(live(), evidence="e")))

        assert await store.choose("call-1", "wang")
        await keep(db, batch(answered()))

        assert [row["customer"] for row in await rows(db, calls)] == ["wang"]

    async def test_the_only_customer_found_is_kept_when_nobody_chose(self, db: Database) -> None:
        await keep(db, batch(keeping(answered(), customer="wang")))

        assert [row["customer"] for row in await rows(db, calls)] == ["wang"]

    async def test_no_call_no_choice(self, db: Database) -> None:
        assert not await CallStore(db).choose("none", "wang")


class TestRowsOf:
    """Calls by their channels, for `cti reconcile`."""

    def some(self) -> Sequence[CallRecord]:
        """Four calls a minute apart, the last on another PBX."""
        return [
            answered(
                f"c{n}", began=at(60 * n), pbx="other" if n == 4 else "main",
                legs=((f"{n}.1", "PJSIP/trunk-1"), (f"{n}.2", "PJSIP/6002-2")),
            )
            for n in range(5)
        ]  # fmt: skip

    async def test_calls_are_found_by_their_channels_with_all_in_between(
        self, db: Database
    ) -> None:
        await keep(db, batch(*self.some()))

        found = await CallStore(db).rows_of(["1.2", "3.1", "nobody's"])

        assert [row["id"] for row in found] == ["c1", "c2", "c3"]
        assert found[0]["legs"] == {"1.1": "PJSIP/trunk-1", "1.2": "PJSIP/6002-2"}
        assert found[0]["talked"] == {BO}

    async def test_calls_of_another_pbx_are_not_between(self, db: Database) -> None:
        some = self.some()
        await keep(db, batch(*some[:4], replace(some[4], began=at(90))))

        found = await CallStore(db).rows_of(["1.1", "3.1"])

        assert [row["id"] for row in found] == ["c1", "c2", "c3"]

    async def test_channels_of_nobody_find_nothing(self, db: Database) -> None:
        assert await CallStore(db).rows_of(["x"]) == []
        assert await CallStore(db).rows_of([]) == []

    async def test_more_channels_than_one_statement_bears(self, db: Database) -> None:
        await keep(db, batch(*self.some()))

        found = await CallStore(db).rows_of([f"{n % 4}.1{n}" for n in range(2000)] + ["2.1"])

        assert [row["id"] for row in found] == ["c2"]


async def test_a_thousand_calls_fit_into_one_transaction(db: Database) -> None:
    [record] = told(tape("queue-ringall-one-answers"))
    legs_of = [
        replace(record, id=CallId(f"c{n:04}"), legs=((f"{n}.1", "x"), (f"{n}.2", "y")))
        for n in range(1000)
    ]

    await keep(db, batch(*legs_of))

    assert len(await rows(db, calls)) == 1000
    assert len(await rows(db, legs)) == 2000


def said_of(call: str, *words: tuple[str, str], **facts: Any) -> CallRecord:
    """A call in which our part of the dialplan spoke."""
    said = tuple(SaidRecord(topic="line_test", word=w, code=c, at=at(1)) for w, c in words)
    return missed(call, said=said, **facts)


def out_call(call: str = "out", **facts: Any) -> CallRecord:
    """The way out of a line test."""
    far = replace(missed("x").offers[0], picked_at=at(2), outcome=OfferOutcome.CALLER_GAVE_UP)
    legs = (("cti-1", "Local/1;1"),)
    given: dict[str, Any] = {"direction": Direction.OUTBOUND, "far": far, "legs": legs} | facts
    return said_of(call, ("out", "4001"), ("heard", ""), **given)


async def test_what_became_of_a_channel_that_we_dialled_is_known_when_it_is_over(
    db: Database,
) -> None:
    store = CallStore(db)
    assert {} == await store.dialled([])
    await keep(db, batch(out_call()))

    found = (await store.dialled(["cti-1", "cti-2"]))["cti-1"]

    assert (found.call, found.picked_at, found.outcome) == ("out", at(2), "caller_gave_up")
    assert found.joined_at is None
    assert ["out", "heard"] == [one.word for one in found.said]


async def test_a_line_test_is_no_missed_call(db: Database) -> None:
    store = CallStore(db)
    others = (missed("c", ended_at=at(30)), out_call())
    await keep(db, batch(said_of("in", ("arrived", "483920")), *others))

    assert [True, False, True] == [await store.is_test(one) for one in ("in", "c", "out")]
    assert not await store.is_test("nothing")
    assert 1 == (await store.day(at(-9), at(99), 3)).missed
    assert ["483920", None] == sorted(
        (one.code for one in await store.arrivals("main", "4001", at(0))), key=str
    )


async def test_what_came_and_went_with_a_test_call_is_one_too_though_the_word_was_lost(
    db: Database,
) -> None:
    store = CallStore(db)
    out = out_call(began=at(-5), ended_at=at(9.4))
    other = missed("other", ended_at=at(20))
    before, elsewhere = missed("before", began=at(-6)), missed("elsewhere", dialled="4002")
    served = answered("served", dialled="4001")
    await keep(db, batch(out, missed("in"), other, before, elsewhere, served))

    calls_ = ("in", "other", "before", "elsewhere", "served")
    assert [True, *[False] * 4] == [await store.is_test(one) for one in calls_]

    await store.mark_test("out")

    marked = {row["id"] for row in await rows(db, calls) if row["purpose"]}
    assert {"out", "in"} == marked


async def test_calls_at_an_entry_are_counted_without_tests(db: Database) -> None:
    store = CallStore(db)
    await keep(db, batch(missed("a"), said_of("in", ("arrived", "1")), missed("b", began=at(60))))

    spans = [(at(-1), at(1)), (at(1), at(61)), (at(61), at(90))]
    assert [1, 1, 0] == await store.came_in("4001", spans)
    assert at(60) == await store.last_came_in("4001")
    assert await store.last_came_in("nowhere") is None


async def test_missed_calls_that_are_over_are_told_with_who_was_rung(db: Database) -> None:
    later = missed("call-2", ended_at=None, began=at(60), seen_at=at(60))
    outbound = missed("call-4", direction=Direction.OUTBOUND)
    await keep(db, batch(missed("call-1"), later, answered("call-3"), outbound, live("call-5")))
    await keep(db, batch(keeping(missed("call-6"), number=None), merges=[("call-6", "call-1")]))

    told_since = [await CallStore(db).missed_since(at(n)) for n in (0, 1, 60)]

    assert [["call-1", "call-2"], ["call-2"], ["call-2"]] == [
        [one.call for one in some] for some in told_since
    ]
    first, second = told_since[0]
    assert (at(9), "+8613800138000", "abandoned_ringing", "4001", ("p-may",), ()) == (
        first.at, first.number, first.reason, first.dialled, first.rung, first.queues,
    )  # fmt: skip
    assert at(60) == second.at


async def test_who_was_rung_first_is_told_first_and_once(db: Database) -> None:
    story = Story().calls(0).asks(1, WANG, BO).rang(1, BO).asks(2, WANG, MAY).rang(2, MAY)
    record = story.hangs_up(9, WANG).cancelled(9, BO).cancelled(9, MAY).gone(9, WANG).over()
    await keep(db, batch(record))

    [one] = await CallStore(db).missed_since(at(0))

    assert ("p-bo", "p-may") == one.rung


async def test_answered_calls_with_a_number_are_told_also_while_they_go_on(db: Database) -> None:
    going_on = Story().calls(0).asks(1, WANG, MAY).rang(1, MAY).picked_up(4, MAY).talk(4, WANG, MAY)
    talking = replace(going_on.now(), id=CallId("call-2"))
    inside = answered("call-3", direction=Direction.INTERNAL)
    other = keeping(answered("call-4"), number="+8613900139000")
    await keep(db, batch(answered("call-1"), talking, inside, other, missed("call-5")))
    store, number = CallStore(db), "+8613800138000"

    told_since = [await store.answered_with([number, "none"], at(n)) for n in (0, 4, 5)]

    both = [("call-1", number, at(4), "p-bo"), ("call-2", number, at(4), "p-may")]
    assert [both, both, []] == [
        [(one.call, one.number, one.at, one.person) for one in some] for some in told_since
    ]
    assert [] == await store.answered_with([], at(0))


async def test_what_recordings_need_of_a_call_is_told(db: Database) -> None:
    record = answered("call-1", recordings=("/monitor/one.wav",))
    await keep(db, batch(keeping(record, customer="c-wang")), batch(live("call-2")))
    store = CallStore(db)

    over, living = await store.recorded(NINE - timedelta(hours=1))

    assert ("call-1", True, True, 5000) == (over.call, over.over, over.answered, over.talk_ms)
    assert (("/monitor/one.wav",), "c-wang", "p-bo") == (over.files, over.customer, over.person)
    assert {"+8613800138000", "4000", "6002"} <= over.names
    (talk,) = over.talks
    assert ("6002", "p-bo", at(4), at(9)) == (talk.agent, talk.person, talk.began, talk.ended)
    assert ("call-2", False, None, ()) == (living.call, living.over, living.ended, living.talks)


async def test_calls_with_recordings_are_found_by_time_by_channel_and_by_themselves(
    db: Database,
) -> None:
    record = answered("call-1")
    await keep(db, batch(record, live("call-2")))
    store, leg = CallStore(db), record.legs[0][0]

    later = await store.recorded(NINE + timedelta(hours=1), ["call-1"])
    by_leg = await store.recorded_on(record.pbx, leg)
    before = await store.recorded_between(record.pbx, at(-9), at(-1))
    within = await store.recorded_between(record.pbx, at(9), at(10))
    after = await store.recorded_between(record.pbx, at(10), at(11))

    assert [["call-2", "call-1"], ["call-1"], [], ["call-1", "call-2"], ["call-2"]] == [
        [one.call for one in some] for some in (later, by_leg, before, within, after)
    ]
    assert leg in by_leg[0].legs
    assert [] == await store.recorded_on(record.pbx, "none")


async def test_who_spoke_in_a_call_is_told(db: Database) -> None:
    await keep(db, batch(answered("call-1"), missed("call-2")))

    assert {"call-1": {"p-bo"}} == await CallStore(db).spoke_in(["call-1", "call-2", "none"])
