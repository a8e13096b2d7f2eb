"""Which agent was asked, when, and what became of it? Phones of one agent are one offer.

The book sees phones; people answer for themselves. Phones of one agent that are asked at the
same time are one offer; a later round is a new one (the call model, section 9.1).
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from cti.calls.record import CallRecord, OfferOutcome, OfferRecord, Phone

_BEST: Final = (
    OfferOutcome.ANSWERED,
    OfferOutcome.PICKED_UP_BY_OTHER,
    OfferOutcome.ANSWERED_ELSEWHERE,
    OfferOutcome.FORWARDED,
    OfferOutcome.REJECTED,
    OfferOutcome.CALLER_GAVE_UP,
    OfferOutcome.RANG_OUT,
    OfferOutcome.BUSY,
    OfferOutcome.WITHDRAWN,
    OfferOutcome.UNREACHABLE,
    OfferOutcome.UNKNOWN,
)
"""Of one agent's phones the first of these that occurred is the agent's outcome."""

WhoseIs = Callable[[str], str | None]
"""Device name to person id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentOffer:
    """One agent asked to take one call. `person` is None for a phone that nobody owns."""

    agent: str
    person: str | None
    phones: tuple[Phone, ...]
    began: datetime | None
    rang: bool
    rang_at: datetime | None
    picked_at: datetime | None
    ended: bool
    ended_at: datetime | None
    ring_ms: int | None
    outcome: OfferOutcome | None


def agent_offers(record: CallRecord, whose: WhoseIs) -> list[AgentOffer]:
    """Gather a call's phones into offers to agents, in the order in which they were asked."""
    groups: list[tuple[str, list[OfferRecord]]] = []
    for offer in record.offers:
        owner = whose(offer.phone.device) or offer.phone.agent
        group = next(
            (g for key, g in reversed(groups) if key == owner and _together(g, offer)), None
        )
        if group is None:
            groups.append((owner, [offer]))
        else:
            group.append(offer)
    return [_gathered(group, whose) for _, group in groups]


def _together(group: Sequence[OfferRecord], offer: OfferRecord) -> bool:
    """Tell whether a phone was asked while another of the same agent still was."""
    return any(_meet(other, offer) for other in group)


def _meet(other: OfferRecord, offer: OfferRecord) -> bool:
    """Tell whether the later of two offers began before the other was over.

    One phone may be registered at two places, and then two channels of it ring at once.
    """
    same = other.phone.device == offer.phone.device
    if not other.ended:
        return True
    if other.ended_at is None or offer.began is None:
        return not same  # without stamps only the phone tells two rounds apart
    return offer.began < other.ended_at or (not same and offer.began == other.ended_at)


def _gathered(group: Sequence[OfferRecord], whose: WhoseIs) -> AgentOffer:
    if len(group) == 1:
        return _alone(group[0], whose)
    first = group[0]
    outcomes = {offer.outcome for offer in group}
    ended = all(offer.ended for offer in group)
    rang_at = _first(offer.rang_at for offer in group)
    return AgentOffer(
        agent=first.phone.agent,
        person=whose(first.phone.device),
        phones=tuple(offer.phone for offer in group),
        began=_first(offer.began for offer in group),
        rang=any(offer.rang for offer in group),
        rang_at=rang_at,
        picked_at=_first(offer.picked_at for offer in group),
        ended=ended,
        ended_at=max((o.ended_at for o in group if o.ended_at), default=None) if ended else None,
        ring_ms=_ring_ms(group, rang_at),
        outcome=next((outcome for outcome in _BEST if outcome in outcomes), None)
        if ended or OfferOutcome.ANSWERED in outcomes
        else None,
    )


def _alone(offer: OfferRecord, whose: WhoseIs) -> AgentOffer:
    return AgentOffer(
        agent=offer.phone.agent,
        person=whose(offer.phone.device),
        phones=(offer.phone,),
        began=offer.began,
        rang=offer.rang,
        rang_at=offer.rang_at,
        picked_at=offer.picked_at,
        ended=offer.ended,
        ended_at=offer.ended_at if offer.ended else None,
        ring_ms=offer.ring_ms,
        outcome=offer.outcome if offer.ended or offer.outcome is OfferOutcome.ANSWERED else None,
    )


def _ring_ms(group: Sequence[OfferRecord], rang_at: datetime | None) -> int | None:
    ends = [
        offer.rang_at + timedelta(milliseconds=offer.ring_ms)
        for offer in group
        if offer.rang_at and offer.ring_ms is not None
    ]
    if rang_at is None or not ends:
        return None
    return (max(ends) - rang_at) // timedelta(milliseconds=1)


def _first(instants: Iterable[datetime | None]) -> datetime | None:
    return min((at for at in instants if at), default=None)
