"""Do our records say what the PBX wrote down itself? Call by call, against queue_log and CDR.

Pure: texts and rows in, differences out. A row of the CDR is no call, and neither file is a
truth of its own: both are held against the call that their channels belong to (the call
model, section 7).
"""

import csv
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final

GIVEN_UP: Final = ("ABANDON",)
CDR_COLUMNS: Final = (
    "uniqueid",
    "linkedid",
    "src",
    "dst",
    "channel",
    "dstchannel",
    "lastapp",
    "start",
    "answer",
    "end",
    "duration",
    "billsec",
    "disposition",
)
"""The columns of config/asterisk/cdr_custom.conf."""


@dataclass(slots=True)
class Visited:
    """What queue_log says of one caller: who was connected, in order, and whether he gave up."""

    caller: str
    connected: list[str] = field(default_factory=list)
    """Channel ids of the agents."""
    gave_up: bool = False


@dataclass(slots=True)
class Billed:
    """What the CDR says of one linkedid: the phones that answered, by time."""

    linked: str
    begun_by: str = ""
    """Device of the channel that began it."""
    legs: set[str] = field(default_factory=set)
    answered: list[tuple[str, str]] = field(default_factory=list)
    """(answer time as written, channel that answered)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One thing in which our records and the PBX's differ. `call` is ours, if there is one."""

    kind: str  # missing | outcome | agent | extra
    source: str  # queue_log | cdr
    call: str | None
    theirs: str
    ours: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """How many calls were held against each other, and every difference."""

    queue_calls: int
    cdr_calls: int
    ours: int
    broken: int
    """Lines of the PBX's files that could not be read."""
    differences: Sequence[Difference]


def read_queue_log(lines: Iterable[str]) -> tuple[dict[str, Visited], int]:
    """Read queue_log; give what it says by caller's Uniqueid, and how many lines were broken."""
    found: dict[str, Visited] = {}
    broken = 0
    for line in lines:
        parts = line.rstrip("\r\n").split("|")
        if len(parts) < 5:
            broken += bool(line.strip())
            continue
        _, caller, _, _, event, *data = parts
        if caller in ("NONE", "REALTIME", "MANAGER", "") or event in ("ADDMEMBER", "REMOVEMEMBER"):
            continue
        visited = found.setdefault(caller, Visited(caller))
        if event == "CONNECT" and len(data) > 1:
            visited.connected.append(data[1])
        elif event in GIVEN_UP:
            visited.gave_up = True
    return found, broken


def read_cdr(lines: Iterable[str]) -> tuple[dict[str, Billed], int]:
    """Read the CSV of config/asterisk/cdr_custom.conf; give it by linkedid, and broken rows."""
    found: dict[str, Billed] = {}
    broken = 0
    for row in csv.reader(line.replace("\0", "") for line in lines):
        if len(row) != len(CDR_COLUMNS):
            broken += bool(row)
            continue
        cell = dict(zip(CDR_COLUMNS, row, strict=True))
        billed = found.setdefault(cell["linkedid"], Billed(cell["linkedid"]))
        billed.legs.add(cell["uniqueid"])
        if cell["uniqueid"] == cell["linkedid"]:
            billed.begun_by = _device(cell["channel"])
        if cell["disposition"] == "ANSWERED" and cell["dstchannel"] and cell["answer"]:
            billed.answered.append((cell["answer"], cell["dstchannel"]))
    return found, broken


def leg_ids(queue: Mapping[str, Visited], cdr: Mapping[str, Billed]) -> set[str]:
    """Give every channel id by which the PBX's files name a call."""
    return set(queue) | set(cdr) | {leg for billed in cdr.values() for leg in billed.legs}


def compare(
    queue: Mapping[str, Visited],
    cdr: Mapping[str, Billed],
    rows: Sequence[Mapping[str, Any]],
    broken: int = 0,
) -> Report:
    """Hold the PBX's files against our calls.

    `rows` are calls as `CallStore.rows_of` gives them: with `legs` (channel id to channel name).
    """
    by_leg = {leg: row for row in rows for leg in row["legs"]}
    found: list[Difference] = []
    for visited in queue.values():
        found += _queue_call(visited, by_leg.get(visited.caller))
    for billed in cdr.values():
        row = next((by_leg[leg] for leg in {billed.linked, *billed.legs} if leg in by_leg), None)
        if row is None or not _consultation(billed, row):
            found += _cdr_call(billed, row)
    if cdr:
        found += _extra(cdr, rows)
    return Report(
        queue_calls=len(queue),
        cdr_calls=len(cdr),
        ours=len(rows),
        broken=broken,
        differences=found,
    )


def lines(report: Report, *, as_object: bool) -> Iterable[str]:
    """Give a report as lines for the eye, or as one JSON object."""
    if as_object:
        yield json.dumps(asdict(report), ensure_ascii=False)
        return
    for found in report.differences:
        call = found.call or "no call of ours"
        yield f"{found.source:9}  {found.kind:7}  {call}  PBX: {found.theirs}  cti: {found.ours}"
    if report.broken:
        yield f"{report.broken} lines of the PBX's files could not be read"
    yield (
        f"{report.queue_calls} calls in queue_log, {report.cdr_calls} in the CDR, "
        f"{report.ours} in our records: {len(report.differences)} differences"
    )


def _queue_call(visited: Visited, row: Mapping[str, Any] | None) -> Iterable[Difference]:
    theirs = "connected" if visited.connected else "gave up" if visited.gave_up else "left"
    if row is None:
        yield _difference("missing", "queue_log", None, f"{theirs} (a caller of ours)", "nothing")
        return
    answered = row["outcome"] == "answered"
    if visited.connected and not answered:
        yield _difference("outcome", "queue_log", row, "connected", _ours(row))
    elif visited.gave_up and not visited.connected and answered:
        yield _difference("outcome", "queue_log", row, "gave up", _ours(row))
    elif visited.connected and not _same_agent(visited.connected, row):
        yield _difference(
            "agent", "queue_log", row, _channel(row, visited.connected[0]), _ours(row)
        )


def _same_agent(connected: Sequence[str], row: Mapping[str, Any]) -> bool:
    """Tell whether who answered by us is who the queue connected; a Local stands for its phone."""
    legs: Mapping[str, str] = row["legs"]
    return any(
        leg == row["agent_leg"] or legs.get(leg, "").startswith("Local/") for leg in connected
    )


def _consultation(billed: Billed, row: Mapping[str, Any]) -> bool:
    """Tell whether these rows bill what our agent dialled to ask a colleague before a transfer.

    Joined to the customer's call by the transfer, it keeps a linkedid of its own in the CDR.
    """
    inbound = row["direction"] == "inbound"
    return inbound and billed.begun_by != _device(row["channel"]) and bool(billed.begun_by)


def _cdr_call(billed: Billed, row: Mapping[str, Any] | None) -> Iterable[Difference]:
    answered = sorted(billed.answered)
    theirs = f"answered by {answered[0][1]}" if answered else "not answered"
    if row is None:
        yield _difference("missing", "cdr", None, theirs, "nothing")
        return
    if row["direction"] != "inbound":
        return  # a row of the CDR bills the first leg, whoever was silent (call model 7)
    if bool(answered) != (row["outcome"] == "answered"):
        yield _difference("outcome", "cdr", row, theirs, _ours(row))
        return
    devices = {_device(channel) for _, channel in answered}
    local = any(device.startswith("Local/") for device in devices)
    if answered and not local and row["device"] not in devices:
        yield _difference("agent", "cdr", row, theirs, _ours(row))


def _extra(cdr: Mapping[str, Billed], rows: Sequence[Mapping[str, Any]]) -> Iterable[Difference]:
    """Find calls of ours of which the CDR knows nothing, between its first and its last."""
    named = leg_ids({}, cdr)
    times = [row["seen_at"] for row in rows if named & set(row["legs"])]
    for row in rows:
        inside = times and min(times) <= row["seen_at"] <= max(times)
        if inside and row["over"] and not named & set(row["legs"]):
            yield _difference("extra", "cdr", row, "nothing", _ours(row))


def _device(channel: str) -> str:
    return channel.rsplit("-", 1)[0]


def _channel(row: Mapping[str, Any], leg: str) -> str:
    return str(row["legs"].get(leg, "a channel that we did not see"))


def _ours(row: Mapping[str, Any]) -> str:
    by = f" by {row['device']}" if row["device"] else ""
    why = f" ({row['reason']})" if row["reason"] else ""
    return f"{row['outcome'] or 'open'}{by}{why}"


def _difference(
    kind: str, source: str, row: Mapping[str, Any] | None, theirs: str, ours: str
) -> Difference:
    call = str(row["id"]) if row else None
    return Difference(kind=kind, source=source, call=call, theirs=theirs, ours=ours)
