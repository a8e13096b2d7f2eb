"""Every attempt is dialled once or proven not to have been, wherever the program died."""

import asyncio
from collections.abc import Callable, Collection
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cti.calls.record import DialledCall, OfferOutcome
from cti.clock import SetClock
from cti.db.engine import Database
from cti.dials.dialer import Dialer
from cti.dials.rules import Attempt, AttemptState, Cause, Wanted, line_test
from cti.dials.store import DialStore
from cti.errors import ActionUnknown, PbxUnavailable, Refused
from cti.house import House
from cti.pbx.actions import Action, name_of
from cti.pbx.frames import Frame
from cti.pbx.session import Answer

NOON = datetime(2026, 3, 2, 4, tzinfo=UTC)
NUMBER = "02161110000"
AHEAD = timedelta(hours=3)
"""The PBX's clock differs from ours; nothing may depend on that."""


class Killed(BaseException):
    """The program ends here."""


class FakePbx:
    """A PBX with a guard: it dials an id once, and never past its deadline."""

    def __init__(self, clock: SetClock) -> None:
        self.clock, self.current = clock, True
        self.sent: list[dict[str, Any]] = []
        self.notes: set[str] = set()
        self.live: dict[str, str] = {}
        self.at_originate: Callable[[], Answer | None] = lambda: None
        self.db_get: Callable[[str], Answer] | None = None

    @property
    def now(self) -> float:
        return (self.clock.now() + AHEAD).timestamp()

    def call_of(self, channel: str) -> str | None:
        return self.live.get(channel)

    async def act(self, action: Action, within: timedelta) -> Answer:
        match name_of(action):
            case "Ping":
                return _answer(f"Timestamp: {self.now:.6f}")
            case "Originate":
                self.sent.append(dict(action))
                return self.at_originate() or self.dials()
            case "DBGet":
                key = str(action["Key"])
                if self.db_get is not None:
                    return self.db_get(key)
                return _answer() if key in self.notes else _error("Database entry not found")
        raise AssertionError(name_of(action))

    def dials(self) -> Answer:
        """Let the guard dial what was sent last."""
        attempt = self.sent[-1]["ChannelId"]
        variables = dict(one.split("=", 1) for one in self.sent[-1]["Variable"])
        assert attempt not in self.notes
        assert self.now <= float(variables["CTI_DEADLINE"]) + 1
        self.notes.add(attempt)
        self.live[attempt] = "call-1"
        return _answer("Message: Originate successfully queued")


class FakeCalls:
    """The calls that are over."""

    def __init__(self) -> None:
        self.over: dict[str, DialledCall] = {}

    async def dialled(self, channels: Collection[str]) -> dict[str, DialledCall]:
        return {one: self.over[one] for one in channels if one in self.over}


class Desk:
    """A dialer and all around it; `restarts` gives a new one on the same database."""

    def __init__(self, db: Database, **house: Any) -> None:
        self.clock, self.calls, self.house = SetClock(NOON), FakeCalls(), House(**house)
        self.pbx, self.store, self.waiting = FakePbx(self.clock), DialStore(db), 0
        self.restarts()

    def restarts(self) -> None:
        self.dialer = Dialer(
            store=self.store,
            calls=self.calls,
            exchanges={"main": self.pbx},
            house=lambda: self.house,
            clock=self.clock,
            waiting=lambda: self.waiting,
        )

    async def passes(self, seconds: float) -> None:
        self.clock.go(timedelta(seconds=seconds))
        await self.dialer.look()

    async def attempt(self) -> Attempt:
        found = await self.store.of("line_test:1")
        assert found is not None
        return found


def wanted(**changed: Any) -> Wanted:
    given: dict[str, Any] = {
        "purpose": "line_test",
        "subject": "line_test:1",
        "pbx": "main",
        "trunk": "trunk",
        "number": NUMBER,
        "route": line_test(NUMBER),
        "variables": {"CTI_CODE": "123456"},
    }
    return Wanted(**given | changed)


def _answer(*lines: str) -> Answer:
    return Answer(
        ok=True, message="", headers=Frame("\r\n".join(("Response: Success", *lines)).encode())
    )


def _error(message: str) -> Answer:
    return Answer(ok=False, message=message, headers=Frame(b"Response: Error"))


def _raise(fault: BaseException) -> Answer:
    raise fault


def over(outcome: OfferOutcome = OfferOutcome.CALLER_GAVE_UP, picked: bool = True) -> DialledCall:
    return DialledCall(
        call="call-1",
        began=NOON,
        ended_at=NOON,
        outcome=outcome,
        picked_at=NOON if picked else None,
    )


async def test_what_is_sent_is_the_attempt_as_it_was_committed(sqlite_db: Database) -> None:
    desk = Desk(sqlite_db)

    attempt = await desk.dialer.dial(wanted())

    (sent,) = desk.pbx.sent
    assert attempt.state is AttemptState.SENT
    assert (sent["ChannelId"], sent["OtherChannelId"]) == (attempt.id, f"{attempt.id}-2")
    assert attempt.id.startswith("cti-")
    assert set(sent["Variable"]) == {
        "CTI_CODE=123456",
        f"CTI_ATTEMPT={attempt.id}",
        f"CTI_DEADLINE={int((NOON + AHEAD).timestamp()) + 20}",
        "CTI_TRUNK=trunk",
        "CTI_RING=30",
    }
    assert (sent["Channel"], sent["Async"]) == (f"Local/{NUMBER}@cti-line-test/n", "true")


async def test_the_attempt_is_committed_before_anything_is_written(sqlite_db: Database) -> None:
    desk = Desk(sqlite_db)
    desk.pbx.at_originate = lambda: _raise(Killed())

    with pytest.raises(Killed):
        await desk.dialer.dial(wanted())

    assert (await desk.attempt()).state is AttemptState.COMMITTED


async def test_it_is_dialling_while_its_call_lives_and_then_what_the_call_was(
    sqlite_db: Database,
) -> None:
    desk = Desk(sqlite_db)
    attempt = await desk.dialer.dial(wanted())
    await desk.dialer.look()
    live = await desk.attempt()
    assert (live.state, live.call) == (AttemptState.DIALLING, "call-1")

    desk.pbx.live.clear()
    desk.calls.over[attempt.id] = over()
    await desk.dialer.look()

    done = await desk.attempt()
    assert (done.state, done.call) == (AttemptState.ANSWERED, "call-1")


@pytest.mark.parametrize("answered", [True, False])
async def test_after_a_crash_what_the_guard_dialled_is_adopted(
    sqlite_db: Database, answered: bool
) -> None:
    desk = Desk(sqlite_db)

    def dials_and_we_die() -> Answer:
        desk.pbx.dials()
        raise Killed

    desk.pbx.at_originate = dials_and_we_die
    with pytest.raises(Killed):
        await desk.dialer.dial(wanted())
    desk.restarts()
    await desk.passes(3)
    attempt = await desk.attempt()
    assert attempt.state is AttemptState.DIALLING

    desk.pbx.live.clear()
    desk.calls.over[attempt.id] = over(OfferOutcome.RANG_OUT, answered)
    await desk.passes(60)

    state = AttemptState.ANSWERED if answered else AttemptState.NO_ANSWER
    assert (await desk.attempt()).state is state
    assert len(desk.pbx.sent) == 1


async def test_what_was_never_written_is_proven_past_the_deadline_not_before(
    sqlite_db: Database,
) -> None:
    desk = Desk(sqlite_db)
    desk.pbx.at_originate = lambda: _raise(Killed())
    with pytest.raises(Killed):
        await desk.dialer.dial(wanted())
    desk.restarts()

    await desk.passes(24)
    assert (await desk.attempt()).state is AttemptState.COMMITTED
    await desk.passes(2)

    done = await desk.attempt()
    assert (done.state, done.cause) == (AttemptState.FAILED, Cause.NOT_DIALLED)
    assert len(desk.pbx.sent) == 1
    desk.pbx.at_originate = lambda: None
    assert (await desk.dialer.dial(wanted())).id != done.id


async def test_an_answer_that_did_not_come_is_no_failure(sqlite_db: Database) -> None:
    desk = Desk(sqlite_db)
    desk.pbx.at_originate = lambda: _raise(ActionUnknown("no answer"))

    attempt = await desk.dialer.dial(wanted())

    assert attempt.state is AttemptState.COMMITTED
    with pytest.raises(Refused, match="under way"):
        await desk.dialer.dial(wanted())


@pytest.mark.parametrize(
    ("answer", "cause"),
    [
        (lambda: _raise(PbxUnavailable("down")), Cause.NOT_SENT),
        (lambda: _error("Permission denied"), Cause.PBX_REFUSED),
    ],
)
async def test_what_the_pbx_surely_did_not_take_has_failed_at_once(
    sqlite_db: Database, answer: Callable[[], Answer], cause: Cause
) -> None:
    desk = Desk(sqlite_db)
    desk.pbx.at_originate = answer

    attempt = await desk.dialer.dial(wanted())

    assert (attempt.state, attempt.cause) == (AttemptState.FAILED, cause)


@pytest.mark.parametrize(
    ("says", "cause"),
    [
        (lambda _key: _error("Permission denied"), Cause.NO_GUARD),
        (lambda _key: _answer(), Cause.NOT_SEEN),
    ],
)
async def test_what_nobody_can_tell_is_left_to_a_person(
    sqlite_db: Database, says: Callable[[str], Answer], cause: Cause
) -> None:
    desk = Desk(sqlite_db)
    await desk.dialer.dial(wanted())
    desk.pbx.live.clear()
    desk.pbx.db_get = says

    await desk.passes(26)
    await desk.passes(11)

    done = await desk.attempt()
    assert (done.state, done.cause) == (AttemptState.UNKNOWN, cause)


async def test_while_the_pbx_is_not_seen_nothing_is_settled_and_nothing_dialled(
    sqlite_db: Database,
) -> None:
    desk = Desk(sqlite_db)
    await desk.dialer.dial(wanted())
    desk.pbx.live.clear()
    desk.pbx.current = False

    await desk.passes(3600)

    assert (await desk.attempt()).state is AttemptState.SENT
    with pytest.raises(PbxUnavailable):
        await desk.dialer.dial(wanted(subject="line_test:2", number="13800138000"))


@pytest.mark.parametrize(
    ("changed", "waiting", "code"),
    [({"number": "4000"}, 0, "dial_prefix"), ({}, 1, "callers_wait")],
)
async def test_what_is_refused_leaves_nothing_behind(
    sqlite_db: Database, changed: dict[str, Any], waiting: int, code: str
) -> None:
    desk = Desk(sqlite_db)
    desk.waiting = waiting

    with pytest.raises(Refused) as refused:
        await desk.dialer.dial(wanted(**changed))

    assert (refused.value.code, desk.pbx.sent) == (code, [])
    assert await desk.store.of("line_test:1") is None


async def test_the_switch_stops_dialling_at_the_commit(sqlite_db: Database) -> None:
    desk = Desk(sqlite_db)
    await desk.store.turn(off=True, who="p-lin", reason="", now=NOON)

    with pytest.raises(Refused) as refused:
        await desk.dialer.dial(wanted())

    assert (refused.value.code, desk.pbx.sent) == ("dialing_off", [])
    assert await desk.store.of("line_test:1") is None


async def test_one_attempt_that_cannot_be_settled_hinders_no_other(sqlite_db: Database) -> None:
    desk = Desk(sqlite_db)
    first = await desk.dialer.dial(wanted())
    second = await desk.dialer.dial(wanted(subject="line_test:2", number="13800138000"))
    desk.pbx.live.pop(first.id)
    desk.calls.over[second.id] = over()

    def breaks(_key: str) -> Answer:
        raise ActionUnknown("lost")

    desk.pbx.db_get = breaks
    await desk.passes(60)

    found = await desk.store.of("line_test:2")
    assert found is not None
    assert found.state is AttemptState.ANSWERED


async def test_the_dialer_looks_again_by_itself(sqlite_db: Database) -> None:
    desk = Desk(sqlite_db)
    await desk.dialer.dial(wanted())
    running = asyncio.get_running_loop().create_task(desk.dialer.run())
    async with asyncio.timeout(5):
        while (await desk.attempt()).state is not AttemptState.DIALLING:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running
