"""What calls does a tape hold? Captured AMI bytes through the same code as the live link.

No database, no network. The output is a contract: docs/replay.md.
"""

import itertools
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from cti import house_file
from cti.calls.book import Book, Trunks, trunk_matcher
from cti.calls.effects import Close, Effect
from cti.calls.record import CallRecord, Phone
from cti.clock import SystemClock
from cti.house import House
from cti.pbx.aside import SetAside
from cti.pbx.frames import Gate
from cti.pbx.reader import Reader, sound
from cti.pbx.tape import read_tape
from cti.pbx.translate import translate, wanted

Piece = tuple[bytes, datetime | None]


def replay(
    pieces: Iterable[Piece],
    *,
    is_trunk: Trunks,
    house: House,
    systemname: str = "",
    aside: SetAside | None = None,
) -> list[CallRecord]:
    """Read pieces of a stream (bytes, when they arrived or None) and give its calls.

    In the order in which they began; those whose beginning was not seen come first, by first
    sighting. With `systemname` the authenticity filter is on. What is malformed or forged goes
    to `aside`, counted by reason.
    """
    numbers = itertools.count(1)
    book = Book(lambda: f"call-{next(numbers)}", is_trunk, house)
    aside = aside or SetAside("tape", SystemClock())
    reader = Reader(aside, gate=Gate(systemname), wanted=wanted, tape=True)
    closed: list[CallRecord] = []
    for data, arrived in pieces:
        for frame in sound(reader.feed(data, arrived), aside):
            event = translate(frame)
            if event is not None:
                closed += _closed(book.hear(event))
    closed += _closed(book.settle())
    return sorted(closed, key=_age)


def run(
    file: Path,
    *,
    trunks: Sequence[str],
    house: Path | None,
    systemname: str,
    as_objects: bool,
    warn: Callable[[str], None],
) -> Iterator[str]:
    """Give the lines that `cti replay` prints for a tape.

    Raises `ConfigError` (tape) when the file cannot be read, `HouseError` for a bad house file.
    """
    rules = house_file.read(house) if house else House()
    if not trunks:
        warn("no trunk pattern is set: every call counts as internal; give --trunk 'PJSIP/trunk*'")
    aside = SetAside("tape", SystemClock())
    records = replay(
        read_tape(file),
        is_trunk=trunk_matcher(trunks),
        house=rules,
        systemname=systemname,
        aside=aside,
    )
    for reason, count in aside.counts.items():
        warn(f"{count} frames were set aside: {reason}")
    for record in records:
        yield json.dumps(as_json(record), ensure_ascii=False) if as_objects else as_line(record)


def _closed(effects: Iterable[Effect]) -> Iterator[CallRecord]:
    return (effect.record for effect in effects if isinstance(effect, Close))


def _age(record: CallRecord) -> tuple[bool, float]:
    seen = record.began or record.seen_at
    return record.began is not None, seen.timestamp() if seen else 0.0


def as_json(record: CallRecord) -> dict[str, Any]:
    """Give one call as `cti replay --json` prints it: every key always there."""
    return {
        "direction": record.direction,
        "caller": record.caller,
        "caller_name": record.caller_name,
        "dialled": record.dialled,
        "channel": record.channel,
        "began": _instant(record.began),
        "outcome": record.outcome,
        "reason": record.reason,
        "answered_by": _phone(record.answered_by) if record.answered_by else None,
        "rings": record.rings,
        "ring_ms": record.ring_ms,
        "wait_ms": record.wait_ms,
        "talk_ms": record.talk_ms,
        "ended_by": record.ended_by,
        "offers": [
            _phone(offer.phone) | {"ring_ms": offer.ring_ms, "outcome": offer.outcome}
            for offer in record.offers
        ],
        "queues": list(record.queues),
        "recordings": list(record.recordings),
        "approximate": record.approximate,
    }


def as_line(record: CallRecord, zone: Any = None) -> str:
    """Give one call as a line for the eye."""
    began = record.began.astimezone(zone).strftime("%Y-%m-%d %H:%M:%S") if record.began else "?"
    who = record.answered_by.agent if record.answered_by else "-"
    parts = [
        f"{began:19}",
        f"{record.direction:8}",
        f"{record.caller or '?'} -> {record.dialled or '?'}",
        f"{record.outcome}" + (f" ({record.reason})" if record.reason else f" by {who}"),
        f"rings {record.rings if record.rings is not None else '?'}",
        f"ring {_seconds(record.ring_ms)}  wait {_seconds(record.wait_ms)}",
        f"talk {_seconds(record.talk_ms)}  ended by {record.ended_by or '?'}",
    ]
    if record.approximate:
        parts.append("approximate")
    return "  ".join(parts)


def _phone(phone: Phone) -> dict[str, Any]:
    return {"agent": phone.agent, "device": phone.device, "channel": phone.channel}


def _instant(at: datetime | None) -> str | None:
    return at.strftime("%Y-%m-%dT%H:%M:%S.%fZ") if at else None


def _seconds(ms: int | None) -> str:
    return "?" if ms is None else f"{ms / 1000:.3f}s"
