"""What happened when, while a call was missed? Evidence as bars on one time axis. Pure."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

from cti.penalties.record import Evidence
from cti.value import value

WIDTH: Final = 1000
"""Units of the whole axis."""
_AROUND: Final = timedelta(seconds=2)


@value
class Bar:
    """A span on the axis, in units from its left end. `kind` is what it says."""

    x: int
    width: int
    kind: str
    began: datetime
    ended: datetime | None


@value
class Row:
    """One line of the picture: the call itself (`who` is None), a phone, or a duty agent."""

    who: str | None
    label: str
    what: str
    """`call`, `phone` or `duty`."""
    bars: tuple[Bar, ...]


@value
class Timeline:
    """The picture, and the instants at its ends."""

    began: datetime
    ended: datetime
    rows: tuple[Row, ...]


def timeline(evidence: Evidence) -> Timeline:
    """Lay a missed call's evidence on one axis: the call, each phone's ringing, each agent."""
    facts = evidence.facts
    began = min(facts.began, evidence.began) - _AROUND
    ended = max(facts.ended_at, evidence.ended) + _AROUND
    axis = _Axis(began, ended)
    call = Row(
        who=None,
        label=facts.entry,
        what="call",
        bars=axis.bars(
            [
                ("menu", facts.began, facts.waited_from or facts.ended_at),
                ("waiting", facts.waited_from, facts.rang_at or facts.waited_to),
                ("ringing", facts.rang_at, facts.waited_to),
            ]
        ),
    )
    phones = [
        Row(
            who=offer.person,
            label=", ".join(offer.devices) or offer.agent,
            what="phone",
            bars=axis.bars([(offer.outcome or "unknown", offer.rang_at, offer.ended_at)]),
        )
        for offer in facts.offers
    ]
    agents = [
        Row(
            who=agent.duty.person,
            label=agent.duty.shift,
            what="duty",
            bars=axis.bars(
                (state.state.value, state.began_at, state.ended_at or ended)
                for state in agent.states
            ),
        )
        for agent in evidence.agents
    ]
    return Timeline(began=began, ended=ended, rows=(call, *phones, *agents))


class _Axis:
    def __init__(self, began: datetime, ended: datetime) -> None:
        self._began, self._ended = began, ended
        self._span = max(ended - began, timedelta(seconds=1))

    def bars(
        self, spans: Iterable[tuple[str, datetime | None, datetime | None]]
    ) -> tuple[Bar, ...]:
        return tuple(
            self._bar(kind, start, end)
            for kind, start, end in spans
            if start and end and end >= start
            if end >= self._began and start <= self._ended
        )

    def _bar(self, kind: str, start: datetime, end: datetime) -> Bar:
        left, right = self._place(start), self._place(end)
        return Bar(x=left, width=max(right - left, 3), kind=kind, began=start, ended=end)

    def _place(self, at: datetime) -> int:
        share = (at - self._began) / self._span
        return round(min(max(share, 0.0), 1.0) * WIDTH)
