"""Tell a call in words, hear what the book makes of it.

The cast: May (6001) and Bo (6002) are agents, Lin (6003) supervises and has a phone too, Chen
is a stranger who may see nothing; Wang is the customer who calls over the trunk. A channel is
called by its device; `PJSIP/6001#desk` is another channel of the device `PJSIP/6001`.
"""

import itertools
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Self

from cti.calls.book import Book
from cti.calls.effects import Close, Effect, Merge, Note, Show
from cti.calls.record import CallId, CallRecord, OfferRecord
from cti.house import House
from cti.pbx.events import (
    AgentCalled,
    AgentCompleted,
    AgentConnected,
    AgentRangOut,
    BridgeEntered,
    BridgeLeft,
    DialBegun,
    DialEnded,
    DialMoved,
    DialRang,
    Event,
    HangupAsked,
    HungUp,
    Joined,
    LegBorn,
    LegId,
    LegNamed,
    LegRang,
    LegUp,
    LinkLost,
    LiveLeg,
    LiveVisit,
    Originated,
    Passed,
    PickedUp,
    QueueAbandoned,
    QueueJoined,
    QueueLeft,
    RecordingNamed,
    Resynced,
    Said,
    ShutDown,
    Sight,
)
from tests.kit.tapes import HOUSE, TRUNKS, new_book

MAY, BO, LIN, CHEN = "PJSIP/6001", "PJSIP/6002", "PJSIP/6003", "PJSIP/6009"
WANG, MOBILE, WU = "PJSIP/trunk", "PJSIP/trunk-mobile", "PJSIP/trunk-b"
NUMBER = "13800138000"
NINE = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
"""Monday, nine in Shanghai."""
SUPPORT, SALES = "support", "sales"


def at(second: float) -> datetime:
    """The instant so many seconds into the story."""
    return NINE + timedelta(seconds=second)


class Story:
    """Hears what is told, second by second, and asks the book about it.

    `stamped` false: a PBX without `timestampevents`, whose events have no time at all.
    """

    def __init__(
        self,
        house: House = HOUSE,
        trunks: Sequence[str] = TRUNKS,
        *,
        book: Book | None = None,
        stamped: bool = True,
    ) -> None:
        self.book = book or new_book(house, trunks)
        self.heard: list[Event] = []
        self.done: list[Effect] = []
        self.records: list[CallRecord] = []
        self._stamped = stamped
        self._legs: dict[str, Sight] = {}
        self._inside: dict[str, str] = {}
        self._dialled_by: dict[str, str] = {}
        self._count, self._rooms = itertools.count(1), itertools.count(1)

    def hears(self, *events: Event) -> Self:
        """Hear events as they are."""
        for event in events:
            self.heard.append(event)
            self._do(self.book.hear(event))
        return self

    def _do(self, effects: Sequence[Effect]) -> None:
        self.done += effects
        self.records += [effect.record for effect in effects if isinstance(effect, Close)]

    def _told(self, what: type[Any], second: float, /, **facts: Any) -> Self:
        return self.hears(what(at=at(second) if self._stamped else None, **facts))

    def sight(self, who: str) -> Sight:
        """The latest channel of a device."""
        return self._legs[who]

    def _open(self, who: str, linked: str | None, **facts: Any) -> Sight:
        n = next(self._count)
        leg = LegId(facts.pop("leg", None) or f"1772413200.{n}")
        channel = facts.pop("channel", None) or f"{who.partition('#')[0]}-{n:08x}"
        self._legs[who] = Sight(leg, linked or leg, channel, **facts)
        return self._legs[who]

    def born(
        self, second: float, who: str, state: int, linked: str | None = None, **facts: Any
    ) -> Self:
        """A channel begins: 4, its far end asked; 0, it is dialled."""
        sight = self._open(who, linked, state=state, **facts)
        return self._told(LegBorn, second, who=sight)

    def calls(
        self,
        second: float,
        who: str = WANG,
        to: str = "4001",
        number: str | None = NUMBER,
        name: str | None = None,
    ) -> Self:
        """Somebody calls in: a customer on a trunk, or a colleague from his phone."""
        return self.born(second, who, 4, number=number, name=name, exten=to)

    def named(
        self, second: float, who: str, name: str | None = None, number: str | None = None
    ) -> Self:
        """A channel gets another caller id."""
        return self._told(
            LegNamed, second, who=self.sight(who)._replace(name=name, number=number, state=4)
        )

    def asks(self, second: float, caller: str | None, *phones: str, to: str = "") -> Self:
        """Phones are dialled: by a caller, or by nobody's call (an Originate)."""
        for phone in phones:
            linked = self.sight(caller).linked if caller else None
            self.born(second, phone, 0, linked)
            self.dials(second, caller, phone, to=to)
        return self

    def dials(self, second: float, caller: str | None, phone: str, to: str = "") -> Self:
        """A channel that is there is dialled (again)."""
        self._dialled_by[phone] = caller or ""
        return self._told(
            DialBegun,
            second,
            caller=self.sight(caller) if caller else None,
            dest=self.sight(phone),
            dialled=to or phone.partition("/")[2],
        )

    def local(self, second: float, caller: str | None, name: str) -> Self:
        """A Local channel is dialled: its halves are `name;1` (dialled) and `name;2` (dials on)."""
        linked = self.sight(caller).linked if caller else None
        channel = f"Local/{name}@agents-{next(self._count):08x}"
        self.born(second, f"{name};1", 0, linked, channel=f"{channel};1")
        linked = self.sight(f"{name};1").linked
        self.born(second, f"{name};2", 4, linked, channel=f"{channel};2", exten=name)
        self._told(Joined, second, parties=(self.sight(f"{name};1"), self.sight(f"{name};2")))
        return self.dials(second, caller, f"{name};1")

    def rang(self, second: float, *phones: str) -> Self:
        """Phones alert."""
        for phone in phones:
            self._told(LegRang, second, who=self.sight(phone)._replace(state=5))
        return self

    def dial_rang(self, second: float, phone: str) -> Self:
        """The dialling channel hears that a phone alerts."""
        return self._told(DialRang, second, caller=self._caller_of(phone), dest=self.sight(phone))

    def moved(self, second: float, phone: str) -> Self:
        """A far end sends early media."""
        return self._told(DialMoved, second, caller=self._caller_of(phone), dest=self.sight(phone))

    def up(self, second: float, who: str) -> Self:
        """A channel is answered."""
        return self._told(LegUp, second, who=self.sight(who)._replace(state=6))

    def ended(self, second: float, phone: str, status: str, forward: str | None = None) -> Self:
        """Dialling a phone comes to an end."""
        return self._told(
            DialEnded,
            second,
            caller=self._caller_of(phone),
            dest=self.sight(phone),
            status=status,
            forward=forward,
        )

    def _caller_of(self, phone: str) -> Sight | None:
        return self._legs.get(self._dialled_by.get(phone, ""))

    def picked_up(self, second: float, phone: str) -> Self:
        """A dialled phone is picked up; nobody is connected yet."""
        return self.up(second, phone).ended(second, phone, "ANSWER")

    def answered(self, second: float, phone: str, caller: str = WANG) -> Self:
        """A dialled phone is picked up and connected with its caller."""
        return self.picked_up(second, phone).talk(second, caller, phone)

    def talk(
        self, second: float, *who: str, bridge: str | None = None, kind: str = "basic"
    ) -> Self:
        """Channels enter one bridge, leaving the one in which they were."""
        bridge = bridge or f"bridge-{next(self._rooms)}"
        for one in who:
            self.parts(second, one)
            self._inside[one] = bridge
            self._told(BridgeEntered, second, who=self.sight(one), bridge=bridge, kind=kind)
        return self

    def swapped(self, second: float, new: str, old: str) -> Self:
        """A channel takes another's place in its bridge."""
        bridge = self._inside.pop(old)
        self._inside[new] = bridge
        swapped = self.sight(old).leg
        self._told(BridgeEntered, second, who=self.sight(new), bridge=bridge, swapped=swapped)
        return self._told(BridgeLeft, second, who=self.sight(old), bridge=bridge)

    def parts(self, second: float, *who: str) -> Self:
        """Channels leave their bridge, if they are in one."""
        for one in who:
            if bridge := self._inside.pop(one, None):
                self._told(BridgeLeft, second, who=self.sight(one), bridge=bridge)
        return self

    def joins(self, second: float, queue: str = SUPPORT, who: str = WANG) -> Self:
        """A caller enters a queue."""
        return self._told(QueueJoined, second, who=self.sight(who), queue=queue)

    def leaves(self, second: float, queue: str = SUPPORT, who: str = WANG) -> Self:
        """A caller's visit to a queue is over."""
        return self._told(QueueLeft, second, who=self.sight(who), queue=queue)

    def abandons(self, second: float, queue: str = SUPPORT, who: str = WANG) -> Self:
        """A visit ends without an agent."""
        self._told(QueueAbandoned, second, who=self.sight(who), queue=queue)
        return self.leaves(second, queue, who)

    def agent(self, second: float, what: type[Any], phone: str, **facts: Any) -> Self:
        """A queue speaks of a member's phone."""
        assert what in (AgentCalled, AgentRangOut, AgentConnected, AgentCompleted)
        return self._told(
            what,
            second,
            who=self.sight(facts.pop("who", WANG)),
            dest=self.sight(phone),
            queue=facts.pop("queue", SUPPORT),
            interface=phone,
            **facts,
        )

    def rang_out(self, second: float, phone: str) -> Self:
        """A queue gives a member up; the phone is let go."""
        self.agent(second, AgentRangOut, phone)
        return self.ended(second, phone, "NOANSWER").gone(second, phone, 0)

    def hangs_up(self, second: float, who: str, cause: int | None = 16) -> Self:
        """A far end hangs up; the channel is not gone yet."""
        return self._told(HangupAsked, second, who=self.sight(who), cause=cause, soft=False)

    def torn_down(self, second: float, who: str) -> Self:
        """The PBX, or an action of ours, takes a channel down."""
        return self._told(HangupAsked, second, who=self.sight(who), cause=None, soft=True)

    def gone(self, second: float, who: str, cause: int | None = 16) -> Self:
        """A channel is no more."""
        self.parts(second, who)
        return self._told(HungUp, second, who=self.sight(who), cause=cause)

    def leaves_for_good(self, second: float, who: str = WANG, cause: int | None = 16) -> Self:
        """A far end hangs up, and its channel is gone."""
        return self.hangs_up(second, who, cause).gone(second, who, cause)

    def cancelled(self, second: float, *phones: str, cause: int | None = 26) -> Self:
        """Phones that rang are let go."""
        for phone in phones:
            self.ended(second, phone, "CANCEL").gone(second, phone, cause)
        return self

    def joined(self, second: float, *who: str) -> Self:
        """A transfer, or a retrieval from parking, says that channels belong together."""
        return self._told(Joined, second, parties=tuple(self.sight(one) for one in who))

    def picks_up(self, second: float, picker: str, target: str) -> Self:
        """A colleague takes the call that rings at another's phone."""
        return self._told(PickedUp, second, picker=self.sight(picker), target=self.sight(target))

    def recorded(self, second: float, who: str, file: str) -> Self:
        """A channel is recorded to a file."""
        return self._told(RecordingNamed, second, who=self.sight(who), file=file)

    def originated(self, second: float, who: str, *, ok: bool = True, reason: int = 4) -> Self:
        """Our own dialling says what became of its first leg."""
        leg = self.sight(who).leg
        return self._told(Originated, second, leg=leg, action="cti-1", ok=ok, reason=reason)

    def said(self, second: float, who: str, topic: str, word: str, code: str = "") -> Self:
        """Our part of the dialplan speaks on a channel."""
        return self._told(Said, second, who=self.sight(who), topic=topic, word=word, code=code)

    def shuts_down(self, second: float) -> Self:
        """The PBX stops."""
        return self._told(ShutDown, second)

    def link_lost(self, second: float) -> Self:
        """The PBX is not heard from here on."""
        return self.hears(LinkLost(at=at(second)))

    def resynced(
        self, second: float, *live: LiveLeg, boot: str = "boot-1", waits: Sequence[LiveVisit] = ()
    ) -> Self:
        """The PBX is heard again, and says what lives now."""
        return self.hears(Resynced(at=at(second), boot=boot, legs=tuple(live), visits=tuple(waits)))

    def passed(self, second: float) -> Self:
        """Time goes by."""
        return self.hears(Passed(at=at(second)))

    def alive(
        self, who: str, state: int = 6, lasted: float = 10, *, bridged: bool = True
    ) -> LiveLeg:
        """A channel as a snapshot shows it."""
        bridge = self._inside.get(who) if bridged else None
        return LiveLeg(
            who=self.sight(who)._replace(state=state),
            lasted=timedelta(seconds=lasted),
            bridge=bridge,
        )

    def unseen(self, who: str, linked: str | None = None, **facts: Any) -> Self:
        """A channel begins while nobody listens."""
        self._open(who, linked, **facts)
        return self

    def unseen_talk(self, *who: str) -> Self:
        """Channels enter one bridge while nobody listens."""
        bridge = f"bridge-{next(self._rooms)}"
        for one in who:
            self._inside[one] = bridge
        return self

    def does(self, *expected: type[Effect]) -> Self:
        """Assert on the kinds of what was done since the last `does`, hints to look left out."""
        done, self.done = self.done, []

        assert [type(effect) for effect in done if not isinstance(effect, Show)] == list(expected)
        return self

    def notes(self) -> list[str]:
        """What was noted since the last `does`."""
        return [effect.text for effect in self.done if isinstance(effect, Note)]

    def merges(self) -> list[tuple[CallId, CallId]]:
        """Which calls turned out to be which, since the last `does`."""
        return [(e.call, e.into) for e in self.done if isinstance(e, Merge)]

    def now(self) -> CallRecord:
        """The one live call as it stands."""
        [call] = self.book.live()
        record = self.book.view(call)
        assert record is not None
        return record

    def live(self) -> list[CallRecord]:
        """Every live call as it stands."""
        return [record for call in self.book.live() if (record := self.book.view(call))]

    def over(self) -> CallRecord:
        """The one call, once nothing more is heard."""
        [record] = self.all_over()
        return record

    def all_over(self) -> list[CallRecord]:
        """Every call, once nothing more is heard, in the order in which they began."""
        self._do(self.book.settle())
        return sorted(
            self.records,
            key=lambda r: (r.began is not None, r.began or r.seen_at or NINE, r.channel),
        )


def offers_of(record: CallRecord) -> list[tuple[str, int | None, str | None]]:
    """Who was asked, how long the phone rang and what became of it."""
    return [(o.phone.agent, o.ring_ms, o.outcome and o.outcome.value) for o in record.offers]


def outcome_of(record: CallRecord, agent: str = "6001") -> str | None:
    """What became of the last offer to an agent."""
    [*_, offer] = [offer for offer in record.offers if offer.phone.agent == agent]
    return offer.outcome.value if offer.outcome else None


def offer_to(record: CallRecord, agent: str = "6001") -> OfferRecord:
    """The only offer to an agent."""
    [offer] = [offer for offer in record.offers if offer.phone.agent == agent]
    return offer


def verdict(record: CallRecord) -> str:
    """`answered by 6001`, or why nobody did."""
    if record.outcome == "answered":
        return f"answered by {record.answered_by.agent if record.answered_by else '?'}"
    return record.reason.value if record.reason else "missed"


def plain(record: CallRecord) -> CallRecord:
    """A record without our own id and without the order in which its channels came."""
    return replace(record, id=CallId(""), legs=tuple(sorted(record.legs)))
