"""The way from frame to screen: decided, then stored, then shown; nothing is lost on it."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update
from structlog.testing import capture_logs

from cti.calls.book import Book
from cti.calls.store import calls, legs, offers, outbox
from cti.db.engine import Database
from cti.errors import StoreUnavailable
from cti.pbx.events import Event
from cti.pbx.frames import Frame
from tests.kit.exchange import (
    BO,
    CHEN,
    LIN,
    MAY,
    Exchange,
    FakePbx,
    exchange,
    frames_of_file,
    rows,
)
from tests.kit.tapes import TAPES, TRACES
from tests.kit.until import until

LAB = sorted((TRACES / "lab").glob("*.ami"))
WHOLE = [path for path in [*TAPES, *LAB] if not path.stem.startswith("pbx-")]
RINGALL = TRACES / "queue-ringall-one-answers.ami"
RINGS = 37
"""After so many frames of it all three phones ring."""
TROUBLE = StoreUnavailable("the disk is full", "make room", code="disk_full")
BROKEN = Frame(b"Event: Hangup\r\nUniqueid: 1\r\nUniqueid: 2")


class TestDecideCommitPush:
    """In this order."""

    async def test_a_whole_tape_ends_in_the_database(self, sqlite_db: Database) -> None:
        async with exchange(sqlite_db) as it:
            it.hears(frames_of_file(RINGALL))
            await it.settled()
            assert [row["over"] for row in await rows(sqlite_db)] == [False]

            await it.passes(2)

        [call] = await rows(sqlite_db)
        assert (call["outcome"], call["device"], call["rings"]) == ("answered", "PJSIP/6001", 2)
        assert [o["outcome"] for o in await rows(sqlite_db, offers)] == [
            "answered", "answered_elsewhere", "answered_elsewhere",
        ]  # fmt: skip
        assert len(await rows(sqlite_db, legs)) == 4

    async def test_nothing_is_shown_before_it_is_stored(self, sqlite_db: Database) -> None:
        async with exchange(sqlite_db) as it:
            seen: list[tuple[str, int]] = []

            async def stored() -> int:
                return len(await rows(sqlite_db))

            screen = it.screen(MAY)
            frames = frames_of_file(RINGALL)
            async with sqlite_db.write():  # nobody else may write while this is open
                it.hears(frames[:RINGS])
                await until(lambda: it.writer.waiting > 0)
                for _ in range(20):
                    await asyncio.sleep(0)
                seen.append(("held", await stored()))
                assert it.desk.cards(MAY.id) == []
                assert it.desk.last_seq() == 0
            await it.settled()
            await screen.look()

            assert seen == [("held", 0)]
            assert await stored() == 1
            assert [card["state"] for card in it.desk.cards(MAY.id)] == ["ringing"]
            assert screen.shown == screen.fresh()

    async def test_a_ringing_phone_is_heard_at_once_with_all_before_it(
        self, sqlite_db: Database
    ) -> None:
        async with exchange(sqlite_db, settle=60) as it:
            frames = frames_of_file(RINGALL)
            first = next(
                n for n, frame in enumerate(frames) if b"\r\nChannelState: 5\r\n" in frame.payload
            )
            it.hears(frames[:first])
            for _ in range(20):
                await asyncio.sleep(0)
            assert (it.inbox.waiting, await rows(sqlite_db)) == (first, [])

            it.hears(frames[first : first + 1])
            await it.settled()
            assert [row["state"] for row in await rows(sqlite_db)] == ["ringing"]

    async def test_what_nobody_waits_for_is_heard_in_a_moment(self, sqlite_db: Database) -> None:
        async with exchange(sqlite_db, settle=0.05) as it:
            it.hears(frames_of_file(TRACES / "lab" / "menu-then-hang-up.ami"))
            waited = it.inbox.waiting
            await it.settled()

            assert waited
            assert len(await rows(sqlite_db)) == 1

    async def test_what_gathers_is_heard_when_asked(self, sqlite_db: Database) -> None:
        async with exchange(sqlite_db, settle=60) as it:
            it.hears(frames_of_file(TRACES / "lab" / "menu-then-hang-up.ami"))
            it.switchboard.hear_rest()
            await it.settled()

            assert len(await rows(sqlite_db)) == 1

    async def test_what_gathers_is_heard_before_the_loss_of_the_link(
        self, sqlite_db: Database
    ) -> None:
        async with exchange(sqlite_db, settle=60) as it:
            it.hears(frames_of_file(TRACES / "lab" / "menu-then-hang-up.ami"))
            it.link("down", "cut")
            await it.settled()

            assert [row["outcome"] for row in await rows(sqlite_db)] == ["missed"]

    async def test_hints_are_numbered_in_the_order_of_the_turns(self, sqlite_db: Database) -> None:
        async with exchange(sqlite_db) as it:
            screens = [it.screen(who) for who in (MAY, BO, LIN)]
            for frame in frames_of_file(RINGALL):
                it.hears([frame])
            await it.settled()
            for screen in screens:
                await screen.look()

        numbers = [row["seq"] for row in await rows(sqlite_db, outbox)]
        assert numbers == sorted(numbers)
        assert it.desk.last_seq() == numbers[-1]
        for screen in screens:
            assert screen.numbers == sorted(n for n in screen.numbers if n is not None)

    async def test_a_change_that_changes_no_card_tells_nobody(self, sqlite_db: Database) -> None:
        async with exchange(sqlite_db) as it:
            frames = frames_of_file(TRACES / "lab" / "menu-then-hang-up.ami")
            it.hears(frames)
            await it.settled()
            await it.passes(3)

        assert await rows(sqlite_db, outbox) == []
        assert [row["reason"] for row in await rows(sqlite_db)] == ["ivr_abandon"]

    async def test_a_stranger_is_told_nothing(self, sqlite_db: Database) -> None:
        async with exchange(sqlite_db) as it:
            screen = it.screen(CHEN)
            it.hears(frames_of_file(RINGALL))
            await it.settled()
            await screen.look()

        assert screen.history == []

    async def test_a_finished_call_writes_one_line(self, sqlite_db: Database) -> None:
        with capture_logs() as logs:
            async with exchange(sqlite_db) as it:
                it.hears(frames_of_file(RINGALL))
                await it.settled()
                await it.passes(3)
                await it.passes(3)

        [line] = [log for log in logs if log["event"] == "call_over"]
        assert (line["outcome"], line["agent"], line["rings"], line["queue"]) == (
            "answered", "6001", 2, "support",
        )  # fmt: skip


class TestScreens:
    """What a screen shows after its pushes is what a new screen shows."""

    @pytest.mark.parametrize("path", WHOLE, ids=lambda path: path.stem)
    async def test_snapshot_and_pushes_are_a_fresh_snapshot(
        self, path: Path, sqlite_db: Database
    ) -> None:
        frames = frames_of_file(path)
        size = max(len(frames) // 6, 1)
        async with exchange(sqlite_db) as it:
            screens = [it.screen(who) for who in (MAY, BO, LIN, CHEN)]
            for start in range(0, len(frames), size):
                it.hears(frames[start : start + size])
                await it.settled()
                for screen in screens:
                    await screen.look()
                    assert screen.shown == screen.fresh()
            await it.passes(3)
            for screen in screens:
                await screen.look()
                assert screen.shown == screen.fresh() == {}

    async def test_who_was_away_is_given_what_he_missed(self, sqlite_db: Database) -> None:
        frames = frames_of_file(RINGALL)
        async with exchange(sqlite_db) as it:
            it.hears(frames[:RINGS])
            await it.settled()
            known = it.desk.last_seq()
            screen = it.screen(BO)
            it.hears(frames[RINGS:])
            await it.settled()

            missed = it.desk.since(BO.id, known)

            assert missed
            for _, call in missed:
                card = it.desk.card(BO.id, call)
                assert card is not None
                assert card["state"] == "ended"
            await screen.look()
            assert screen.numbers == [seq for seq, _ in missed]


DEVICE = "Event: DeviceStateChange\r\nDevice: {}\r\nState: {}"
PAUSE = (
    "Event: QueueMemberPause\r\nQueue: support\r\nInterface: Local/6002@agents\r\n"
    "StateInterface: PJSIP/6002\r\nPaused: {}"
)


class TestPhones:
    """How the agents stand."""

    @staticmethod
    def standing(it: Exchange) -> dict[str, str]:
        """Each agent's state on the board."""
        return {agent["name"]: agent["state"] for agent in it.desk.board()["agents"]}

    async def test_phones_and_pauses_are_on_the_board(self, sqlite_db: Database) -> None:
        async with exchange(sqlite_db) as it:
            it.hears([Frame(DEVICE.format("PJSIP/6001", "INUSE").encode())])
            it.hears([Frame(DEVICE.format("PJSIP/6002", "NOT_INUSE").encode())])
            it.hears([Frame(PAUSE.format("1").encode())])
            await it.settled()
            assert self.standing(it) == {"May": "on_call", "Bo": "paused", "Lin": "unknown"}

            it.hears([Frame(PAUSE.format("0").encode())])
            await it.settled()
            assert self.standing(it)["Bo"] == "available"

    async def test_they_are_read_anew_at_each_return_of_the_link(self, sqlite_db: Database) -> None:
        pbx = FakePbx()
        pbx.devices = {"PJSIP/6001": "INUSE", "PJSIP/6002": "NOT_INUSE"}
        pbx.members = [
            {"Event": "QueueMember", "Queue": "support", "Location": "Local/6002@agents",
             "StateInterface": "PJSIP/6002", "Paused": "1"}
        ]  # fmt: skip
        async with exchange(sqlite_db, pbx) as it:
            assert self.standing(it) == {"May": "on_call", "Bo": "paused", "Lin": "unknown"}
            it.link("down")
            await it.settled()
            assert set(self.standing(it).values()) == {"unknown"}
            pbx.devices["PJSIP/6001"] = "NOT_INUSE"
            pbx.members = []
            it.link("up")
            await it.settled()
            assert self.standing(it) == {"May": "available", "Bo": "available", "Lin": "unknown"}


class TestOddFrames:
    """A frame that is odd costs itself."""

    async def test_a_call_that_cannot_be_closed_keeps_no_other_open(
        self, sqlite_db: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        judge = Book._judge

        def fail(book: Book, call: Any, *, over: bool = False) -> Any:
            record = judge(book, call, over=over)
            if over and record.caller == "13800138000":
                raise RuntimeError("a fault of ours")
            return record

        monkeypatch.setattr(Book, "_judge", fail)
        with capture_logs() as logs:
            async with exchange(sqlite_db) as it:
                it.hears(frames_of_file(TRACES / "two-calls-at-once.ami"))
                await it.settled()
                for _ in range(4):
                    await it.passes(3)
                assert it.book.live() == []

        stored = {row["caller"]: row["over"] for row in await rows(sqlite_db)}
        assert stored["02161234567"]
        assert "event_failed" in {log["event"] for log in logs}

    async def test_a_stored_call_that_cannot_be_read_back_is_noted(
        self, sqlite_db: Database
    ) -> None:
        async with exchange(sqlite_db) as it:
            it.hears(frames_of_file(RINGALL)[:RINGS])
            await it.settled()
            clock = it.clock
        async with sqlite_db.write() as connection:
            await connection.execute(update(calls).values(evidence="{}"))
        with capture_logs() as logs:
            async with exchange(sqlite_db, clock=clock) as it:
                assert it.book.live() == []

        [note] = [log for log in logs if log["event"] == "call_note"]
        assert "could not be read back" in note["text"]

    async def test_a_frame_that_makes_us_fail_costs_itself(
        self, sqlite_db: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        frames = frames_of_file(RINGALL)
        hear = Book.hear

        def fail_once(book: Book, event: Event) -> Any:
            if type(event).__name__ == "RecordingNamed":
                raise RuntimeError("a fault of ours")
            return hear(book, event)

        monkeypatch.setattr(Book, "hear", fail_once)
        with capture_logs() as logs:
            async with exchange(sqlite_db) as it:
                it.hears(frames)
                await it.settled()
                await it.passes(3)

        assert [row["outcome"] for row in await rows(sqlite_db)] == ["answered"]
        assert it.aside.counts["handler"] > 0
        assert "frame_failed" in {log["event"] for log in logs}

    async def test_a_call_that_cannot_be_judged_costs_itself(
        self, sqlite_db: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        frames = frames_of_file(TRACES / "two-calls-at-once.ami")
        view = Book.view

        def fail(book: Book, call: Any) -> Any:
            record = view(book, call)
            if record and record.caller == "13800138000":
                raise RuntimeError("a fault of ours")
            return record

        monkeypatch.setattr(Book, "view", fail)
        with capture_logs() as logs:
            async with exchange(sqlite_db) as it:
                it.hears(frames)
                await it.settled()
                await it.passes(3)

        stored = {row["caller"]: row["outcome"] for row in await rows(sqlite_db)}
        assert stored["02161234567"] == "answered"
        assert "call_failed" in {log["event"] for log in logs}

    async def test_malformed_frames_are_set_aside_and_the_stream_goes_on(
        self, sqlite_db: Database
    ) -> None:
        with capture_logs():
            async with exchange(sqlite_db) as it:
                for frame in frames_of_file(RINGALL):
                    it.hears([BROKEN, frame, Frame(b"Event: Newstate\r\nno colon")])
                await it.settled()
                await it.passes(3)

        assert [row["outcome"] for row in await rows(sqlite_db)] == ["answered"]
        assert it.aside.counts["repeated"] == it.aside.counts["bad_line"] > 0
