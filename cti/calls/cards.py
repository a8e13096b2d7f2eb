"""What does each agent's screen show of a call? Pure: one card per person and call.

A card opens when a phone of the person rings (UI-01), follows transfers, and ends with the
exact outcome of the person's last offer (UI-10). It ends once: what a PBX says in the moment of
an answer or a hang-up comes piece by piece, and no piece alone may take a card away.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

from cti.calls.offers import AgentOffer, WhoseIs
from cti.calls.record import (
    CallRecord,
    Direction,
    OfferOutcome,
    State,
    TalkRecord,
)

CardWord = Literal["ringing", "talking", "ended"]

SENT_ON: Final = timedelta(seconds=1)
"""A customer who lives so long after the agent has left was sent on, if only to a menu."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CardState:
    """What changes on a card while its call lives.

    `outcome` is an `OfferOutcome`, or `completed` or `transferred` for who had the call;
    `by` names who took it: a person's id, else the name of a phone.
    """

    state: CardWord
    outcome: str | None = None
    by: str | None = None
    rang_at: datetime | None = None
    answered_at: datetime | None = None


def card_states(
    record: CallRecord,
    offers: Sequence[AgentOffer],
    whose: WhoseIs,
    now: datetime | None = None,
) -> dict[str, CardState]:
    """Give each person's card of a call, by person id; nobody else sees it.

    `now` is the PBX's time, by which a card that `undecided_since` told of is decided.
    """
    cards: dict[str, CardState] = {}
    for offer in offers:
        if offer.person and (offer.rang or offer.picked_at):
            cards[offer.person] = _of_offer(record, offer, whose)
    for person, talks in _talks(record, whose).items():
        cards[person] = _of_talk(record, talks, cards.get(person), now)
    if record.direction is Direction.OUTBOUND:
        dialler = whose(record.channel.rsplit("-", 1)[0])
        if dialler and dialler not in cards:
            cards[dialler] = _of_dialler(record)
    return cards


def undecided_since(record: CallRecord) -> datetime | None:
    """Give since when nobody has a live call that somebody had; None: there is nothing to wait for.

    Either it is about to be over, or the customer was sent on: look again after `SENT_ON`.
    """
    if _is_over(record) or not record.talks or not all(talk.gone for talk in record.talks):
        return None
    return max((talk.ended_at for talk in record.talks if talk.ended_at), default=None)


def _of_offer(record: CallRecord, offer: AgentOffer, whose: WhoseIs) -> CardState:
    waits = offer.outcome is None or (offer.outcome is OfferOutcome.ANSWERED and not offer.ended)
    if waits and not _is_over(record):
        state: CardWord = "talking" if offer.picked_at else "ringing"
        return CardState(state=state, rang_at=offer.rang_at, answered_at=offer.picked_at)
    outcome = offer.outcome or OfferOutcome.UNKNOWN
    taken = outcome in (OfferOutcome.ANSWERED_ELSEWHERE, OfferOutcome.PICKED_UP_BY_OTHER)
    return CardState(
        state="ended",
        outcome=outcome.value,
        by=_taker(record, offer, whose) if taken else None,
        rang_at=offer.rang_at,
    )


def _taker(record: CallRecord, offer: AgentOffer, whose: WhoseIs) -> str | None:
    """Name who had the call when this phone was let go: the last to begin to talk by then.

    Before that, who has picked up: the phones fall silent first.
    """
    talks = [talk for talk in record.talks if talk.began_at]
    before = [
        t for t in talks if offer.ended_at is None or (t.began_at and t.began_at <= offer.ended_at)
    ]
    phone = before[-1].phone if before else talks[0].phone if talks else record.answered_by
    phone = phone or next((o.phone for o in record.offers if o.picked_at and not o.ended), None)
    return (whose(phone.device) or phone.agent) if phone else None


def _talks(record: CallRecord, whose: WhoseIs) -> dict[str, list[TalkRecord]]:
    found: dict[str, list[TalkRecord]] = {}
    for talk in record.talks:
        if person := whose(talk.phone.device):
            found.setdefault(person, []).append(talk)
    return found


def _of_talk(
    record: CallRecord,
    talks: Sequence[TalkRecord],
    offered: CardState | None,
    now: datetime | None,
) -> CardState:
    """Let a talk count for more than the offer before it, save one that is still open."""
    if offered and offered.state != "ended":
        return offered
    rang_at = offered.rang_at if offered else None
    began = min((talk.began_at for talk in talks if talk.began_at), default=None)
    answered = offered.answered_at or began if offered else began
    if _still_has(record, talks, now):
        return CardState(state="talking", rang_at=rang_at, answered_at=answered)
    outcome = "completed" if _last_to_talk(record, talks) else "transferred"
    return CardState(state="ended", outcome=outcome, rang_at=rang_at, answered_at=answered)


def _still_has(record: CallRecord, talks: Sequence[TalkRecord], now: datetime | None) -> bool:
    """Tell whether a live call is still theirs: until they have left and it was sent on."""
    if _is_over(record):
        return False
    left = max((talk.ended_at for talk in talks if talk.ended_at), default=None)
    if left is None or any(talk.ended_at is None or not talk.gone for talk in talks):
        return True
    mine = {talk.phone.leg for talk in talks}
    asked = [(offer.phone.leg, offer.began) for offer in record.offers]
    taken = [(talk.phone.leg, talk.began_at) for talk in record.talks]
    if any(at and at >= left and leg not in mine for leg, at in asked + taken):
        return False
    return now is None or now - left < SENT_ON


def _last_to_talk(record: CallRecord, talks: Sequence[TalkRecord]) -> bool:
    """Tell whether nobody had the call after these talks."""
    mine = {talk.phone.device for talk in talks}
    last = max((talk.began_at for talk in talks if talk.began_at), default=None)
    later = [
        talk
        for talk in record.talks
        if talk.phone.device not in mine and last and talk.began_at and talk.began_at > last
    ]
    return _is_over(record) and not later


def _of_dialler(record: CallRecord) -> CardState:
    if not _is_over(record):
        return CardState(
            state="talking" if record.answered_at else "ringing",
            rang_at=record.rang_at,
            answered_at=record.answered_at,
        )
    outcome = record.offers[-1].outcome if record.offers else None
    return CardState(
        state="ended",
        outcome="completed" if record.answered_by else (outcome or OfferOutcome.UNKNOWN).value,
        rang_at=record.rang_at,
    )


def _is_over(record: CallRecord) -> bool:
    """Tell whether no leg lives; the book may still wait for what comes late."""
    return record.state is State.ENDED
