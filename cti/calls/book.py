"""Which events are one call, and when is it over? Events in, effects out; no I/O, no clock.

    (nothing) --any sight--> LIVE --last leg gone + 2 s--> OVER
                              | ^
                              '-' every further fact; two calls that prove one are merged

A fact is only gathered here (`cti.calls.facts`); what it means is judged from all of them
(`cti.calls.judge`). So the order of arrival and repetition change nothing, and no event is odd
enough to raise. Over stays over: later facts about it are dropped.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from functools import lru_cache, partial
from typing import Any, Final

from cti.calls.effects import Close, Effect, Merge, Note, Show
from cti.calls.evidence import dump, load
from cti.calls.facts import (
    NEVER,
    Call,
    Dial,
    DialEnd,
    Leg,
    Mark,
    Moment,
    Request,
    Step,
    Visit,
    Word,
    later,
)
from cti.calls.judge import judge
from cti.calls.record import CallId, CallRecord
from cti.house import House
from cti.pbx.events import (
    AgentCalled,
    AgentCompleted,
    AgentConnected,
    AgentRangOut,
    BridgeEntered,
    BridgeLeft,
    ContactChanged,
    DeviceChanged,
    DialBegun,
    DialEnded,
    DialMoved,
    DialRang,
    Event,
    HangupAsked,
    HungUp,
    Joined,
    LegBorn,
    LegNamed,
    LegRang,
    LegSeen,
    LegUp,
    LinkLost,
    LiveLeg,
    MemberChanged,
    Originated,
    Passed,
    PickedUp,
    QueueAbandoned,
    QueueJoined,
    QueueLeft,
    RecordingNamed,
    RecordingStopped,
    Resynced,
    Said,
    ShutDown,
    Sight,
)

SETTLE: Final = timedelta(seconds=2)
"""So long after its last leg a call is judged: siblings and causes come late (9.5)."""
WINDOW: Final = 64
"""In a stream without our own clock, so many events too: it may have been reordered."""
CLOSE_EVERY: Final = 256
"""Look every so many events whether a call may be closed."""
REMEMBERED: Final = 50_000
"""Names of ended calls that are known, so that a late fact opens no phantom."""

_moment: Final = partial(tuple.__new__, Moment)
"""Make a moment of its fields, fast: one is made of every event."""

Trunks = Callable[[str], bool]


def trunk_matcher(patterns: Iterable[str]) -> Trunks:
    """Make the question "do customers come from this device?" of shell patterns.

    A pattern is matched against the channel's name without its suffix.
    """
    wanted = tuple(patterns)

    @lru_cache(maxsize=4096)
    def is_trunk(device: str) -> bool:
        return any(fnmatchcase(device, pattern) for pattern in wanted)

    return is_trunk


class Book:
    """The calls of one PBX.

    `new_id` gives a fresh call id. Ids of channels are compared, never parsed.
    """

    def __init__(
        self, new_id: Callable[[], str], is_trunk: Trunks, house: House, pbx: str = "main"
    ) -> None:
        self.house, self.pbx, self.boot = house, pbx, ""
        self._new_id, self._is_trunk = new_id, is_trunk
        self._calls: dict[CallId, Call] = {}
        self._named: dict[str, Call] = {}
        self._legs: dict[str, Leg] = {}
        self._ended: OrderedDict[str, None] = OrderedDict()
        self._closing: OrderedDict[CallId, int] = OrderedDict()
        self._now: datetime | None = None
        self._seq = 0
        self._born = 0
        self._todo: list[Effect] = []
        # None: it speaks of devices, or of our own dialling, and leaves calls alone.
        self._hear: Mapping[type, Callable[[Any, Moment], None] | None] = {
            LegBorn: self._leg_born,
            LegRang: self._leg_rang,
            LegUp: self._leg_up,
            LegNamed: self._leg_named,
            LegSeen: self._leg_seen,
            DialBegun: self._dial_begun,
            DialRang: self._dial_rang,
            DialMoved: self._dial_moved,
            DialEnded: self._dial_ended,
            QueueJoined: self._queue,
            QueueLeft: self._queue,
            QueueAbandoned: self._queue,
            AgentCalled: self._agent,
            AgentRangOut: self._agent,
            AgentConnected: self._agent,
            AgentCompleted: self._agent,
            BridgeEntered: self._bridge_entered,
            BridgeLeft: self._bridge_left,
            Joined: self._joined,
            PickedUp: self._picked_up,
            RecordingNamed: self._recording,
            RecordingStopped: self._recording_stopped,
            Originated: None,
            Said: self._said,
            HangupAsked: self._hangup_asked,
            HungUp: self._hung_up,
            ShutDown: self._shut_down,
            ContactChanged: None,
            DeviceChanged: None,
            MemberChanged: None,
            Passed: self._passed,
            LinkLost: self._link_lost,
            Resynced: self._resynced,
        }

    def hear(self, event: Event) -> Sequence[Effect]:
        """Take one event; give what must be done now. Never raises on what a PBX may say."""
        self._seq = seq = self._seq + 1
        at = event.at
        hear = self._hear[type(event)]
        if hear is not None:
            hear(event, _moment((NEVER if at is None else at, seq)))
        if at is not None and (self._now is None or at > self._now):
            self._now = at
        if self._closing and not seq % CLOSE_EVERY:
            self._close_due()
        if not (todo := self._todo):
            return ()
        self._todo = []
        return todo

    def _done(self) -> list[Effect]:
        todo, self._todo = self._todo, []
        return todo

    def view(self, call: CallId) -> CallRecord | None:
        """Judge a live call as it stands now; None when it is over or unknown."""
        found = self._calls.get(call)
        return self._judge(found) if found else None

    def live(self) -> list[CallId]:
        """List the calls that are not over, in the order in which they were first seen."""
        return list(self._calls)

    def call_of(self, leg: str) -> CallId | None:
        """Give the live call to which a channel belongs; None when there is none."""
        found = self._named.get(leg)
        return found.id if found else None

    def evidence(self, call: CallId) -> str | None:
        """Write a live call down, for a process that may have to go on with it."""
        found = self._calls.get(call)
        return dump(found, self.boot) if found else None

    def resume(self, texts: Iterable[str]) -> list[Effect]:
        """Go on with calls that another process wrote down; to be asked before any event.

        The time in between was not seen: they are blind until the next `Resynced`.
        """
        for text in texts:
            try:
                call, boot = load(text, self._born + 1)
                unseen = call.open_legs > 0
                call.blind_open |= unseen and self._judge(call).outcome is None
                call.blind |= unseen
            except (ValueError, LookupError, TypeError, AttributeError) as fault:
                self._todo.append(Note(text=f"a stored call could not be read back: {fault!r}"))
                continue
            self.boot = boot
            self._born += 1
            self._calls[call.id] = call
            self._legs |= call.legs
            self._named |= dict.fromkeys(call.names, call)
            if call.quiet:
                self._closing[call.id] = self._seq
        return self._done()

    def settle(self) -> list[Effect]:
        """Close everything: the stream is at its end, and nothing more will be heard."""
        for call in sorted(self._calls.values(), key=lambda call: call.number):
            call.cut = call.open_legs > 0
            self._close(call)
        return self._done()

    def _leg(self, who: Sight, when: Moment) -> Leg | None:
        """Find the leg that was sighted, or open it; None when its call is over."""
        leg = self._legs.get(who.leg)
        if leg is not None:
            if leg.linked != who.linked and who.linked:
                self._same(self._named[who.leg], who.linked)
            if when < leg.first:
                leg.first = when
            if leg.born is None and (leg.told is None or when < leg.told):
                _tell(leg, who, when)
            return leg
        if who.leg in self._ended or not who.leg:
            return None
        return self._new_leg(who, when)

    def _new_leg(self, who: Sight, when: Moment) -> Leg | None:
        linked = who.linked or who.leg
        call = self._named.get(who.leg) or self._named.get(linked)
        if call is None:
            if linked in self._ended:
                self._todo.append(Note(text="a channel came late to a call that is over"))
                return None
            self._born += 1
            call = _new_call(CallId(self._new_id()), self._born)
            self._calls[call.id] = call
        leg = Leg(id=who.leg, channel=who.channel, linked=linked, first=when)
        _tell(leg, who, when)
        self._legs[leg.id] = call.legs[leg.id] = leg
        call.open_legs += 1
        call.quiet = None
        self._closing.pop(call.id, None)
        for name in (who.leg, linked):
            self._name(call, name)
        return leg

    def _name(self, call: Call, name: str) -> None:
        """Make `name` one of the call's, merging with whoever has it."""
        other = self._named.get(name)
        if other is None:
            self._named[name] = call
            call.names.append(name)
        elif other is not call:
            self._merge(other, call)

    def _same(self, call: Call, name: str) -> None:
        if name not in self._ended:
            self._name(call, name)

    def _merge(self, one: Call, two: Call) -> None:
        """Make two calls one; the older id stays (I5)."""
        keep, drop = (one, two) if one.number < two.number else (two, one)
        for name in drop.names:
            self._named[name] = keep
        keep.names += drop.names
        keep.legs.update(drop.legs)
        keep.open_legs += drop.open_legs
        for flag in ("blind", "blind_open", "torn", "inexact", "cut"):
            setattr(keep, flag, getattr(keep, flag) or getattr(drop, flag))
        quiet = [call.quiet for call in (keep, drop) if call.quiet]
        for call in (keep, drop):
            self._closing.pop(call.id, None)
        keep.quiet = max(quiet) if quiet and keep.open_legs == 0 else None
        if keep.quiet:
            self._closing[keep.id] = self._seq
        del self._calls[drop.id]
        self._todo.append(Merge(call=drop.id, into=keep.id))
        self._show(keep)

    def _unite(self, one: Leg | None, two: Leg | None) -> None:
        if one is not None and two is not None:
            first, second = self._named[one.id], self._named[two.id]
            if first is not second:
                self._merge(first, second)

    def _show(self, call: Call) -> None:
        self._todo.append(call.show)

    def _show_leg(self, leg: Leg) -> None:
        self._todo.append(self._named[leg.id].show)

    def _leg_born(self, event: LegBorn, when: Moment) -> None:
        leg = self._leg(event.who, when)
        if leg is None:
            return
        if leg.born is None or when < leg.born:
            leg.born, leg.born_state = when, event.who.state
            leg.told, leg.number, leg.exten = when, event.who.number, event.who.exten
            leg.channel = event.who.channel or leg.channel
        if event.who.name and (leg.named is None or when < leg.named):
            leg.name, leg.named = event.who.name, when
        if not event.exact:
            self._named[leg.id].inexact = True
        self._show_leg(leg)

    def _leg_named(self, event: LegNamed, when: Moment) -> None:
        leg = self._leg(event.who, when)
        if leg is None:
            return
        if event.who.name and (leg.named is None or when < leg.named):
            leg.name, leg.named = event.who.name, when
        if event.who.number and leg.number is None:
            leg.number, leg.numbered = event.who.number, when
        if leg.born_state == 4:
            self._show_leg(leg)

    def _leg_seen(self, event: LegSeen, when: Moment) -> None:
        self._leg(event.who, when)

    def _leg_rang(self, event: LegRang, when: Moment) -> None:
        self._rings(self._leg(event.who, when), when)

    def _rings(self, leg: Leg | None, when: Moment) -> None:
        if leg is not None and (leg.rang is None or when < leg.rang):
            leg.rang = when
            self._show_leg(leg)

    def _leg_up(self, event: LegUp, when: Moment) -> None:
        leg = self._leg(event.who, when)
        if leg is not None and (leg.up is None or when < leg.up):
            leg.up = when
            self._show_leg(leg)

    def _dialling(
        self, caller: Sight | None, dest: Sight, when: Moment
    ) -> tuple[Leg | None, Leg | None]:
        one = self._leg(caller, when) if caller else None
        two = self._leg(dest, when)
        self._unite(one, two)
        return one, two

    def _dial_begun(self, event: DialBegun, when: Moment) -> None:
        caller, dest = self._dialling(event.caller, event.dest, when)
        if dest is None:
            return
        begin = Dial(when, caller.id if caller else None)
        if _is_new(begin, dest.begins):
            dest.begins.append(begin)
            dest.dialled = dest.dialled or event.dialled
            self._show_leg(dest)

    def _dial_rang(self, event: DialRang, when: Moment) -> None:
        _, dest = self._dialling(event.caller, event.dest, when)
        self._rings(dest, when)

    def _dial_moved(self, event: DialMoved, when: Moment) -> None:
        _, dest = self._dialling(event.caller, event.dest, when)
        if dest is not None and (dest.moved is None or when < dest.moved):
            dest.moved = when
            self._show_leg(dest)

    def _dial_ended(self, event: DialEnded, when: Moment) -> None:
        _, dest = self._dialling(event.caller, event.dest, when)
        if dest is None:
            return
        end = DialEnd(when, event.status, event.forward)
        if _is_new(end, dest.ends):
            dest.ends.append(end)
            self._show_leg(dest)

    def _picked_up(self, event: PickedUp, when: Moment) -> None:
        picker, target = self._leg(event.picker, when), self._leg(event.target, when)
        self._unite(picker, target)
        if picker is not None and target is not None:
            target.taken_by.add(picker.id)
            picker.took = when if picker.took is None else min(picker.took, when)
            self._show_leg(target)

    def _queue(self, event: QueueJoined | QueueLeft | QueueAbandoned, when: Moment) -> None:
        leg = self._leg(event.who, when)
        if leg is None:
            return
        visit = Visit(when, event.queue, _VISIT[type(event)])
        if _is_new(visit, leg.visits):
            leg.visits.append(visit)
            self._show_leg(leg)

    def _agent(
        self, event: AgentCalled | AgentRangOut | AgentConnected | AgentCompleted, when: Moment
    ) -> None:
        caller = self._leg(event.who, when)
        dest = self._leg(event.dest, when) if event.dest else None
        self._unite(caller, dest)
        if caller is not None and event.queue not in [visit.queue for visit in caller.visits]:
            caller.visits.append(Visit(when, event.queue, "named"))
        if dest is None:
            return
        reason = event.reason if isinstance(event, AgentCompleted) else ""
        mark = Mark(when, _MARK[type(event)], reason)
        if _is_new(mark, dest.marks):
            dest.marks.append(mark)

    def _bridge_entered(self, event: BridgeEntered, when: Moment) -> None:
        leg = self._leg(event.who, when)
        if leg is not None and _stepped(leg, Step(when, event.bridge, True, event.kind)):
            if event.swapped:
                self._unite(leg, self._legs.get(event.swapped))
            self._show_leg(leg)

    def _bridge_left(self, event: BridgeLeft, when: Moment) -> None:
        leg = self._leg(event.who, when)
        if leg is not None and _stepped(leg, Step(when, event.bridge, False, "")):
            self._show_leg(leg)

    def _joined(self, event: Joined, when: Moment) -> None:
        legs = [leg for who in event.parties if (leg := self._leg(who, when))]
        for leg in legs[1:]:
            self._unite(legs[0], leg)

    def _recording(self, event: RecordingNamed, when: Moment) -> None:
        leg = self._leg(event.who, when)
        if leg is None:
            return
        if all(event.file != name for _, name in leg.files):
            leg.files.append((when, event.file))
        if leg.recorded is None or when > leg.recorded:
            leg.recorded = when
            self._show_leg(leg)

    def _recording_stopped(self, event: RecordingStopped, when: Moment) -> None:
        leg = self._leg(event.who, when)
        if leg is not None and (leg.unrecorded is None or when > leg.unrecorded):
            leg.unrecorded = when
            self._show_leg(leg)

    def _said(self, event: Said, when: Moment) -> None:
        leg = self._leg(event.who, when)
        if leg is None:
            return
        word = Word(when, event.topic, event.word, event.code)
        if _is_new(word, leg.words):
            leg.words.append(word)
            self._show_leg(leg)

    def _hangup_asked(self, event: HangupAsked, when: Moment) -> None:
        leg = self._leg(event.who, when)
        if leg is None:
            return
        request = Request(when, event.cause, event.soft)
        if _is_new(request, leg.requests):
            leg.requests.append(request)

    def _hung_up(self, event: HungUp, when: Moment) -> None:
        leg = self._leg(event.who, when)
        if leg is not None:
            self._leg_gone(leg, when, event.cause)

    def _leg_gone(self, leg: Leg, when: Moment, cause: int | None) -> None:
        if leg.gone is not None:
            leg.gone = min(leg.gone, when)
            return
        leg.gone, leg.cause = when, cause
        call = self._named[leg.id]
        call.open_legs -= 1
        if call.open_legs == 0:
            call.quiet = max(other.gone for other in call.legs.values() if other.gone)
            self._closing[call.id] = self._seq
        self._show(call)

    def _close_due(self) -> None:
        """Close what was quiet for long enough, as far as the stream itself tells the time."""
        while self._closing:
            call_id, seq = next(iter(self._closing.items()))
            call = self._calls[call_id]
            if self._seq - seq < WINDOW or not self._is_due(call):
                return
            self._close(call)

    def _is_due(self, call: Call) -> bool:
        """Tell whether a quiet call may be judged; far from now means that a clock was set."""
        if self._now is None or call.quiet is None or call.quiet.at is None:
            return False
        return abs(self._now - call.quiet.order) >= SETTLE

    def _close(self, call: Call) -> None:
        self._closing.pop(call.id, None)
        del self._calls[call.id]
        for name in call.names:
            self._named.pop(name, None)
            self._ended[name] = None
        for leg in call.legs:
            self._legs.pop(leg, None)
        while len(self._ended) > REMEMBERED:
            self._ended.popitem(last=False)
        self._todo.append(Close(record=self._judge(call, over=True)))

    def _judge(self, call: Call, *, over: bool = False) -> CallRecord:
        return judge(call, self.house, self._is_trunk, pbx=self.pbx, boot=self.boot, over=over)

    def _shut_down(self, event: ShutDown, when: Moment) -> None:
        """Remember that the PBX itself ended what is open, or was until just now."""
        for call in self._calls.values():
            call.torn = True

    def _passed(self, event: Passed, when: Moment) -> None:
        self._now = event.at
        for call_id in tuple(self._closing):
            if self._is_due(call := self._calls[call_id]):
                self._close(call)

    def _link_lost(self, event: LinkLost, when: Moment) -> None:
        for call in self._calls.values():
            if call.open_legs:
                call.blind = True
                call.blind_open = call.blind_open or self._judge(call).outcome is None
                self._show(call)

    def _resynced(self, event: Resynced, when: Moment) -> None:
        """Lay a snapshot over the book (9.8): what it lacks ended unseen, what it adds is new."""
        restarted = bool(self.boot) and bool(event.boot) and event.boot != self.boot
        alive = {live.who.leg for live in event.legs}
        for leg in list(self._legs.values()):
            if leg.gone is None and (restarted or leg.id not in alive):
                leg.lost = True
                self._leg_gone(leg, when, None)
        if restarted:
            self._forget()
        self.boot = event.boot or self.boot
        for live in event.legs:
            self._live_leg(live, when)
        for visit in event.visits:
            leg_ = self._legs.get(visit.leg)
            if leg_ and not any(v.queue == visit.queue for v in leg_.visits):
                leg_.visits.append(Visit(later(when, -visit.waited), visit.queue, "joined"))
                leg_.guessed = True

    def _forget(self) -> None:
        """Close every call of a PBX that was started anew: its ids may come again."""
        for call in list(self._calls.values()):
            self._close(call)
        self._ended.clear()

    def _live_leg(self, live: LiveLeg, when: Moment) -> None:
        known = live.who.leg in self._legs
        leg = self._leg(live.who, when)
        if leg is None:
            return
        if not known:
            leg.guessed = True
        state = live.who.state
        if state == 5 and leg.rang is None:
            leg.rang, leg.guessed = later(when, -live.lasted), True
        if state == 6 and leg.up is None:
            leg.up, leg.noticed, leg.guessed = when, True, True
        inside = _inside(leg)
        for bridge in inside - {live.bridge}:
            leg.steps.append(Step(when, bridge, False, ""))
        if live.bridge and live.bridge not in inside:
            leg.steps.append(Step(when, live.bridge, True, live.kind))
            leg.guessed = True
        self._show_leg(leg)


_VISIT: Final[Mapping[type, str]] = {
    QueueJoined: "joined",
    QueueLeft: "left",
    QueueAbandoned: "abandoned",
}
_MARK: Final[Mapping[type, str]] = {
    AgentCalled: "called",
    AgentRangOut: "rang_out",
    AgentConnected: "connected",
    AgentCompleted: "completed",
}


def _tell(leg: Leg, who: Sight, when: Moment) -> None:
    """Learn number, name and exten of a leg whose birth was not seen, from its first sight."""
    leg.told = when
    leg.number = who.number or leg.number
    leg.exten = who.exten or leg.exten
    if who.name and (leg.named is None or when < leg.named):
        leg.name, leg.named = who.name, when


def _stepped(leg: Leg, step: Step) -> bool:
    """Keep a step in or out of a bridge; tell whether it is a new one."""
    new = _is_new(step, leg.steps)
    if new:
        leg.steps.append(step)
    return new


def _inside(leg: Leg) -> set[str]:
    """Give the bridges in which a leg still is, as far as was seen."""
    inside = set[str]()
    for step in sorted(leg.steps):
        (inside.add if step.entered else inside.discard)(step.bridge)
    return inside


def _is_new(fact: tuple[Any, ...], known: Sequence[tuple[Any, ...]]) -> bool:
    """Tell whether a fact was not heard before: same stamp and content make the same fact."""
    if not known:
        return True
    order, said = fact[0].order, fact[1:]
    return said not in [other[1:] for other in known if other[0].order == order]


def _new_call(call: CallId, number: int) -> Call:
    return Call(id=call, number=number, show=Show(call=call))
