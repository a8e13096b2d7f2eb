"""May this number be dialled now, and what became of it? Every outgoing call of the house. Pure.

    planned ──▶ committed_to_send ──▶ sent ──▶ dialling ──▶ answered | no_answer | busy | rejected
                        │               │          │         | failed | agent_no_show | abandoned
                        │               │          │         | unknown
                        '───────────────┴──────────┴──▶ any of these ends

An attempt is committed before anything is written to the PBX, its id is the channel's id, and
the guard in the PBX's dialplan dials an id once and never past its deadline. So an attempt is
never sent twice, and after a crash it is adopted, proven not dialled, or unknown.
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumberFormat, PhoneNumberType

from cti.calls.record import DialledCall, OfferOutcome
from cti.house import LEAST_RING, LEAST_RINGS, DialingRules
from cti.value import value

LINE_TEST: Final = "line_test"
"""The purpose of an attempt by which a line is tested."""

SEND_WITHIN: Final = timedelta(seconds=20)
"""So long after the commit the guard still dials (at most 30 s: the proof waits for it)."""
SURE: Final = timedelta(seconds=5)
"""So long after the deadline, by the PBX's clock, the guard has written down what it dialled."""

_NUMBER: Final = re.compile(r"\+?[0-9]{3,15}")
_TRUNK: Final = re.compile(r"[0-9A-Za-z_]{1,64}")
_PREMIUM: Final = frozenset({PhoneNumberType.PREMIUM_RATE, PhoneNumberType.SHARED_COST})


class AttemptState(StrEnum):
    """Where an attempt stands."""

    PLANNED = "planned"
    COMMITTED = "committed_to_send"
    SENT = "sent"
    DIALLING = "dialling"
    ANSWERED = "answered"
    NO_ANSWER = "no_answer"
    BUSY = "busy"
    REJECTED = "rejected"
    FAILED = "failed"
    AGENT_NO_SHOW = "agent_no_show"
    ABANDONED = "abandoned"
    """Customer first: he picked up, and no agent was there for him."""
    UNKNOWN = "unknown"


ENDS: Final = frozenset(
    {
        AttemptState.ANSWERED,
        AttemptState.NO_ANSWER,
        AttemptState.BUSY,
        AttemptState.REJECTED,
        AttemptState.FAILED,
        AttemptState.AGENT_NO_SHOW,
        AttemptState.ABANDONED,
        AttemptState.UNKNOWN,
    }
)
OPEN: Final = (AttemptState.COMMITTED, AttemptState.SENT, AttemptState.DIALLING)
"""May have been dialled, and what became of it is not known yet."""
LEGAL: Final[Mapping[AttemptState, frozenset[AttemptState]]] = {
    AttemptState.PLANNED: frozenset({AttemptState.COMMITTED}),
    AttemptState.COMMITTED: frozenset({AttemptState.SENT, AttemptState.DIALLING}) | ENDS,
    AttemptState.SENT: frozenset({AttemptState.DIALLING}) | ENDS,
    AttemptState.DIALLING: ENDS,
}
"""What may follow; nothing follows an end."""


class Cause(StrEnum):
    """Why an attempt ended as it did, where its state alone does not say it."""

    NOT_SENT = "not_sent"
    """The link was down: nothing was written."""
    PBX_REFUSED = "pbx_refused"
    GUARD_REFUSED = "guard_refused"
    NOT_DIALLED = "not_dialled"
    """Past its deadline the guard does not know it: proven."""
    NO_TRUNK = "no_trunk"
    """The PBX had no way out: the trunk was never asked, or could not be reached."""
    NO_GUARD = "no_guard"
    """The PBX cannot be asked whether it was dialled."""
    NOT_SEEN = "not_seen"
    """It was dialled, and its call was not seen."""
    LATE = "late"
    """Customer first: an agent was there for him, later than the house allows."""


NEVER_DIALLED: Final = frozenset(
    {Cause.NOT_SENT, Cause.PBX_REFUSED, Cause.GUARD_REFUSED, Cause.NOT_DIALLED}
)
"""Nobody's phone rang: another attempt may be made, and the line is not to blame."""


@value
class Route:
    """How the PBX is told to dial: what is called first, and what it is joined to."""

    channel: str
    context: str
    exten: str
    customer_first: bool


@value
class Wanted:
    """A call that somebody wants to be dialled.

    `subject` names what it is for: there is one open attempt for each. `variables` go to the
    dialplan beside those of the guard. `who` is the person's id, `cti` for the program itself.
    """

    purpose: str
    subject: str
    pbx: str
    trunk: str
    number: str
    route: Route
    who: str = "cti"
    agent: str = ""
    ring_for: timedelta | None = None
    variables: Mapping[str, str] | None = None


@value
class Attempt:
    """One dialling. `deadline` is in whole seconds of the PBX's clock."""

    id: str
    purpose: str
    subject: str
    pbx: str
    trunk: str
    number: str
    customer_first: bool
    agent: str
    who: str
    state: AttemptState
    cause: str
    planned_at: datetime
    committed_at: datetime | None
    deadline: int | None
    sent_at: datetime | None
    ended_at: datetime | None
    call: str | None

    @property
    def over(self) -> bool:
        """Whether what became of it is settled."""
        return self.state in ENDS


@value
class Tally:
    """What was dialled lately, and what hinders dialling now."""

    off: bool = False
    """Somebody has switched dialling off."""
    minute: int = 0
    """Attempts of the house in the last 60 s."""
    number_day: int = 0
    """Attempts to this number since the house's midnight."""
    agent_hour: int = 0
    """Attempts of this agent in the last 60 min."""
    failed_in_a_row: int = 0
    last_failed_at: datetime | None = None
    waiting: int = 0
    """Callers who wait now."""


def to_dial(text: str) -> str | None:
    """Give a number as digits for the trunk; None if it is none (reliability: NFKC, 3 to 15).

    The plus goes: the guard's pattern takes digits alone.
    """
    plain = unicodedata.normalize("NFKC", text).strip()
    return plain.removeprefix("+") if _NUMBER.fullmatch(plain) else None


def trunk_form(number: str, country: str) -> str | None:
    """Give a number as a trunk of that country takes it: 02161234567 of +862161234567.

    A number of another country keeps its code, without the plus. None if it is no number.
    """
    digits = to_dial(number)
    try:
        found = phonenumbers.parse(number, country)
    except NumberParseException:
        return digits
    own = phonenumbers.country_code_for_region(country)
    if digits is None or found.country_code != own or not phonenumbers.is_valid_number(found):
        return digits
    written = phonenumbers.format_number(found, PhoneNumberFormat.NATIONAL)
    return "".join(sign for sign in written if sign.isdigit())


def endpoint(trunk: str) -> str:
    """Give a trunk's name as the guard wants it: the endpoint alone, of `PJSIP/trunk` `trunk`."""
    return trunk.removeprefix("PJSIP/")


def is_trunk_name(text: str) -> bool:
    """Tell whether the guard's dialplan takes this as the name of a trunk."""
    return _TRUNK.fullmatch(text) is not None


def may_reach(number: str, prefixes: Sequence[str], country: str) -> bool:
    """Tell whether digits begin as the house allows.

    Without a list: a number of the house's own country that costs no premium.
    """
    if prefixes:
        return any(number.startswith(prefix.removeprefix("+")) for prefix in prefixes)
    try:
        found = phonenumbers.parse(number, country)
    except NumberParseException:
        return False
    own = phonenumbers.country_code_for_region(country)
    if found.country_code != own or not phonenumbers.is_valid_number(found):
        return False
    return phonenumbers.number_type(found) not in _PREMIUM


def refusal(
    wanted: Wanted, tally: Tally, rules: DialingRules, country: str, now: datetime
) -> str | None:
    """Say why this may not be dialled now, as a code; None if it may.

    A breaker stops whatever it is for but a line test: only a test shows that the line is back.
    """
    number = to_dial(wanted.number)
    if tally.off:
        return "dialing_off"
    if number is None:
        return "dial_number"
    if not is_trunk_name(wanted.trunk):
        return "dial_trunk"
    if not may_reach(number, rules.prefixes, country):
        return "dial_prefix"
    if rules.pause_when_waiting and tally.waiting >= rules.pause_when_waiting:
        return "callers_wait"
    if tally.minute >= rules.per_minute:
        return "dial_minute"
    if tally.number_day >= rules.per_number_day:
        return "dial_number_day"
    if wanted.agent and tally.agent_hour >= rules.per_agent_hour:
        return "dial_agent_hour"
    if wanted.purpose != LINE_TEST and _broken(tally, rules, now):
        return "dial_breaker"
    return None


def _broken(tally: Tally, rules: DialingRules, now: datetime) -> bool:
    if not rules.breaker_failed or tally.failed_in_a_row < rules.breaker_failed:
        return False
    return tally.last_failed_at is not None and now < tally.last_failed_at + rules.breaker_pause


def deadline_of(pbx_now: float, route: Route, ring: timedelta) -> int:
    """Give until when the guard may dial, in whole seconds of the PBX's clock.

    Agent first the guard is asked only when the agent has picked up, so his ringing is added.
    """
    wait = timedelta() if route.customer_first else ring
    return int(pbx_now + (SEND_WITHIN + wait).total_seconds())


def is_past(deadline: int, pbx_now: float) -> bool:
    """Tell whether the guard, asked now, knows all that it has let through."""
    return pbx_now > deadline + SURE.total_seconds()


def line_test(number: str) -> Route:
    """Dial a line's own number by way of the test's context, and listen to what comes back."""
    return Route(
        channel=f"Local/{number}@cti-line-test/n",
        context="cti-line-test",
        exten="out",
        customer_first=True,
    )


def agent_first(device: str, number: str, *, recorded: bool = False) -> Route:
    """Ring an agent's phone, then let the guard dial the number; `recorded`: both sides."""
    context = "cti-recorded" if recorded else "cti-dial"
    return Route(channel=device, context=context, exten=number, customer_first=False)


def customer_first(number: str, *, recorded: bool = False) -> Route:
    """Let the guard dial the number, then ring an agent's phone (`for_agent` says whose)."""
    context = "cti-recorded" if recorded else "cti-dial"
    return Route(
        channel=f"Local/{number}@{context}/n",
        context="cti-connect",
        exten=number,
        customer_first=True,
    )


def for_agent(device: str, within: timedelta) -> Mapping[str, str]:
    """Name the phone that rings when the customer has picked up, and for how long at most."""
    return {"CTI_AGENT": device, "CTI_WITHIN": str(max(1, int(within.total_seconds())))}


def long_enough(ring: timedelta, cycle: timedelta) -> timedelta:
    """Give how long a customer is rung who is rung first: no shorter than he is owed.

    At least 15 s and 4 rings of his country (47 CFR 64.1200; requirement 21.2).
    """
    return max(ring, LEAST_RING, LEAST_RINGS * cycle)


_STATES: Final[Mapping[OfferOutcome, AttemptState]] = {
    OfferOutcome.ANSWERED: AttemptState.ANSWERED,
    OfferOutcome.BUSY: AttemptState.BUSY,
    OfferOutcome.REJECTED: AttemptState.REJECTED,
    OfferOutcome.UNREACHABLE: AttemptState.FAILED,
    OfferOutcome.UNKNOWN: AttemptState.UNKNOWN,
}


def result(
    attempt: Attempt, call: DialledCall, within: timedelta = timedelta.max
) -> tuple[AttemptState, str]:
    """Say what became of an attempt whose call is over, and why where that says more.

    `within`: so soon an agent must be there for a customer who was rung first.
    """
    if call.picked_at is not None:
        if attempt.customer_first and attempt.agent:
            return _connected(call, call.picked_at, within)
        return AttemptState.ANSWERED, ""
    if call.outcome is None:
        return _never_asked(attempt, call)
    state = _STATES.get(call.outcome, AttemptState.NO_ANSWER)
    cause = {AttemptState.FAILED: Cause.NO_TRUNK, AttemptState.UNKNOWN: Cause.NOT_SEEN}.get(state)
    return state, cause or ""


def _connected(
    call: DialledCall, picked_at: datetime, within: timedelta
) -> tuple[AttemptState, str]:
    """Tell whether an agent was there for a customer who picked up.

    Who hung up before anybody was there met nobody as well.
    """
    if any((one.topic, one.word) == ("dial", "abandoned") for one in call.said):
        return AttemptState.ABANDONED, ""
    if call.joined_at is not None:
        late = call.joined_at - picked_at > within
        return AttemptState.ANSWERED, Cause.LATE if late else ""
    if call.approximate:
        return AttemptState.UNKNOWN, Cause.NOT_SEEN
    return AttemptState.ABANDONED, ""


def _never_asked(attempt: Attempt, call: DialledCall) -> tuple[AttemptState, str]:
    said = {one.word for one in call.said if one.topic == "dial"}
    if "dial" in said:
        return AttemptState.FAILED, Cause.NO_TRUNK
    if said:
        return AttemptState.FAILED, Cause.GUARD_REFUSED
    if call.approximate:
        return AttemptState.UNKNOWN, Cause.NOT_SEEN
    if attempt.customer_first:
        return AttemptState.FAILED, Cause.GUARD_REFUSED
    return AttemptState.AGENT_NO_SHOW, ""


def failed_in_a_row(ends: Iterable[tuple[AttemptState, str]]) -> int:
    """Count the failures since the last attempt that reached the line; newest first."""
    count = 0
    for state, cause in ends:
        if cause in NEVER_DIALLED:
            continue
        if state is not AttemptState.FAILED:
            break
        count += 1
    return count
