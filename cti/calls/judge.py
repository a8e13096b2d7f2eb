"""What is a call, by all that was seen of it? Judged from the set of facts, never step by step.

The order in which facts arrived changes nothing, so a PBX may reorder and repeat. Rules by
their names: I identity, R rings, the table of offers and the table of reasons are those of the
call model (docs/calls.md).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from cti.calls.connect import alone, talks_of
from cti.calls.facts import Call, DialEnd, Leg, Moment, earlier, later
from cti.calls.record import (
    CallRecord,
    Direction,
    EndedBy,
    OfferOutcome,
    OfferRecord,
    Outcome,
    Phone,
    Reason,
    SaidRecord,
    State,
    TalkRecord,
    VisitRecord,
)
from cti.house import House

NETWORK_CAUSES: Final = frozenset({38, 41, 42, 47})
"""Q.850 causes by which the network, not a person, tears a call down."""
GONE_CAUSES: Final = frozenset({3, 18, 20, 27, 34})
_TOGETHER: Final = timedelta(seconds=2)
"""Two facts of one cause lie this close: a cancel and the hang-up behind it."""
_JITTER: Final = timedelta(milliseconds=5)
"""The PBX's stamps are not strictly rising."""
_SECOND: Final = timedelta(seconds=1)
_MILLISECOND: Final = timedelta(milliseconds=1)
_NO_TIME: Final = timedelta()


@dataclass(slots=True)
class Offer:
    """One dialled phone while it is judged."""

    leg: Leg
    began: Moment
    end: DialEnd | None
    rang: Moment | None
    picked: Moment | None
    closed: Moment | None
    """When it stopped to be asked: dial end or hang-up."""
    silent: Moment | None
    """When its ringing stopped: picked up or closed; None too if that was not seen."""


def judge(
    call: Call,
    house: House,
    is_trunk: Callable[[str], bool],
    *,
    pbx: str = "",
    boot: str = "",
    over: bool = False,
) -> CallRecord:
    """Say what a call is, as far as it was seen.

    `is_trunk` tells of a device name whether customers come from there. The call may still
    live: then outcome, reason and ends are None as long as they are open. `pbx`, `boot` and
    `over` go into the record as they are.
    """
    return _Case(call, house, is_trunk).record(pbx, boot, over)


class _Case:
    """One call being judged: each question is asked once and its answer kept."""

    def __init__(self, call: Call, house: House, is_trunk: Callable[[str], bool]) -> None:
        self.call, self.house, self.is_trunk = call, house, is_trunk
        self._phones: dict[str, Phone] = {}
        self.legs = sorted(call.legs.values(), key=lambda leg: leg.born or leg.first)
        phones = [leg for leg in self.legs if not leg.local]
        self.over = call.open_legs == 0 or call.cut
        self.leaves = [offer for leg in phones if (offer := self._offer(leg))]
        if len(self.leaves) > 1:
            self.leaves.sort(key=lambda offer: offer.began)
        self.asked = {offer.leg.id for offer in self.leaves}
        self.first = self._who_began(phones) or self.legs[0]
        self.direction = self._direction(phones)
        self.offers = [
            o for o in self.leaves if o.leg is not self.first and not self._originated(o.leg)
        ]
        self.customers = self._customers(phones)
        self.talks = talks_of(self.customers, self.legs)
        self.connected = False
        self.answered = self._answered_leg()
        self.connected |= self.answered is not None or bool(self.talks)
        self.told = [visit for leg in self.legs for visit in leg.visits]
        self.visits = self._visits()

    def _who_began(self, phones: Sequence[Leg]) -> Leg | None:
        """Find the leg that began the call: the oldest (I6), or by its own Linkedid (I7)."""

        def age(leg: Leg) -> tuple[bool, bool, bool, Moment]:
            unseen = leg.born is None
            return (
                leg.id != leg.linked and (unseen or leg.id in self.asked),
                not unseen,
                unseen and not self.is_trunk(leg.device),
                leg.born or leg.first,
            )

        return min(phones, key=age, default=None)

    def _direction(self, phones: Sequence[Leg]) -> Direction:
        first, asked = self.first, self.asked
        if self.is_trunk(first.device) and (
            first.born_state == 4 or (first.born_state is None and first.id not in asked)
        ):
            return Direction.INBOUND
        towards = any(
            self.is_trunk(leg.device) and (leg.id in asked or leg.born_state == 0) for leg in phones
        )
        return Direction.OUTBOUND if towards else Direction.INTERNAL

    def _customers(self, phones: Sequence[Leg]) -> list[Leg]:
        if self.direction is Direction.OUTBOUND:
            return [
                leg
                for leg in phones
                if self.is_trunk(leg.device) and (leg.begins or leg.born_state == 0)
            ] or [self.first]
        return [self.first]

    def _originated(self, leg: Leg) -> bool:
        """Tell whether nobody's call dialled this leg: the first leg of an Originate (R7)."""
        if not leg.begins:
            return False
        dialler = min(leg.begins).caller
        if dialler is None:
            return True
        caller = self.call.legs.get(dialler)
        if caller is None or not caller.channel.endswith(";2"):
            return False
        half = self._half(caller)
        return half is not None and bool(half.begins) and min(half.begins).caller is None

    def _half(self, leg: Leg) -> Leg | None:
        name = leg.other_half
        return next((other for other in self.legs if other.channel == name), None)

    def phone(self, leg: Leg) -> Phone:
        """Name a leg's phone; on a trunk by the number dialled."""
        known = self._phones.get(leg.id)
        if known is None:
            known = self._phones[leg.id] = self._phone(leg)
        return known

    def _phone(self, leg: Leg) -> Phone:
        device = leg.device
        agent = device.partition("/")[2] or device
        if self.is_trunk(device):
            agent = self._number_towards(leg) or agent
        return Phone(agent=agent, device=device, channel=leg.channel, leg=leg.id)

    def _number_towards(self, leg: Leg) -> str | None:
        dialled = (leg.dialled or "").rpartition("/")[2].partition("@")[0]
        return dialled or leg.number

    def _offer(self, leg: Leg) -> Offer | None:
        """Take a leg as a dialled phone, if it is one (R1, R2)."""
        # A phone that a snapshot found ringing is asked by somebody, whoever began to.
        told = leg.linked != leg.id and (leg.born_state == 0 or (leg.rang and leg.born is None))
        if not (leg.begins or leg.ends or leg.marks or leg.took or told):
            return None
        # A phone that was told of by another leg has begun no later than it was first seen.
        begins = [dial.when for dial in leg.begins] or [leg.born or leg.rang or leg.first]
        began = min(begins)
        end, answer = _ends(leg, max(begins))
        # Who picks up a colleague's call is up before: his own phone dialled the code.
        picked = earlier(leg.took if leg.born_state == 4 else leg.up, answer and answer.when)
        ended = end and end.when
        closed = earlier(ended, leg.gone)
        rang = leg.rang or (began if leg.moved else None)
        silent = None if leg.noticed else earlier(picked, ended if leg.lost else closed)
        return Offer(leg, began, end, rang, picked, closed, silent)

    def _offer_record(self, offer: Offer) -> OfferRecord:
        talked = self._talked(offer.leg)
        return OfferRecord(
            phone=self.phone(offer.leg),
            began=offer.began.at if offer.leg.begins or offer.leg.born else None,
            rang=offer.rang is not None,
            rang_at=offer.rang.at if offer.rang else None,
            picked_at=offer.picked.at if offer.picked else None,
            ended=offer.closed is not None or self.over,
            ended_at=offer.closed.at if offer.closed else None,
            ring_ms=_ms(offer.rang, offer.silent),
            outcome=OfferOutcome.ANSWERED if talked else self._outcome(offer),
        )

    def _talked(self, leg: Leg) -> bool:
        return leg is self.answered or any(leg in (talk.leg, talk.customer) for talk in self.talks)

    def _outcome(self, offer: Offer) -> OfferOutcome | None:
        """Judge an offer that was not connected: the first line of the table that fits."""
        leg, status = offer.leg, offer.end.status if offer.end else ""
        if offer.closed is None and not self.over:
            return None
        own = [r.cause for r in leg.requests if not r.soft]
        if leg.taken_by or self._taken_by_picker(offer):
            return OfferOutcome.PICKED_UP_BY_OTHER
        if offer.end and offer.end.forward:
            return OfferOutcome.FORWARDED
        if self._elsewhere(offer):
            return OfferOutcome.ANSWERED_ELSEWHERE
        cancelled = status in ("CANCEL", "ABORT", "")
        if not cancelled or own:
            refused = self._refused(offer, status, own)
            if refused:
                return refused
        if cancelled and self._caller_left(offer):
            return OfferOutcome.CALLER_GAVE_UP
        if leg.lost or offer.closed is None:
            return OfferOutcome.UNKNOWN
        if offer.picked is None and any(r.soft for r in leg.requests):
            return OfferOutcome.WITHDRAWN
        rang_out = any(m.kind == "rang_out" for m in leg.marks)
        if offer.rang and (status == "NOANSWER" or rang_out):
            return OfferOutcome.RANG_OUT
        if cancelled and offer.end:
            return OfferOutcome.WITHDRAWN
        if not offer.rang and (status in ("CHANUNAVAIL", "CONGESTION", "NOANSWER") or rang_out):
            return OfferOutcome.UNREACHABLE
        if not offer.rang and leg.cause in GONE_CAUSES:
            return OfferOutcome.UNREACHABLE
        return OfferOutcome.WITHDRAWN if status in ("GOTO", "CONTINUE") else OfferOutcome.UNKNOWN

    def _refused(self, offer: Offer, status: str, own: Sequence[int | None]) -> OfferOutcome | None:
        if status == "CANCEL" and offer.rang:
            return None  # the cause on it is not the phone's
        if 21 in own or (status and offer.leg.cause == 21):
            return OfferOutcome.REJECTED
        if status == "BUSY" or 17 in own:
            return OfferOutcome.REJECTED if offer.rang else OfferOutcome.BUSY
        return None

    def _taken_by_picker(self, offer: Offer) -> bool:
        """See a pickup whose event was lost: cancelled, and its caller dials one who rang in."""
        if not (offer.end and offer.end.status == "CANCEL"):
            return False
        callers = {dial.caller for dial in offer.leg.begins} - {None}
        return any(
            leg.born_state == 4
            and dial.caller in callers
            and _near(dial.when, offer.end.when, _SECOND)
            for leg in self.legs
            for dial in leg.begins
        )

    def _elsewhere(self, offer: Offer) -> bool:
        """Tell whether another phone of the call was picked up while this one was asked."""
        end = offer.closed
        for other in self.offers:
            if other is offer or other.picked is None:
                continue
            # While the call lives, who has picked up and not hung up is about to be connected.
            if not self._talked(other.leg) and (self.over or other.closed):
                continue
            after = later(other.picked, _JITTER) >= offer.began
            if after and (end is None or other.picked <= later(end, _JITTER)):
                return True
        return False

    def _caller_left(self, offer: Offer) -> bool:
        """Tell whether the one who waited left as this offer ended (in either order)."""
        if self.direction is Direction.INBOUND:
            left = self._customer_left()
        else:
            left = min([r.when for r in self.first.requests if not r.soft], default=None)
        return left is not None and (offer.closed is None or _near(left, offer.closed, _TOGETHER))

    def _customer_left(self) -> Moment | None:
        """When an inbound customer went by himself; a leg torn down by the PBX did not."""
        asked = [r.when for r in self.first.requests if not r.soft]
        if asked:
            return min(asked)
        if self.first.lost or any(r.soft for r in self.first.requests):
            return None
        return self.first.gone

    def _answered_leg(self) -> Leg | None:
        """Find whose phone was first connected with the customer."""
        if not self.talks:
            return self._answered_by_mark() or self._answered_alone()
        return min(self.talks, key=lambda talk: (talk.began or talk.seen, talk.seen)).leg

    def _answered_by_mark(self) -> Leg | None:
        """Fall back, for a call seen in part, on a queue's word that a member was connected."""
        for kind in ("connected", "completed"):
            for leg in self.legs:
                if not any(mark.kind == kind for mark in leg.marks):
                    continue
                if not leg.local:
                    return leg
                behind = self._behind(leg)
                if behind:
                    return behind
        return None

    def _answered_alone(self) -> Leg | None:
        """Fall back, once all is over, on one side of a talk whose other side was not seen."""
        found = [talk.leg for talk in alone(self.legs)] if self.over else []
        person = next((leg for leg in found if leg not in self.customers), None)
        if person is None and found:
            self.connected = True
            picked = [offer for offer in self.offers if offer.picked]
            person = min(picked, key=lambda o: o.picked or o.began).leg if picked else None
        return person

    def _behind(self, half: Leg) -> Leg | None:
        other = self._half(half)
        return next(
            (
                offer.leg
                for offer in self.offers
                if other and offer.picked and any(d.caller == other.id for d in offer.leg.begins)
            ),
            None,
        )

    def record(self, pbx: str, boot: str, over: bool) -> CallRecord:
        """Put the answers together."""
        offers = tuple([self._offer_record(offer) for offer in self.offers])
        answered = self.connected
        picked = self._picked()
        noticed = True in [leg.noticed for leg in self._takers()]
        rang, silent = self._ringing(picked)
        ring_ms = None if noticed else _ms(rang, silent)
        wait_from, wait_to = self._waiting(picked)
        reason = None if answered or not self.over else self._reason(offers, ring_ms)
        rules = self.house.ring
        return CallRecord(
            id=self.call.id,
            pbx=pbx,
            boot=boot,
            direction=self.direction,
            state=self._state(offers),
            caller=self._caller(),
            caller_name=self.first.name if self.direction is Direction.INBOUND else None,
            dialled=self._dialled(),
            channel=self.first.channel,
            began=self.first.born.at if self.first.born else None,
            seen_at=self.legs[0].first.at,
            ended_at=self._ended_at(),
            outcome=Outcome.ANSWERED if answered else Outcome.MISSED if self.over else None,
            reason=reason,
            answered_by=self.phone(self.answered) if self.answered else None,
            answered_at=picked.at if picked and answered else None,
            rang_at=rang.at if rang else None,
            waiting_since=wait_from.at if wait_from else None,
            rings=None if ring_ms is None else rules.rings(timedelta(milliseconds=ring_ms)),
            ring_ms=ring_ms,
            wait_ms=None if noticed else _ms(wait_from, wait_to),
            talk_ms=self._talk_ms(),
            ended_by=self._ended_by(),
            offers=offers,
            visits=tuple(self.visits),
            talks=self._talk_records(),
            queues=self._queues(),
            recordings=self._files(),
            recorders=tuple(leg.channel for leg in self.legs if leg.is_recorded),
            legs=tuple([(leg.id, leg.channel) for leg in self.legs]),
            approximate=self._approximate(),
            over=over,
            far=self._far(),
            said=self._said(),
        )

    def _ended_at(self) -> datetime | None:
        gone = [leg.gone for leg in self.legs if leg.gone] if self.over else ()
        return max(gone).at if gone else None

    def _said(self) -> tuple[SaidRecord, ...]:
        words = [word for leg in self.legs for word in leg.words]
        return tuple(
            [
                SaidRecord(topic=word.topic, word=word.word, code=word.code, at=word.when.at)
                for word in sorted(words)
            ]
        )

    def _far(self) -> OfferRecord | None:
        """Tell of the customer's phone in an outbound call, also where it is no offer (R7)."""
        if self.direction is not Direction.OUTBOUND:
            return None
        mine = self._mine()
        return self._offer_record(mine[-1]) if mine else None

    def _state(self, offers: Sequence[OfferRecord]) -> State:
        if self.over:
            return State.ENDED
        if any(talk.ended is None for talk in self.talks):
            return State.TALKING
        if any(
            o.rang and not o.ended and o.picked_at is None and o.outcome is None for o in offers
        ):
            return State.RINGING
        if any(v.left_at is None for v in self.visits) or any(not o.ended for o in offers):
            return State.WAITING
        return State.TALKING if self.answered else State.MENU

    def _caller(self) -> str | None:
        if self.direction is Direction.INBOUND:
            return None if self._renumbered() else self.first.number
        if self.is_trunk(self.first.device):
            return None
        return self.first.device.partition("/")[2]

    def _renumbered(self) -> bool:
        """Tell whether the caller's number came when others were asked already: it is not his."""
        first, came = self.first, self.first.numbered
        if came is None:
            return False
        asked = [dial.when for leg in self.legs for dial in leg.begins if dial.caller == first.id]
        asked += [visit.when for visit in first.visits]
        return any(when < came for when in asked)

    def _dialled(self) -> str | None:
        if self.direction is Direction.INBOUND:
            return self.first.exten
        if self.direction is Direction.OUTBOUND:
            return next((n for leg in self.customers if (n := self._number_towards(leg))), None)
        begins = [
            (dial.when, caller)
            for leg in self.legs
            for dial in leg.begins
            if dial.caller and (caller := self.call.legs.get(dial.caller))
        ]
        if begins:
            return min(begins)[1].exten
        return None if self.first.born_state == 0 else self.first.exten

    def _mine(self) -> list[Offer]:
        """The phones whose ringing is the call's: the customer's if outbound, else those asked."""
        if self.direction is Direction.OUTBOUND:
            return [offer for offer in self.leaves if offer.leg in self.customers]
        return self.offers

    def _takers(self) -> Sequence[Leg]:
        """The legs by whose pick-up the call was taken."""
        if self.answered is None:
            return ()
        return self.customers if self.direction is Direction.OUTBOUND else (self.answered,)

    def _picked(self) -> Moment | None:
        """When the call was taken: the pick-up of the phone that was connected."""
        if self.answered is None:
            return None
        legs = self._takers()
        picks = [o.picked for o in self.leaves if o.picked and o.leg in legs]
        if not picks:
            picks = [talk.began for talk in self.talks if talk.began]
        return min(picks, default=None)

    def _ringing(self, picked: Moment | None) -> tuple[Moment | None, Moment | None]:
        mine = [offer for offer in self._mine() if offer.rang]
        if not mine:
            return None, None
        start = min([offer.rang for offer in mine if offer.rang])
        if picked is not None:
            return (start, picked) if start <= picked else (None, None)
        if self.answered is not None:
            return start, None
        if any(offer.silent is None for offer in mine):
            return start, None
        return start, max((o.silent for o in mine if o.silent), default=None)

    def _waiting(self, picked: Moment | None) -> tuple[Moment | None, Moment | None]:
        if self.direction is not Direction.INBOUND:
            return None, None
        starts = [v.when for v in self.told if v.kind == "joined"] + [
            o.began for o in self.offers if o.leg.begins
        ]
        if not starts or self.first.born is None:
            return None, None
        if picked is not None:
            return min(starts), picked
        if not self.over or self.answered is not None or self.first.lost:
            return min(starts), None
        ends = [v.when for v in self.told if v.kind in ("left", "abandoned")]
        ends += [o.closed for o in self.offers if o.closed]
        left = self._customer_left() or self.first.gone
        if not ends or (left and left < max(ends)):
            return min(starts), left
        return min(starts), max(ends)

    def _talk_ms(self) -> int | None:
        """Add up the time in which the customer and any person were in one bridge."""
        spans = sorted([(t.began, t.ended) for t in self.talks if t.began and t.ended])
        if not spans or len(spans) != len(self.talks) or spans[0][0].at is None:
            return None
        for talk in self.talks:
            if any(leg.lost and talk.ended == leg.gone for leg in (talk.leg, talk.customer)):
                return None
        total, reach = _NO_TIME, spans[0][0].order
        for began, ended in spans:
            total += max(_NO_TIME, ended.order - max(began.order, reach))
            reach = max(reach, ended.order)
        return total // _MILLISECOND

    def _talk_records(self) -> tuple[TalkRecord, ...]:
        inbound = self.direction is Direction.INBOUND
        return tuple(
            [
                TalkRecord(
                    phone=self.phone(talk.leg),
                    began_at=talk.began.at if talk.began else None,
                    ended_at=talk.ended.at if talk.ended else None,
                    gone=talk.leg.gone is not None,
                )
                for talk in self.talks
                if not inbound or talk.leg not in self.customers
            ]
        )

    def _ended_by(self) -> EndedBy | None:
        """Tell who ended the call: the last hang-up request on a leg still in the talk."""
        if not self.over:
            return None
        asked = [
            (r.when, EndedBy.CALLER)
            for leg in self.customers
            for r in leg.requests
            if not r.soft and (leg.up or not self.talks or leg is self.first)
        ]
        if self.direction is Direction.INTERNAL or self.direction is Direction.INBOUND:
            persons = [talk.leg for talk in self.talks] + [leg for leg in (self.answered,) if leg]
        else:
            persons = [leg for leg in self.legs if leg not in self.customers and not leg.local]
        for leg in persons:
            asked += [
                (r.when, EndedBy.AGENT)
                for r in leg.requests
                if not r.soft and leg not in self.customers and self._still_talking(leg, r.when)
            ]
        if asked:
            return max(asked)[1]
        seen = all(leg.gone and not leg.lost for leg in self.customers)
        return EndedBy.PBX if seen else None

    def _still_talking(self, leg: Leg, when: Moment) -> bool:
        """Tell whether a leg took part in the last talk: a transferrer who left did not end it."""
        if not self.talks:
            return True
        mine = [talk.ended for talk in self.talks if talk.leg is leg]
        if self.direction is Direction.OUTBOUND and not mine:
            mine = [talk.ended for talk in self.talks]
        last = max((talk.ended for talk in self.talks if talk.ended), default=None)
        return any(
            end is None
            or last is None
            or (_near(end, last, _SECOND) and _near(when, end, _TOGETHER))
            for end in mine
        )

    def _visits(self) -> list[VisitRecord]:
        found: list[VisitRecord] = []
        for leg in self.legs:
            if not leg.visits:
                continue
            open_: dict[str, Moment] = {}
            abandoned = [visit for visit in leg.visits if visit.kind == "abandoned"]
            for visit in sorted(leg.visits):
                if visit.kind == "joined":
                    open_[visit.queue] = visit.when
                elif visit.kind == "left" and visit.queue in open_:
                    joined = open_.pop(visit.queue)
                    gave_up = any(
                        other.queue == visit.queue
                        and joined <= other.when
                        and other.when <= later(visit.when, _SECOND)
                        for other in abandoned
                    )
                    found.append(_visit(visit.queue, joined, visit.when, gave_up))
            found += [_visit(queue, joined, leg.gone, False) for queue, joined in open_.items()]
        if len(found) > 1:
            found.sort(key=lambda v: (v.joined_at is not None, v.joined_at))
        return found

    def _queues(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys([visit.queue for visit in sorted(self.told)]))

    def _files(self) -> tuple[str, ...]:
        files = [file for leg in self.legs for file in leg.files]
        return tuple(dict.fromkeys([name for _, name in sorted(files)]))

    def _approximate(self) -> bool:
        call = self.call
        return (
            self.first.born is None
            or call.blind
            or call.inexact
            or call.cut
            or any(leg.guessed or leg.lost for leg in self.legs)
            or any(offer.rang and not offer.leg.rang for offer in self.leaves)
        )

    def _reason(self, offers: Sequence[OfferRecord], ring_ms: int | None) -> Reason | None:
        if self.direction is not Direction.INBOUND:
            return None
        outcomes = [offer.outcome for offer in offers]
        rang = any(offer.rang for offer in offers)
        left = self._ended_by() is EndedBy.CALLER
        waited = _ms(*self._waiting(None)) if not rang else ring_ms
        asked = bool(offers) or any(leg.visits for leg in self.legs)
        short = self.house.ring.short_abandon // timedelta(milliseconds=1)
        began = self.first.born.at if self.first.born else None
        unreachable = {o.phone.device for o in offers if o.outcome is OfferOutcome.UNREACHABLE}
        first_that_fits: tuple[tuple[bool, Reason], ...] = (
            (self._unobserved(), Reason.UNOBSERVED),
            (
                (not left and (self.call.torn or self.first.cause in NETWORK_CAUSES))
                or (len(unreachable) >= 3 and not rang),
                Reason.PBX_FAULT,
            ),
            (began is not None and not self.house.is_open(began), Reason.OUT_OF_HOURS),
            (not asked, Reason.IVR_ABANDON),
            (left and waited is not None and waited < short, Reason.SHORT_ABANDON),
            (bool(outcomes) and set(outcomes) == {OfferOutcome.BUSY}, Reason.ALL_BUSY),
            (OfferOutcome.REJECTED in outcomes, Reason.REJECTED),
            (not left and OfferOutcome.RANG_OUT in outcomes, Reason.RANG_OUT),
            (left and rang, Reason.ABANDONED_RINGING),
            (not rang, Reason.NOT_OFFERED),
        )
        return next((reason for fits, reason in first_that_fits if fits), Reason.RANG_OUT)

    def _unobserved(self) -> bool:
        """Tell whether the link or the stream left us blind while the outcome was open."""
        return (
            self.call.blind_open
            or self.first.born is None
            or (self.call.cut and self.first.gone is None)
            or self.first.lost
        )


def _ends(leg: Leg, last: Moment) -> tuple[DialEnd | None, DialEnd | None]:
    """Find how the last dialling of a leg ended: in vain, or with an answer."""
    end: DialEnd | None = None
    for one in sorted(leg.ends):
        if one.when < last:
            continue
        if one.status == "ANSWER":
            return end, one
        end = end or one
    return end, None


def _visit(queue: str, joined: Moment, left: Moment | None, abandoned: bool) -> VisitRecord:
    return VisitRecord(
        queue=queue, joined_at=joined.at, left_at=left.at if left else None, abandoned=abandoned
    )


def _near(one: Moment, two: Moment, within: timedelta) -> bool:
    if one.at is None or two.at is None:
        return True
    return abs(one.order - two.order) <= within


def _ms(start: Moment | None, end: Moment | None) -> int | None:
    """Give whole milliseconds between two moments, rounded down; None if either is unknown."""
    if start is None or end is None or start.at is None or end.at is None:
        return None
    return max(end.order - start.order, _NO_TIME) // _MILLISECOND
