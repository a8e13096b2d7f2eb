"""Why was a call missed, who was free to take it, and what may it cost whom? Pure.

The first reason that fits (requirement 21.4 point 3), the exemptions over the whole ringing
(point 4), the lines by scope (point 5). Nothing that was not observed costs anything (V19).
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from cti.calls.record import EndedBy, OfferOutcome, Reason
from cti.duty.rules import DutySet, DutyState, OnDuty
from cti.house import House, MissedCallRules, PenaltyRule, PenaltyRules
from cti.penalties.record import AgentEvidence, CallFacts, Draft, Evidence, MissReason, OfferFact
from cti.people.rules import Directory, Role
from cti.presence.states import AgentState, Interval, Source, covered
from cti.value import value

MISSED_CALL: Final = "missed_call"
"""The rule of `[penalties.missed_call]`, beside the ids of `[[penalties.rules]]`."""
LINE_FAULT: Final = "line_fault"
POINTS: Final = "points"
HANDOVER_MINUTE: Final = timedelta(minutes=1)
AUTOPAUSE_EXCUSED: Final = timedelta(seconds=60)
"""So long after the call for which the queue paused him an agent need not have come back."""

_NEVER_COSTS: Final = frozenset({MissReason.UNOBSERVED, MissReason.PBX_FAULT})
_TOGETHER: Final = timedelta(seconds=2)
"""The PBX's word that the waiting ended, and the caller's hang-up, lie this close."""
_EXEMPTING: Final[Mapping[AgentState, str]] = {
    AgentState.ON_CALL: "on_call",
    AgentState.SYSTEM_DIALLED_VISIT: "system_dialled_visit",
    AgentState.WRAP_UP: "wrap_up",
    AgentState.BREAK_APPROVED: "break_approved",
    AgentState.CALLED_AWAY: "called_away",
    AgentState.UNREACHABLE: "unreachable",
    AgentState.PBX_AUTOPAUSE: "pbx_autopause",
}
_HANDOVER: Final = "handover_minute"
_UNHEARD: Final = "unknown"
"""Nobody knows how somebody stood whose PBX was not heard: that costs nothing, whatever the house
says (V19)."""
_AWAY_BY_OWN_ACT: Final = frozenset(
    {AgentState.LOGGED_OUT, AgentState.PAUSE_UNAPPROVED, AgentState.BUSY_ELSEWHERE}
)
"""Why a phone did not ring that its agent answers for (table of 21.4, `not_offered`)."""


@value
class Circumstances:
    """What else is known of a missed call's time.

    `leaving` are those of the duty set who were relieved within the hand-over minute,
    `supervisor` answers for the shift (None: nobody), `fault` is the confirmed fault of the
    call's trunk, empty for none.
    """

    duty: DutySet
    leaving: Collection[str]
    states: Sequence[Interval]
    supervisor: str | None
    fault: str
    frozen_at: datetime


def ringing(facts: CallFacts) -> tuple[datetime, datetime]:
    """Give the ringing: from the first ring, else from queue join or dial, to the end (21.4)."""
    began = facts.rang_at or facts.waited_from or facts.began
    return began, max(began, facts.waited_to or facts.ended_at)


def judge(facts: CallFacts, house: House, now: Circumstances) -> Evidence:
    """Give the one reason of a missed call, who was exempt and why, and what it may cost whom."""
    rules = house.penalties.missed_call
    began, ended = ringing(facts)
    agents = tuple(_agent(one, facts, now, rules) for one in now.duty.agents)
    understaffed = len(now.duty.agents) < now.duty.published
    evidence = Evidence(
        facts=facts,
        reason=_reason(facts, house, now, agents),
        began=began,
        ended=ended,
        duty=now.duty,
        agents=agents,
        supervisor=now.supervisor,
        understaffed=understaffed,
        fault=now.fault,
        roster=now.duty.version,
        policy=house.version,
        frozen_at=now.frozen_at,
        drafts=(),
    )
    return replace(evidence, drafts=_drafts(evidence, house))


def unit(house: House) -> str:
    """Give what amounts are counted in: the currency, `points`, or nothing (requirement 21.5)."""
    match house.penalties.settlement:
        case "bonus":
            return house.card.currency
        case "points":
            return POINTS
        case _:
            return ""


def supervisor_of(duty: DutySet, directory: Directory) -> str | None:
    """Give the duty supervisor, else the department's (21.4 point 5).

    None when the department has no supervisor, or several of whom none was on duty: who answers
    for a gap in the plan is then for people to say.
    """
    if duty.supervisor:
        return duty.supervisor.person
    found = [
        person.id
        for person in directory.people.values()
        if person.active
        and person.role is Role.SUPERVISOR
        and (not duty.department or person.department == duty.department)
    ]
    return found[0] if len(found) == 1 else None


def stacked(drafts: Iterable[Draft], stacking: str) -> tuple[Draft, ...]:
    """Leave one line per person and rule, by default one per person: the largest (MISS-07, X10).

    `sum` keeps a line for each rule, and adds up what one rule takes from one person twice.
    A line that costs something comes before one that is exempted.
    """
    found: dict[tuple[str, str], Draft] = {}
    for draft in drafts:
        key = draft.person, (draft.rule if stacking == "sum" else "")
        other = found.get(key)
        if other is None:
            found[key] = draft
        elif stacking == "sum" and not draft.exemption and not other.exemption:
            larger = max(other, draft, key=_weight)
            found[key] = replace(larger, amount=_sum(draft.amount, other.amount))
        else:
            found[key] = max(other, draft, key=_weight)
    return tuple(found.values())


def fined(
    rule: str,
    duty: DutySet,
    supervisor: str | None,
    house: House,
    at: datetime,
    times: int = 1,
) -> tuple[Draft, ...]:
    """Give what a rule of `[[penalties.rules]]` costs everybody on duty; none: no such rule."""
    agents = [_of(rule, one.person, Role.AGENT, one.shift, house, at, times) for one in duty.agents]
    shift = duty.supervisor.shift if duty.supervisor else ""
    above = [_of(rule, supervisor, Role.SUPERVISOR, shift, house, at, times)] if supervisor else []
    return stacked([one for one in [*agents, *above] if one], house.penalties.stacking)


def is_by_hand(rule: PenaltyRule) -> bool:
    """Tell whether a person proposes by this rule: what is seen, and what customers complain of."""
    return rule.trigger == "manual" or rule.trigger.startswith("complaint:")


def fined_alone(
    rule: str, person: str, house: House, at: datetime, times: int = 1
) -> tuple[Draft, ...]:
    """Give what a rule costs one person; none: no such rule."""
    draft = _of(rule, person, Role.AGENT, "", house, at, times)
    return (draft,) if draft else ()


def _of(
    rule: str, person: str, role: Role, shift: str, house: House, at: datetime, times: int
) -> Draft | None:
    found = house.penalties.rules.get(rule)
    if found is None:
        return None
    amounts = found.amounts_on(at.astimezone(house.zone).date())
    amount = amounts.agent if role is Role.AGENT else amounts.supervisor
    if not amount:
        return None
    return Draft(
        rule=rule,
        person=person,
        role=role,
        shift=shift,
        amount=_settled(amount * times, house.penalties),
    )


def _agent(
    duty: OnDuty, facts: CallFacts, now: Circumstances, rules: MissedCallRules
) -> AgentEvidence:
    began, ended = ringing(facts)
    mine = tuple(one for one in now.states if one.person == duty.person)
    offers = [offer for offer in facts.offers if offer.person == duty.person]
    excusing = [
        (code, span)
        for code, span in (*_excuses(mine), *_handover(duty, now))
        if (code in rules.exempt or code == _UNHEARD) and _meets(span, began, ended)
    ]
    exempt = covered((span for _, span in excusing), AgentState, began, ended)
    codes = tuple(dict.fromkeys(code for code, _ in excusing)) if exempt else ()
    return AgentEvidence(
        duty=duty,
        states=mine,
        rang=any(offer.rang_at for offer in offers),
        rejected=any(offer.outcome == OfferOutcome.REJECTED for offer in offers),
        exemption=codes[0] if codes else "",
        exemptions=codes,
    )


def _excuses(states: Iterable[Interval]) -> Iterable[tuple[str, Interval]]:
    for one in sorted(states, key=lambda state: state.began_at):
        unheard = one.state is AgentState.UNKNOWN and one.source is Source.LINK
        code = _UNHEARD if unheard else _EXEMPTING.get(one.state)
        if code is None:
            continue
        if one.state is AgentState.PBX_AUTOPAUSE:
            limit = one.began_at + AUTOPAUSE_EXCUSED
            yield code, replace(one, ended_at=min(one.ended_at or limit, limit))
        else:
            yield code, one


def _handover(duty: OnDuty, now: Circumstances) -> Iterable[tuple[str, Interval]]:
    """Give the minute after somebody came, and the time of one who is just being relieved."""
    spans: list[tuple[datetime, datetime | None]] = []
    if duty.state is not DutyState.PLANNED:  # who is late has not come
        spans.append((duty.since, duty.since + HANDOVER_MINUTE))
    if duty.person in now.leaving:
        spans.append((now.duty.at, None))
    for began, ended in spans:
        yield (
            _HANDOVER,
            Interval(
                person=duty.person,
                state=AgentState.AVAILABLE,
                began_at=began,
                ended_at=ended,
                source=Source.PERSON,
                cause=_HANDOVER,
            ),
        )


def _meets(span: Interval, began: datetime, ended: datetime) -> bool:
    return span.began_at <= ended and (span.ended_at is None or span.ended_at > began)


def _reason(
    facts: CallFacts, house: House, now: Circumstances, agents: Sequence[AgentEvidence]
) -> MissReason:
    """Give the first reason that fits."""
    free = [one for one in agents if not one.exemption]
    offers = _offers_to(free, facts)
    rang = any(one.rang for one in free)
    left = _caller_left(facts)
    waited = facts.wait_ms if facts.rang_at is None else facts.ring_ms
    began, ended = ringing(facts)
    first_that_fits: tuple[tuple[bool, MissReason], ...] = (
        (_unseen(facts), MissReason.UNOBSERVED),
        (bool(now.fault) or facts.stream_reason == Reason.PBX_FAULT, MissReason.PBX_FAULT),
        (not house.is_open(facts.began), MissReason.OUT_OF_HOURS),
        (not facts.offers and facts.waited_from is None, MissReason.IVR_ABANDON),
        (
            left and waited is not None and _ms(waited) < house.ring.short_abandon,
            MissReason.SHORT_ABANDON,
        ),
        (not agents, MissReason.NO_ONE_ROSTERED),
        (
            all(covered(one.states, {AgentState.ON_CALL}, began, ended) for one in agents),
            MissReason.ALL_BUSY,
        ),
        (not free, MissReason.ALL_EXEMPT),
        (any(one.rejected for one in free), MissReason.REJECTED),
        (
            not left and any(offer.outcome == OfferOutcome.RANG_OUT for offer in offers),
            MissReason.RANG_OUT,
        ),
        (left and rang, MissReason.ABANDONED_RINGING),
        (not rang, MissReason.NOT_OFFERED),
    )
    return next((reason for fits, reason in first_that_fits if fits), MissReason.RANG_OUT)


def _unseen(facts: CallFacts) -> bool:
    return facts.approximate or facts.in_gap or facts.stream_reason == Reason.UNOBSERVED


def _offers_to(agents: Iterable[AgentEvidence], facts: CallFacts) -> list[OfferFact]:
    wanted = {one.duty.person for one in agents}
    return [offer for offer in facts.offers if offer.person in wanted]


def _caller_left(facts: CallFacts) -> bool:
    """Tell whether the caller ended the waiting; who leaves a message was sent away before."""
    if facts.ended_by != EndedBy.CALLER:
        return False
    return facts.waited_to is None or facts.ended_at - facts.waited_to <= _TOGETHER


def _ms(count: int) -> timedelta:
    return timedelta(milliseconds=count)


def _drafts(evidence: Evidence, house: House) -> tuple[Draft, ...]:
    if evidence.reason in _NEVER_COSTS:
        return ()
    rules = house.penalties.missed_call
    amounts = rules.amounts_on(evidence.facts.began.astimezone(house.zone).date())
    drafts = list[Draft]()
    if amounts.agent and evidence.reason not in rules.no_agent_line:
        for one in _charged(evidence, rules):
            exemption = "" if rules.scope == "rang" else one.exemption
            drafts.append(
                Draft(
                    rule=MISSED_CALL,
                    person=one.duty.person,
                    role=Role.AGENT,
                    shift=one.duty.shift,
                    amount=_settled(amounts.agent, house.penalties),
                    exemption=exemption,
                )
            )
    if amounts.supervisor and evidence.supervisor and _supervisor_answers(evidence, rules):
        on_duty = evidence.duty.supervisor
        drafts.append(
            Draft(
                rule=MISSED_CALL,
                person=evidence.supervisor,
                role=Role.SUPERVISOR,
                shift=on_duty.shift if on_duty else "",
                amount=_settled(amounts.supervisor, house.penalties),
            )
        )
    return stacked(drafts, house.penalties.stacking)


def _charged(evidence: Evidence, rules: MissedCallRules) -> Sequence[AgentEvidence]:
    """Give the duty agents whom the scope names, exempt ones included."""
    agents = evidence.agents
    if evidence.reason is MissReason.NOT_OFFERED:
        agents = tuple(one for one in agents if one.exemption or _answers(one, evidence))
    rang = tuple(one for one in agents if one.rang)
    match rules.scope:
        case "rang" | "rang_free":
            return rang
        case "first_rung":
            first = min(
                (o for o in _offers_to(rang, evidence.facts) if o.rang_at),
                key=lambda offer: offer.rang_at or evidence.ended,
                default=None,
            )
            return tuple(one for one in rang if first and one.duty.person == first.person)
        case _:
            return agents


def _answers(agent: AgentEvidence, evidence: Evidence) -> bool:
    """Tell whether a free agent's phone was silent by his own act, not for want of a queue."""
    own = any(
        one.state in _AWAY_BY_OWN_ACT and _meets(one, evidence.began, evidence.ended)
        for one in agent.states
    )
    refusing = any(
        offer.outcome == OfferOutcome.BUSY for offer in _offers_to([agent], evidence.facts)
    )
    return own or refusing


def _supervisor_answers(evidence: Evidence, rules: MissedCallRules) -> bool:
    if evidence.reason in rules.supervisor_line:
        return True
    return evidence.understaffed and evidence.reason in rules.understaffed_supervisor_line


def _settled(amount: Decimal, rules: PenaltyRules) -> Decimal | None:
    """Give an amount as the house settles it: without settlement a line carries none (21.5)."""
    return None if rules.settlement == "none" else amount


def _weight(draft: Draft) -> tuple[bool, Decimal, bool]:
    return not draft.exemption, draft.amount or Decimal(), draft.role is Role.SUPERVISOR


def _sum(one: Decimal | None, other: Decimal | None) -> Decimal | None:
    return None if one is None and other is None else (one or Decimal()) + (other or Decimal())
