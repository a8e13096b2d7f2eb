"""The store is in trouble, the link is lost, the program is started anew: nothing is lost."""

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from cti.calls.store import gaps, legs
from cti.calls.switchboard import TICK
from cti.clock import SetClock
from cti.db.engine import Database
from cti.errors import StoreUnavailable
from cti.pbx.frames import Frame
from tests.kit.exchange import (
    LIN,
    MAY,
    START,
    FakePbx,
    exchange,
    frames_of_file,
    rows,
)
from tests.kit.tapes import TAPES, TRACES, events_of, told
from tests.kit.until import until

LAB = sorted((TRACES / "lab").glob("*.ami"))
WHOLE = [path for path in [*TAPES, *LAB] if not path.stem.startswith("pbx-")]
RINGALL = TRACES / "queue-ringall-one-answers.ami"
RINGS = 37
"""After so many frames of it all three phones ring."""
TROUBLE = StoreUnavailable("the disk is full", "make room", code="disk_full")
BROKEN = Frame(b"Event: Hangup\r\nUniqueid: 1\r\nUniqueid: 2")


class TestStoreInTrouble:
    """A pop must not wait for a disk."""

    async def test_pops_come_unnumbered_and_again_numbered(self, sqlite_db: Database) -> None:
        frames = frames_of_file(RINGALL)
        with capture_logs():
            async with exchange(sqlite_db) as it:
                screen = it.screen(MAY)
                it.fail = TROUBLE
                it.hears(frames[:2])
                await until(lambda: it.writer.troubled)

                it.hears(frames[2:RINGS])
                await until(lambda: bool(it.desk.cards(MAY.id)))
                await screen.look()
                assert set(screen.numbers) == {None}
                assert [card["state"] for card in screen.shown.values()] == ["ringing"]
                assert await rows(sqlite_db) == []

                it.fail = None
                await it.settled()
                await screen.look()
                assert [n for n in screen.numbers if n is not None]
                assert screen.shown == screen.fresh()
                it.hears(frames[RINGS:])
                await it.settled()
                await it.passes(3)
                await screen.look()

        assert screen.shown == {}
        assert [row["outcome"] for row in await rows(sqlite_db)] == ["answered"]

    async def test_the_change_that_meets_the_trouble_first_is_shown_too(
        self, sqlite_db: Database
    ) -> None:
        with capture_logs():
            async with exchange(sqlite_db) as it:
                screen = it.screen(MAY)
                it.fail = TROUBLE

                it.hears(frames_of_file(RINGALL)[:RINGS])

                await until(lambda: bool(it.desk.cards(MAY.id)), within=2)
                await screen.look()
                it.fail = None

        assert [card["state"] for card in screen.shown.values()] == ["ringing"]

    async def test_a_merge_while_the_store_is_in_trouble_takes_the_card_away(
        self, sqlite_db: Database
    ) -> None:
        frames = frames_of_file(TRACES / "lab" / "attended-transfer-by-refer.ami")
        with capture_logs():
            async with exchange(sqlite_db) as it:
                screen = it.screen(LIN)
                it.fail = TROUBLE
                it.hears(frames[:1])
                await until(lambda: it.writer.troubled)
                for frame in frames[1:]:
                    it.hears([frame])
                    await until(lambda: not it.inbox.waiting)
                    await screen.look()
                    assert len(screen.shown) <= 1
                    assert screen.shown == screen.fresh()
                assert len({call for call, _ in screen.history}) == 2
                it.fail = None
                await it.settled()

    async def test_a_call_that_ends_while_nothing_can_be_stored_is_stored_whole(
        self, sqlite_db: Database
    ) -> None:
        with capture_logs():
            async with exchange(sqlite_db) as it:
                it.fail = TROUBLE
                for frame in frames_of_file(RINGALL):
                    it.hears([frame])
                    await asyncio.sleep(0)
                await until(lambda: not it.inbox.waiting)
                it.clock.go(timedelta(seconds=3))
                it.switchboard.hear([])
                assert it.book.live() == []
                it.fail = None
                await it.settled()

        assert [(row["outcome"], row["over"]) for row in await rows(sqlite_db)] == [
            ("answered", True)
        ]

    async def test_when_too_much_waits_the_reader_stops_reading(self, sqlite_db: Database) -> None:
        frames = frames_of_file(RINGALL)
        with capture_logs():
            async with exchange(sqlite_db, limit=5) as it:
                it.fail = TROUBLE
                for frame in frames:
                    it.hears([frame])
                    await asyncio.sleep(0.001)
                assert it.inbox.waiting > 0
                it.fail = None
                await it.settled()
                await it.passes(3)

        assert [row["outcome"] for row in await rows(sqlite_db)] == ["answered"]

    async def test_a_call_that_the_database_refuses_for_good_does_not_stay_on_the_screens(
        self, sqlite_db: Database
    ) -> None:
        frames = frames_of_file(RINGALL)
        with capture_logs() as logs:
            async with exchange(sqlite_db) as it:
                screen = it.screen(MAY)
                it.hears(frames[:RINGS])
                await it.settled()
                await screen.look()
                assert screen.shown
                it.refuse = lambda item: any(keeping.record.over for keeping in item[0].calls)

                for frame in frames[RINGS:]:
                    it.hears([frame])
                await it.settled()
                await it.passes(3)

                await screen.look()
                assert screen.shown == screen.fresh() == {}
                assert it.desk.board()["calls"] == []

        assert "store_refused" in {log["event"] for log in logs}
        assert it.writer.refused == 1


class TestLink:
    """The link is lost and comes back."""

    async def test_the_pbx_is_asked_what_lives_before_newer_frames_are_heard(
        self, sqlite_db: Database
    ) -> None:
        frames = frames_of_file(RINGALL)
        async with exchange(sqlite_db, up=False) as it:
            heard_when_asked: list[int] = []
            it.pbx.on_ask = lambda _name: heard_when_asked.append(it.switchboard.heard)
            it.link("up")
            it.hears(frames[:RINGS])
            await it.settled()

        assert it.pbx.asked[0] == "CoreStatus"
        assert set(heard_when_asked) == {0}
        assert it.switchboard.heard == RINGS

    async def test_frames_before_a_loss_are_heard_before_it(self, sqlite_db: Database) -> None:
        frames = frames_of_file(RINGALL)
        async with exchange(sqlite_db) as it:
            it.hears(frames[:RINGS])
            it.link("down", "the PBX closed")
            it.hears([])
            it.link("up")
            it.hears(frames[RINGS:])
            await it.settled()
            await it.passes(3)

        [call] = await rows(sqlite_db)
        assert (call["outcome"], call["approximate"], call["talk_ms"]) == ("answered", True, 4002)

    async def test_no_frame_after_a_return_is_heard_before_the_snapshot_not_even_when_all_before_are_broken(  # noqa: E501
        self, sqlite_db: Database
    ) -> None:
        with capture_logs():
            async with exchange(sqlite_db) as it:
                asked = len(it.pbx.asked)
                heard_when_asked: list[int] = []
                it.pbx.on_ask = lambda _name: heard_when_asked.append(it.switchboard.heard)
                it.inbox.put([BROKEN, BROKEN])
                it.link("down")
                it.link("up")
                it.hears(frames_of_file(RINGALL)[:RINGS])
                await it.settled()

        assert len(it.pbx.asked) > asked
        assert set(heard_when_asked) == {0}

    async def test_a_loss_leaves_a_gap_that_is_closed_by_the_return(
        self, sqlite_db: Database
    ) -> None:
        async with exchange(sqlite_db) as it:
            it.hears(frames_of_file(RINGALL)[:RINGS])
            await it.settled()
            last = it.clock.now()
            it.clock.go(timedelta(seconds=4))
            it.link("down", "no answer to a ping")
            it.link("refused", "another reason")
            await it.settled()
            [gap] = await rows(sqlite_db, gaps)
            assert (gap["lost_at"], gap["back_at"]) == (last, None)
            assert gap["cause"] == "no answer to a ping"

            it.clock.go(timedelta(seconds=60))
            it.link("connecting")
            it.link("up")
            await it.settled()

        [gap] = await rows(sqlite_db, gaps)
        assert (gap["back_at"], gap["restarted"]) == (last + timedelta(seconds=64), False)

    async def test_while_the_link_is_down_the_screens_say_so(self, sqlite_db: Database) -> None:
        async with exchange(sqlite_db) as it:
            assert [(link["pbx"], link["up"]) for link in it.desk.links()] == [("main", True)]
            it.link("down")
            await it.settled()
            assert [(link["pbx"], link["up"]) for link in it.desk.links()] == [("main", False)]

    async def test_a_pbx_that_was_started_anew_ends_every_call(self, sqlite_db: Database) -> None:
        async with exchange(sqlite_db) as it:
            it.hears(frames_of_file(RINGALL)[:RINGS])
            await it.settled()
            it.link("down")
            it.pbx.dies()
            it.clock.go(timedelta(seconds=30))
            it.link("up")
            await it.settled()
            assert it.book.live() == []

        [call] = await rows(sqlite_db)
        assert (call["over"], call["reason"], call["ended_by"]) == (True, "unobserved", None)
        assert [gap["restarted"] for gap in await rows(sqlite_db, gaps)] == [True]

    async def test_a_pbx_that_cannot_be_asked_is_asked_again_and_heard_meanwhile(
        self, sqlite_db: Database
    ) -> None:
        with capture_logs() as logs:
            async with exchange(sqlite_db, up=False) as it:
                it.pbx.away = True
                it.pbx.on_ask = lambda _name: it.clock.go(timedelta(seconds=6))
                it.link("up")
                it.hears(frames_of_file(RINGALL)[:RINGS])
                await until(lambda: it.switchboard.heard == RINGS)
                assert [log["event"] for log in logs if log["log_level"] == "warning"]
                it.pbx.away = False
                asked = len(it.pbx.asked)
                it.clock.go(timedelta(seconds=6))

                it.hears(frames_of_file(RINGALL)[RINGS : RINGS + 1])

                await until(lambda: len(it.pbx.asked) > asked + 3)
                await it.settled()
                assert it.book.boot

    async def test_a_link_lost_during_the_snapshot_waits_for_the_next(
        self, sqlite_db: Database
    ) -> None:
        with capture_logs():
            async with exchange(sqlite_db, up=False) as it:
                it.pbx.away = True
                it.link("up")
                await until(lambda: bool(it.pbx.asked))
                it.link("down")
                await it.settled()
                it.pbx.away = False
                it.link("up")
                await it.settled()

        assert it.book.boot
        assert len(await rows(sqlite_db, gaps)) == 1

    async def test_states_that_come_in_one_breath_are_all_heard(self, sqlite_db: Database) -> None:
        async with exchange(sqlite_db) as it:
            for _ in range(3):
                for phase in ("down", "up"):
                    it.link(phase)
                    await asyncio.sleep(0)
            await it.settled()

        assert all(gap["back_at"] for gap in await rows(sqlite_db, gaps))
        assert [link["up"] for link in it.desk.links()] == [True]

    async def test_a_part_that_this_pbx_forbids_is_left_out(self, sqlite_db: Database) -> None:
        with capture_logs() as logs:
            async with exchange(sqlite_db, up=False) as it:
                it.pbx.denied = {"DeviceStateList", "BridgeList"}
                it.link("up")
                await it.settled()

        assert it.book.boot
        assert {log["action"] for log in logs if log["event"] == "snapshot_part_missing"} == {
            "DeviceStateList", "BridgeList",
        }  # fmt: skip


class TestRestart:
    """The program stops and another goes on."""

    @pytest.mark.parametrize("part", [0.3, 0.7])
    @pytest.mark.parametrize("path", TAPES, ids=lambda path: path.stem)
    async def test_no_call_is_lost_left_open_or_told_twice(
        self, path: Path, part: float, sqlite_db: Database
    ) -> None:
        frames = frames_of_file(path)
        cut = int(len(frames) * part)
        pbx = FakePbx()
        async with exchange(sqlite_db, pbx) as it:
            it.hears(frames[:cut])
            await it.settled()
            clock = it.clock
        async with exchange(sqlite_db, pbx, clock=clock) as it:
            it.hears(frames[cut:])
            await it.settled()
            await it.passes(3)
            assert it.book.live() == []

        found = await rows(sqlite_db)
        whole = {record.channel: record for record in told(events_of(path.read_bytes()))}
        assert sorted(row["channel"] for row in found) == sorted(whole)
        for row in found:
            assert row["over"]
            truth = whole[row["channel"]]
            if truth.outcome == "answered":
                assert (row["outcome"], row["reason"]) == ("answered", None)
            elif row["reason"] != "unobserved":
                assert row["reason"] == truth.reason

    @pytest.mark.parametrize("path", TAPES, ids=lambda path: path.stem)
    async def test_frames_that_nobody_heard_lose_no_call_that_lived_before_or_after(
        self, path: Path, sqlite_db: Database
    ) -> None:
        frames = frames_of_file(path)
        third = len(frames) // 3
        pbx = FakePbx()
        async with exchange(sqlite_db, pbx) as it:
            it.hears(frames[:third])
            await it.settled()
            clock = it.clock
        before = {row["channel"] for row in await rows(sqlite_db)}
        pbx.lives(frames[third : 2 * third])
        alive = {channel["channel"] for channel in pbx.channels.values()}
        async with exchange(sqlite_db, pbx, clock=clock) as it:
            it.hears(frames[2 * third :])
            await it.settled()
            await it.passes(3)
            assert it.book.live() == []

        found = await rows(sqlite_db)
        assert before <= {row["channel"] for row in found}
        assert all(row["over"] for row in found)
        known = {channel for row in await rows(sqlite_db, legs) for channel in [row["channel"]]}
        assert alive <= known
        assert len({row["uniqueid"] for row in await rows(sqlite_db, legs)}) == len(known)

    async def test_open_cards_are_there_again_at_once(self, sqlite_db: Database) -> None:
        frames = frames_of_file(RINGALL)
        pbx = FakePbx()
        async with exchange(sqlite_db, pbx) as it:
            it.hears(frames[:RINGS])
            await it.settled()
            before = it.desk.cards(MAY.id)
            number = it.desk.last_seq()
            clock = it.clock
        async with exchange(sqlite_db, pbx, up=False, clock=clock) as it:
            await it.settled()
            after = it.desk.cards(MAY.id)
            assert it.desk.epoch == "epoch-1"
            assert it.desk.last_seq() >= number
            assert it.desk.since(MAY.id, number) is not None

        [one], [two] = before, after
        assert two | {"approximate": False} == one
        assert two["approximate"]

    async def test_the_time_in_between_is_a_gap(self, sqlite_db: Database) -> None:
        pbx = FakePbx()
        async with exchange(sqlite_db, pbx) as it:
            it.hears(frames_of_file(RINGALL)[:RINGS])
            await it.settled()
            lost = it.clock.now()
            it.link("stopping")
            await it.settled()
            clock = it.clock
        clock.go(timedelta(minutes=5))
        async with exchange(sqlite_db, pbx, clock=clock) as it:
            await it.settled()

        [gap] = await rows(sqlite_db, gaps)
        assert (gap["lost_at"], gap["back_at"]) == (lost, lost + timedelta(minutes=5))


class TestClock:
    """Waits are told in the PBX's time."""

    async def test_a_pbx_whose_clock_is_wrong_ends_its_calls_all_the_same(
        self, sqlite_db: Database
    ) -> None:
        frames = frames_of_file(RINGALL)
        ahead = timedelta(hours=5)
        for frame in frames:
            assert frame.arrived
            frame.arrived -= ahead
        async with exchange(sqlite_db, clock=SetClock(START - ahead)) as it:
            it.hears(frames)
            await it.settled()
            assert it.switchboard.lag_ms == pytest.approx(-5 * 3_600_000 + 3, abs=1)
            await it.passes(1.9)
            assert it.book.live()
            await it.passes(0.1 + TICK)
            assert not it.book.live()

    async def test_a_pbx_without_stamps_is_dated_by_us_and_marked(
        self, sqlite_db: Database
    ) -> None:
        frames = frames_of_file(RINGALL)
        plain = [
            Frame(
                b"\r\n".join(
                    line for line in f.payload.split(b"\r\n") if not line.startswith(b"Timestamp")
                ),
                f.arrived,
            )
            for f in frames
        ]
        async with exchange(sqlite_db) as it:
            for frame in plain:
                it.hears([frame])
            await it.settled()
            await it.passes(3)

        [call] = await rows(sqlite_db)
        assert (call["outcome"], call["rings"], call["approximate"]) == ("answered", 2, True)
