"""Dials once what may be dialled, and finds out what became of it, whatever happens meanwhile.

Commit, then send, then look: the id of the attempt is the channel's id, so what became of it is
read from the call book. Nothing here relies on an event that came while we listened: `look`
asks again and again for what is not settled, so that a crash between any two steps changes
nothing (reliability: dial outbox and guard).
"""

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final, Protocol

import structlog

from cti.calls.record import DialledCall
from cti.clock import Clock
from cti.db.schema import Connection
from cti.dials.rules import (
    Attempt,
    AttemptState,
    Cause,
    Tally,
    Wanted,
    deadline_of,
    is_past,
    refusal,
    result,
)
from cti.dials.store import DialStore
from cti.errors import (
    ActionUnknown,
    CtiError,
    PbxUnavailable,
    Refused,
    StoreUnavailable,
    UnsafeAction,
)
from cti.house import House
from cti.pbx import actions
from cti.pbx.session import Answer

log = structlog.get_logger(__name__)

WITHIN: Final = timedelta(seconds=5)
AFTER: Final = timedelta(seconds=5)
"""Customer first the guard's own ringing time is over before the PBX gives up on both."""
TICK: Final = 0.5
"""Seconds between two looks at what is not settled."""
UNSEEN: Final = timedelta(seconds=10)
"""So long a call that the guard let through may stay out of sight before nobody can tell."""
FAMILY: Final = "cti"


Still = Callable[[Connection], Awaitable[bool]]
"""Tells, in a transaction, whether an attempt is still wanted."""


def attempt_name() -> str:
    """Make the id of an attempt, which is the id of its channel as well."""
    return f"cti-{uuid.uuid4()}"


class Exchange(Protocol):
    """One PBX: the acting session, and what the call book knows of live calls."""

    async def act(self, action: actions.Action, within: timedelta) -> Answer:
        """Ask once; see `Link.act`."""
        ...

    @property
    def current(self) -> bool:
        """Whether the book knows all that lives on the PBX now."""
        ...

    def call_of(self, channel: str) -> str | None:
        """Give the live call of a channel."""
        ...


class Calls(Protocol):
    """The calls that are over (`cti.calls.store.CallStore`)."""

    async def dialled(self, channels: Collection[str]) -> dict[str, DialledCall]:
        """Give what became of channels that we dialled."""
        ...


class Dialer:
    """The only way out. `run` is its one task."""

    def __init__(
        self,
        *,
        store: DialStore,
        calls: Calls,
        exchanges: Mapping[str, Exchange],
        house: Callable[[], House],
        clock: Clock,
        waiting: Callable[[], int] = lambda: 0,
    ) -> None:
        self.store, self._calls, self._exchanges = store, calls, exchanges
        self._house, self._clock, self._waiting = house, clock, waiting
        self._missing: dict[str, datetime] = {}

    async def run(self) -> None:
        """Settle attempts for ever."""
        while True:
            try:
                await self.look()
            except StoreUnavailable as fault:
                log.warning("dials_not_settled", why=str(fault))
            except Exception:
                log.exception("dialer_failed")
            await asyncio.sleep(TICK)

    async def dial(
        self, wanted: Wanted, *, attempt_id: str = "", still: Still | None = None
    ) -> Attempt:
        """Dial once, now. The attempt is given back as it stands after sending.

        1. Write the attempt down, planned.
        2. Ask the PBX for its clock; commit the attempt with its deadline, if it may be dialled.
        3. Ask the PBX to dial, once. No answer is not a failure: `look` finds out.

        `attempt_id` is given by who has written it down elsewhere before (`attempt_name`);
        `still` is asked in the transaction of the commit whether it is still wanted.

        Raises `Refused` (dialing_off, dial_number, dial_trunk, dial_prefix, callers_wait,
        dial_minute, dial_number_day, dial_agent_hour, dial_breaker, dial_open, dial_stale) or
        `PbxUnavailable`: nothing was sent.
        """
        exchange = self._exchanges.get(wanted.pbx)
        if exchange is None or not exchange.current:
            raise PbxUnavailable(f"pbx {wanted.pbx}: not dialled, the link is down")
        house = self._house()
        ring = wanted.ring_for or house.dialing.ring_for
        self._check(self._refusal(wanted, Tally(waiting=self._waiting())))
        planned = await self.store.plan(wanted, attempt_id or attempt_name(), self._clock.now())
        try:
            deadline = deadline_of(await pbx_clock(exchange), wanted.route, ring)
            attempt = await self._commit(wanted, planned, deadline, still)
        except (Refused, PbxUnavailable):
            await self.store.drop(planned)
            raise
        return await self._send(exchange, wanted, attempt, ring)

    async def look(self) -> None:
        """Look once at every attempt that is not settled; one that fails costs itself alone."""
        waiting = await self.store.open()
        over = await self._calls.dialled([one.id for one in waiting]) if waiting else {}
        for attempt in waiting:
            try:
                await self._settle(attempt, over.get(attempt.id))
            except CtiError as fault:
                log.warning("attempt_not_settled", attempt=attempt.id, why=str(fault))
        self._missing = {
            one.id: self._missing[one.id] for one in waiting if one.id in self._missing
        }

    def _refusal(self, wanted: Wanted, tally: Tally) -> str | None:
        house = self._house()
        return refusal(wanted, tally, house.dialing, house.card.country, self._clock.now())

    def _check(self, code: str | None) -> None:
        if code:
            raise Refused(code, "this may not be dialled now")

    async def _commit(
        self, wanted: Wanted, planned: Attempt, deadline: int, still: Still | None
    ) -> Attempt:
        house, now = self._house(), self._clock.now()
        local = now.astimezone(house.zone)
        midnight = local.replace(hour=0, minute=0, second=0, microsecond=0)

        def refuse(tally: Tally) -> str | None:
            return self._refusal(wanted, replace(tally, waiting=self._waiting()))

        return await self.store.commit(
            planned, deadline, now, midnight, refuse, house.version, still
        )

    async def _send(
        self, exchange: Exchange, wanted: Wanted, attempt: Attempt, ring: timedelta
    ) -> Attempt:
        try:
            answer = await exchange.act(_originate(self._house(), wanted, attempt, ring), WITHIN)
        except (PbxUnavailable, UnsafeAction) as fault:
            log.warning("dial_not_sent", attempt=attempt.id, why=str(fault))
            return await self._end(attempt, AttemptState.FAILED, Cause.NOT_SENT)
        except ActionUnknown as fault:
            log.warning("dial_unanswered", attempt=attempt.id, why=str(fault))
            return attempt
        if not answer.ok:
            log.warning("dial_refused", attempt=attempt.id, why=answer.message)
            return await self._end(attempt, AttemptState.FAILED, Cause.PBX_REFUSED)
        log.info("dialled", attempt=attempt.id, purpose=attempt.purpose, trunk=attempt.trunk)
        await self.store.move(attempt, AttemptState.SENT, self._clock.now())
        return await self.store.attempt(attempt.id)

    async def _settle(self, attempt: Attempt, call: DialledCall | None) -> None:
        if call is not None:
            state, cause = result(attempt, call, self._house().visits.abandoned.within)
            await self._end(attempt, state, cause, call.call)
            return
        exchange = self._exchanges.get(attempt.pbx)
        if exchange is None or not exchange.current:
            return
        if live := exchange.call_of(attempt.id):
            self._missing.pop(attempt.id, None)
            if attempt.state is not AttemptState.DIALLING:
                now = self._clock.now()
                await self.store.move(attempt, AttemptState.DIALLING, now, call=live)
            return
        await self._search(attempt, exchange)

    async def _search(self, attempt: Attempt, exchange: Exchange) -> None:
        """Find out about an attempt of which no call is seen: the guard knows, once it is late."""
        now = self._clock.now()
        since = self._missing.setdefault(attempt.id, now)
        if not is_past(attempt.deadline or 0, await pbx_clock(exchange)):
            return
        answer = await exchange.act(actions.db_get(FAMILY, attempt.id), WITHIN)
        if not answer.ok and "not found" in answer.message.lower():
            await self._end(attempt, AttemptState.FAILED, Cause.NOT_DIALLED)
        elif not answer.ok:
            await self._end(attempt, AttemptState.UNKNOWN, Cause.NO_GUARD)
        elif now - since >= UNSEEN:
            await self._end(attempt, AttemptState.UNKNOWN, Cause.NOT_SEEN)

    async def _end(
        self, attempt: Attempt, state: AttemptState, cause: str, call: str | None = None
    ) -> Attempt:
        moved = await self.store.move(attempt, state, self._clock.now(), cause=cause, call=call)
        if moved:
            log.info("attempt_over", attempt=attempt.id, state=state.value, cause=cause or None)
        return await self.store.attempt(attempt.id)


async def pbx_clock(exchange: Exchange) -> float:
    """Ask what time it is on the PBX, in seconds. Raises `PbxUnavailable`."""
    with suppress(ValueError, ActionUnknown):
        answer = await exchange.act(actions.ping(), WITHIN)
        return float(answer.headers.first("Timestamp") or "")
    raise PbxUnavailable("the PBX does not tell its time")


def _originate(house: House, wanted: Wanted, attempt: Attempt, ring: timedelta) -> actions.Built:
    given = dict(wanted.variables or {})
    given |= {
        "CTI_ATTEMPT": attempt.id,
        "CTI_DEADLINE": str(attempt.deadline),
        "CTI_TRUNK": attempt.trunk,
        "CTI_RING": str(max(1, int(ring.total_seconds()))),
    }
    first = wanted.route.customer_first
    return actions.originate(
        channel=wanted.route.channel,
        channel_id=attempt.id,
        other_channel_id=f"{attempt.id}-2" if first else None,
        context=wanted.route.context,
        exten=wanted.route.exten,
        ring=ring + AFTER if first else ring,
        caller_id=house.dialing.caller_id or None,
        variables=given,
    )
