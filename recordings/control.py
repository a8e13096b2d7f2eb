"""Who pauses the recording of a live call, and when does it go on? At the PBX, and written down.

    pause   stored first, then the PBX is asked: what is not recorded has a row, whatever happens
    resume  the PBX is asked first: it is over when the row says so

A pause ends when somebody ends it, when its time is over, when who asked for it leaves the call,
or with the call. One for a customer who refuses to be recorded lasts till the end of the call.
What was open when the program stopped is gone on with. No event is waited for: `look` asks what
stands, and may ask the PBX again, for to mute what is mute changes nothing.
"""

import asyncio
from collections.abc import Callable, Collection, Mapping
from datetime import datetime, timedelta
from typing import Any, Final, Protocol

import structlog

from cti.calls.cards import CardState
from cti.calls.record import CallRecord, RecordedCall
from cti.clock import Clock
from cti.db.schema import new_id
from cti.errors import ActionUnknown, CtiError, PbxUnavailable, Refused
from cti.house import RecordingRules
from cti.pbx import actions
from cti.pbx.session import Answer
from cti.people.rules import Person
from cti.web import wire
from recordings import rules
from recordings.access import holds_or_leads, may_pause
from recordings.record import Consent, Pause, Why
from recordings.store import RecordingStore

log = structlog.get_logger(__name__)

WITHIN: Final = timedelta(seconds=3)
TICK: Final = 0.5
"""Seconds between two looks at what is paused."""
TRIES: Final = 2
"""So often the PBX is asked to mute before nobody can tell whether it did."""
CTI: Final = "cti"


class Exchange(Protocol):
    """The acting session of one PBX (`cti.app.Exchange`)."""

    async def act(self, action: actions.Action, within: timedelta) -> Answer:
        """Ask once; see `Link.act`."""
        ...


class Desk(Protocol):
    """The calls that live now (`cti.calls.desk.Desk`)."""

    def record(self, call: str) -> CallRecord | None:
        """Give a call that lives, or was over a moment ago."""
        ...

    def state(self, person: str, call: str) -> CardState | None:
        """Say how a call stands for one person."""
        ...

    def tell_again(self, call: str) -> None:
        """Let the screens of a call look again."""
        ...


class Calls(Protocol):
    """The calls that are stored (`cti.calls.store.CallStore`)."""

    async def recorded(self, since: datetime, also: Collection[str] = ()) -> list[RecordedCall]:
        """Give the calls first seen at an instant or later, all that live, and `also` these."""
        ...


class Control:
    """Pauses and resumes recordings. `run` is its one task."""

    def __init__(
        self,
        store: RecordingStore,
        *,
        desk: Desk,
        calls: Calls,
        exchanges: Mapping[str, Exchange],
        people: Callable[[str], Person | None],
        house: Callable[[], RecordingRules],
        clock: Clock,
    ) -> None:
        self._store, self._desk, self._calls = store, desk, calls
        self._exchanges, self._people = exchanges, people
        self._house, self._clock = house, clock
        self._open: dict[str, list[Pause]] = {}
        self._consents: dict[str, Consent] = {}
        self._muted: dict[str, set[str]] = {}
        self._turn = asyncio.Lock()
        """Had by who changes what is paused: one deed after the other."""

    async def run(self) -> None:
        """See for ever that what is paused goes on in time."""
        begun = False
        while True:
            try:
                if not begun:
                    await self.begin()
                    begun = True
                await self.look()
            except CtiError as fault:
                log.warning("pauses_not_looked_at", why=str(fault))
            await asyncio.sleep(TICK)

    async def begin(self) -> None:
        """Go on with what was open when the program stopped."""
        for pause in await self._store.open_pauses():
            self._open.setdefault(pause.call, []).append(pause)
        self._consents |= await self._store.consents_of(self._open)

    # -- what a screen shows

    def line(self, record: CallRecord, person: str | None) -> dict[str, Any] | None:
        """Say how a call is recorded (`cti.web.wire.RecordingLine`), and what a person may do.

        None where nothing is recorded and nothing can be.
        """
        pauses, house = self._open.get(record.id, []), self._house()
        state = "paused" if pauses else "on" if record.recorders else "off"
        who = self._people(person) if person else None
        may = self._may(record, who, house) if who else []
        consent = self._consents.get(record.id)
        if state == "off" and not may and consent is None:
            return None
        told = consent.told if consent else rules.told_of_call(record, house)
        last = min(pauses, key=lambda one: one.until is not None, default=None)
        by = self._people(last.person) if last else None
        return {
            "state": state,
            "told": told.value,
            "since": wire.stamp(last.began) if last else None,
            "until": wire.stamp(last.until) if last and last.until else None,
            "why": last.why.value if last else None,
            "by": by.name if by else None,
            "may": may,
        }

    def _may(self, record: CallRecord, person: Person, house: RecordingRules) -> list[str]:
        if not holds_or_leads(person, holds=self._holds(person, record.id)):
            return []
        whys = {one.why for one in self._open.get(record.id, ())}
        may = list[str]()
        if record.recorders and may_pause(person, house):
            may += ["resume"] if Why.ASKED in whys else [] if whys else ["pause"]
        if record.recorders and house.announce:
            may.append("agree" if Why.REFUSED in whys else "refuse")
        if house.one_touch and self._phone_of(record, person):
            if not record.recorders:
                may.append("start")
            elif rules.one_touch_alone(record):
                may.append("stop")
        return may

    def _holds(self, person: Person, call: str) -> bool:
        card = self._desk.state(person.id, call)
        return card is not None and card.state == "talking"

    # -- deeds

    async def do(self, deed: str, call: str, person: Person, address: str = "") -> None:
        """Do one of `pause`, `resume`, `start`, `stop`, `refuse`, `agree`.

        What is done already is done. Raises `Refused`: no_such_call, control_right,
        call_not_recorded, no_one_touch; and where the PBX does not do it control_failed,
        control_away (not sent), control_unsure (it did not answer).
        """
        async with self._turn:
            record = self._desk.record(call)
            if record is None or record.over or not self._may_see(person, call):
                raise Refused("no_such_call", "this call is not on your screen", call=call)
            house = self._house()
            match deed:
                case "pause" | "resume" if not may_pause(person, house):
                    raise Refused("control_right", "the house does not let your role pause")
                case "pause":
                    until = self._clock.now() + house.pause_longest
                    await self._pause(record, person, Why.ASKED, until, address)
                case "resume":
                    await self._resume(record, Why.ASKED, person.id, "", address)
                case "refuse":
                    await self._refused(record, person, address)
                case "agree":
                    await self._agreed(record, person, address)
                case _:
                    await self._touch(record, person, house, deed, address)
        self._desk.tell_again(call)

    def _may_see(self, person: Person, call: str) -> bool:
        return holds_or_leads(person, holds=self._holds(person, call))

    async def _pause(
        self, record: CallRecord, person: Person, why: Why, until: datetime | None, address: str
    ) -> None:
        if any(one.why is why for one in self._open.get(record.id, ())):
            return
        if not record.recorders:
            raise Refused("call_not_recorded", "this call is not being recorded")
        now = self._clock.now()
        made = Pause(
            id=new_id(now),
            call=record.id,
            recording=None,
            began=now,
            ended=None,
            person=person.id,
            why=why,
            until=until,
        )
        await self._store.begin_pause(made, address)
        self._open.setdefault(record.id, []).append(made)
        try:
            await self._mute(record)
        except (CtiError, asyncio.CancelledError):
            await asyncio.shield(self._took_back(record, made))
            raise
        log.info("recording_paused", call=record.id, person=person.id, why=why.value)

    async def _took_back(self, record: CallRecord, made: Pause) -> None:
        """Let a pause be none that the PBX did not make: nobody may rely on it."""
        self._close(made)
        await self._store.end_pause(made, made.began, who=CTI, what="recording_pause_failed")
        if record.id not in self._open:
            try:
                await self._unmute(record)
            except CtiError as fault:
                log.warning("recording_not_resumed", call=record.id, why=str(fault))

    async def _resume(
        self, record: CallRecord, why: Why, who: str, reason: str, address: str = ""
    ) -> None:
        for one in [one for one in self._open.get(record.id, ()) if one.why is why]:
            if len(self._open[record.id]) == 1:
                await self._unmute(record)
            await self._store.end_pause(
                one, self._clock.now(), who=who, reason=reason, address=address
            )
            self._close(one)
            log.info("recording_resumed", call=record.id, person=who, why=reason)

    def _close(self, pause: Pause) -> None:
        left = [one for one in self._open.get(pause.call, ()) if one.id != pause.id]
        if left:
            self._open[pause.call] = left
        else:
            self._open.pop(pause.call, None)

    async def _refused(self, record: CallRecord, person: Person, address: str) -> None:
        """Keep that the customer does not want it; what can be muted is, till the call is over."""
        told = rules.told_of_call(record, self._house())
        self._consents[record.id] = await self._store.refuse(
            record.id, told, who=person.id, at=self._clock.now(), address=address
        )
        if record.recorders:
            await self._pause(record, person, Why.REFUSED, None, address)

    async def _agreed(self, record: CallRecord, person: Person, address: str) -> None:
        await self._resume(record, Why.REFUSED, person.id, "", address)
        consent = await self._store.agree(
            record.id, who=person.id, at=self._clock.now(), address=address
        )
        if consent:
            self._consents[record.id] = consent

    async def _touch(
        self, record: CallRecord, person: Person, house: RecordingRules, deed: str, address: str
    ) -> None:
        """Dial the house's code as if the phone had: the dialplan begins or ends the recording."""
        phone = self._phone_of(record, person)
        if not house.one_touch or phone is None:
            raise Refused("no_one_touch", "the PBX does not offer to record this call by a key")
        wanted = deed == "start"
        if wanted is bool(record.recorders):
            return
        if not wanted and not rules.one_touch_alone(record):
            raise Refused("no_one_touch", "this recording was not begun by a key")
        await self._store.note(
            "recording_started" if wanted else "recording_stopped",
            {f"call:{record.id}": {"code": house.one_touch}},
            who=person.id,
            at=self._clock.now(),
            address=address,
        )
        for digit in house.one_touch:
            await self._ask(record.pbx, actions.play_dtmf(phone, digit))

    def _phone_of(self, record: CallRecord, person: Person) -> str | None:
        """Give the channel of the phone on which a person talks in a call."""
        mine = {one.name for one in person.devices if one.pbx == record.pbx}
        talks = [one for one in record.talks if one.ended_at is None and one.phone.device in mine]
        return talks[-1].phone.channel if talks else None

    # -- the PBX

    async def _mute(self, record: CallRecord) -> None:
        muted = self._muted.setdefault(record.id, set())
        for channel in record.recorders:
            if channel not in muted:
                await self._ask(record.pbx, actions.mix_monitor_mute(channel, on=True))
                muted.add(channel)

    async def _unmute(self, record: CallRecord) -> None:
        """Let everything be recorded again; a channel that is gone needs nothing."""
        for channel in {*record.recorders, *self._muted.get(record.id, ())}:
            try:
                await self._ask(record.pbx, actions.mix_monitor_mute(channel, on=False))
            except Refused:
                if channel in record.recorders:
                    raise
        self._muted.pop(record.id, None)

    async def _ask(self, pbx: str, action: actions.Built) -> None:
        exchange = self._exchanges.get(pbx)
        if exchange is None:
            raise Refused("control_away", "the PBX cannot be reached")
        again = action["Action"] == "MixMonitorMute"  # it changes nothing where it was done
        for left in reversed(range(TRIES if again else 1)):
            try:
                answer = await exchange.act(action, WITHIN)
            except PbxUnavailable as fault:
                raise Refused("control_away", "the PBX cannot be reached") from fault
            except ActionUnknown as fault:
                if not left:
                    raise Refused("control_unsure", "the PBX did not answer") from fault
                continue
            if not answer.ok:
                raise Refused("control_failed", "the PBX refuses this", why=answer.message[:120])
            return

    # -- what goes on by itself

    async def look(self) -> None:
        """Look once at everything that is paused; one that fails costs itself alone."""
        for call in list(self._open):
            async with self._turn:
                try:
                    changed = await self._look(call)
                except Refused as fault:
                    log.warning("recording_not_resumed", call=call, why=str(fault))
                    continue
            if changed:
                self._desk.tell_again(call)

    async def _look(self, call: str) -> bool:
        record, now = self._desk.record(call), self._clock.now()
        if record is None or record.over:
            ended = record.ended_at if record else await self._ended(call)
            if ended is not None:
                await self._end(call, min(ended, now))
            return False
        before = len(self._open.get(call, ()))
        for pause in list(self._open.get(call, ())):
            if pause.until is not None and pause.until <= now:
                await self._resume(record, pause.why, CTI, "longest")
            elif pause.why is Why.ASKED and self._has_left(pause):
                await self._resume(record, pause.why, CTI, "left")
        if call in self._open:
            await self._mute(record)  # what began to be recorded since
        return len(self._open.get(call, ())) != before

    def _has_left(self, pause: Pause) -> bool:
        """Say whether who asked had the call and has it no more; a supervisor never had it."""
        card = self._desk.state(pause.person, pause.call)
        return card is not None and card.state == "ended"

    async def _ended(self, call: str) -> datetime | None:
        """Say when a call ended that no screen knows; None: it may live still."""
        now = self._clock.now()
        found = {one.call: one for one in await self._calls.recorded(now, [call])}.get(call)
        if found is None:  # it was another call all along
            return now
        return (found.ended or now) if found.over else None

    async def _end(self, call: str, at: datetime) -> None:
        for pause in self._open.get(call, []):
            await self._store.end_pause(pause, max(at, pause.began), who=CTI, reason="call_over")
        self._open.pop(call, None)
        self._muted.pop(call, None)
        self._consents.pop(call, None)
