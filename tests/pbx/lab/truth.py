"""What happened? As Asterisk wrote it into its own files, on both sides of the wire."""

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

FILES = {
    "queue_log": "log/queue_log",
    "cdr": "log/cdr-custom/cti.csv",
    "cel": "log/cel-custom/cti.csv",
}
TYPE, TIME, CALLER, EXTEN, UNIQUEID, LINKEDID, CHANNEL, PEER, EXTRA, APP = range(10)


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One call as the world's own end saw it: a customer, or a phone that was rung.

    Instants are epoch seconds with microseconds. `rang`: it said that it rings, or was told so
    by the PBX's answer; None: never.
    """

    number: str
    channel: str
    began: float
    rang: float | None = None
    answered: float | None = None
    ended: float | None = None
    cause: int | None = None

    @property
    def ring_ms(self) -> int | None:
        """How long it rang, in whole milliseconds."""
        end = self.answered or self.ended
        return None if self.rang is None or end is None else int((end - self.rang) * 1000)


class Records:
    """The three files of one Asterisk, from some point on."""

    def __init__(self, tree: Path) -> None:
        self._tree = tree

    def sizes(self) -> dict[str, int]:
        """Give where the files end now: read from there later."""
        return {kind: _size(self._tree / name) for kind, name in FILES.items()}

    def queue_log(self, since: dict[str, int]) -> list[str]:
        """Give its lines: ts|Uniqueid|queue|member|event|data."""
        return self.text("queue_log", since).splitlines()

    def cdr(self, since: dict[str, int]) -> list[list[str]]:
        """Give rows in the columns of config/asterisk/cdr_custom.conf."""
        return list(csv.reader(io.StringIO(self.text("cdr", since))))

    def cel(self, since: dict[str, int]) -> list[list[str]]:
        """Give rows in the columns of config/asterisk/cel_custom.conf."""
        return list(csv.reader(io.StringIO(self.text("cel", since))))

    def text(self, kind: str, since: dict[str, int]) -> str:
        """Give what a file says, as it stands there."""
        path = self._tree / FILES[kind]
        if not path.exists():
            return ""
        with path.open("rb") as file:
            file.seek(since[kind])
            return file.read().decode("utf-8", "replace")


def sides(cel: list[list[str]]) -> list[Side]:
    """Tell from the world's CEL what each of its ends did, in the order in which they began."""
    return [_side(rows) for rows in _by_leg(cel)]


def lines(truth: dict[str, Any]) -> str:
    """Write JSON with one row per line, so that a change can be read."""
    parts = []
    for key, value in truth.items():
        if isinstance(value, list) and value and isinstance(value[0], (list, dict, str)):
            rows = ",\n  ".join(json.dumps(row, ensure_ascii=False) for row in value)
            parts.append(f" {json.dumps(key)}: [\n  {rows}\n ]")
        else:
            parts.append(f" {json.dumps(key)}: {json.dumps(value, ensure_ascii=False)}")
    return "{\n" + ",\n".join(parts) + "\n}\n"


def plain(side: Side) -> dict[str, Any]:
    """Give a side as JSON holds it."""
    return {**asdict(side), "ring_ms": side.ring_ms}


def _side(rows: list[list[str]]) -> Side:
    first = rows[0]
    when = {row[TYPE]: float(row[TIME]) for row in reversed(rows)}
    ringing = [float(r[TIME]) for r in rows if r[TYPE] == "APP_START" and r[APP] == "Ringing"]
    cause = next((json.loads(r[EXTRA])["hangupcause"] for r in rows if r[TYPE] == "HANGUP"), None)
    callee = first[EXTEN] not in ("", "s")
    return Side(
        number=first[EXTEN] if callee else next((r[CALLER] for r in rows if r[CALLER]), ""),
        channel=first[CHANNEL],
        began=when["CHAN_START"],
        rang=ringing[0] if ringing else None,
        answered=when.get("ANSWER"),
        ended=when.get("HANGUP"),
        cause=cause,
    )


def _by_leg(cel: list[list[str]]) -> Iterator[list[list[str]]]:
    legs: dict[str, list[list[str]]] = {}
    for row in cel:
        legs.setdefault(row[UNIQUEID], []).append(row)
    return (rows for rows in legs.values() if rows[0][TYPE] == "CHAN_START")


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
