"""What was seen of a live call, as text and back: so that a new process can go on with it."""

import json
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from operator import attrgetter
from typing import Any, Final

from cti.calls.effects import Show
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
    moment,
)
from cti.calls.record import CallId

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICRO: Final = timedelta(microseconds=1)
_BEFORE: Final = 1 << 48
"""What was read back came before whatever a new book counts from 1."""
_LISTS: Final[dict[str, type[Any]]] = {
    "begins": Dial,
    "ends": DialEnd,
    "steps": Step,
    "requests": Request,
    "marks": Mark,
    "visits": Visit,
    "words": Word,
}
_MOMENTS: Final = (
    "first", "born", "told", "named", "numbered", "rang", "moved", "up", "took", "gone",
    "recorded", "unrecorded",
)  # fmt: skip
_PLAIN: Final = (
    "id", "channel", "linked", "born_state", "number", "name", "exten", "dialled", "cause",
    "guessed", "noticed", "lost",
)  # fmt: skip
_FLAGS: Final = ("blind", "blind_open", "torn", "inexact")
_FIELDS: Final = (*_PLAIN, *_MOMENTS, *_LISTS, "files", "taken_by")
"""In this order a leg is written down; the names go with it, for programs to come."""
_fields: Final = attrgetter(*_FIELDS)


def dump(call: Call, boot: str) -> str:
    """Write a live call down as JSON text."""
    told: dict[str, Any] = {
        "id": call.id,
        "boot": boot,
        "names": call.names,
        "fields": _FIELDS,
        "legs": list(map(_fields, call.legs.values())),
    }
    return _text(told | {flag: True for flag in _FLAGS if getattr(call, flag)})


def _plain(value: Any) -> Any:
    return _micros(value) if isinstance(value, datetime) else sorted(value)


@lru_cache(maxsize=8192)
def _micros(at: datetime) -> int | None:
    """Count microseconds, once for all facts that were told at an instant."""
    if at == NEVER:
        return None
    since = at - _EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


_text: Final = json.JSONEncoder(
    ensure_ascii=True, check_circular=False, separators=(",", ":"), default=_plain
).encode


def load(text: str, number: int) -> tuple[Call, str]:
    """Read a call back, and the boot of its PBX.

    `number` is its place among the calls of the book. Raises ValueError or KeyError if the
    text is not one of ours.
    """
    told = json.loads(text)
    call_id = CallId(told["id"])
    call = Call(
        id=call_id,
        number=number,
        show=Show(call=call_id),
        names=list(told["names"]),
    )
    for flag in _FLAGS:
        setattr(call, flag, bool(told.get(flag)))
    for part in told["legs"]:
        leg = _leg_back(part if isinstance(part, dict) else _told(told["fields"], part))
        call.legs[leg.id] = leg
    call.open_legs = sum(leg.gone is None for leg in call.legs.values())
    if call.open_legs == 0:
        call.quiet = max((leg.gone for leg in call.legs.values() if leg.gone), default=None)
    return call, str(told["boot"])


def _told(names: list[str], part: list[Any]) -> dict[str, Any]:
    return {name: told for name, told in zip(names, part, strict=True) if told is not None}


def _leg_back(told: dict[str, Any]) -> Leg:
    leg = Leg(
        id=told["id"],
        channel=told.get("channel", ""),
        linked=told.get("linked", ""),
        first=_moment(told["first"]),
    )
    for name in _PLAIN:
        if name in told:
            setattr(leg, name, told[name])
    for name in _MOMENTS:
        if name in told:
            setattr(leg, name, _moment(told[name]))
    for name, kind in _LISTS.items():
        facts = [kind(_moment(fact[0]), *fact[1:]) for fact in told.get(name, ())]
        setattr(leg, name, facts)
    leg.files = [(_moment(at), file) for at, file in told.get("files", ())]
    leg.taken_by = set(told.get("taken_by", ()))
    return leg


def _moment(told: list[int | None]) -> Moment:
    micros, seq = told
    at = None if micros is None else _EPOCH + micros * _MICRO
    return moment(at, (seq or 0) - _BEFORE)
