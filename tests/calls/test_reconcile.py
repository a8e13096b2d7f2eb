"""What the PBX wrote down itself, held against what we made of its stream."""

import csv
import gzip
import io
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from cti.calls.reconcile import CDR_COLUMNS, Report, compare, leg_ids, read_cdr, read_queue_log
from cti.calls.record import CallRecord
from tests.kit.tapes import TAPES, TRACES, events_of, told

LAB = sorted((TRACES / "lab").glob("*.ami"))
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
Row = dict[str, Any]


def row_of(record: CallRecord, call: str) -> Row:
    """A call as the store gives it."""
    by = record.answered_by
    return {
        "id": call,
        "direction": record.direction.value,
        "outcome": record.outcome and record.outcome.value,
        "reason": record.reason and record.reason.value,
        "agent_leg": by.leg if by else None,
        "device": by.device if by else None,
        "seen_at": record.began or record.seen_at,
        "over": record.over,
        "legs": dict(record.legs),
        "talked": {talk.phone.device for talk in record.talks},
    }


@cache
def truth_of(path: Path) -> dict[str, Any]:
    """What was written down beside the tape."""
    truth: dict[str, Any] = json.loads(path.with_suffix(".truth.json").read_text(encoding="utf-8"))
    return truth


def rows_of(path: Path) -> list[Row]:
    """Our calls of a tape."""
    calls = told(events_of(path.read_bytes()))
    return [row_of(record, f"{path.stem}-{n}") for n, record in enumerate(calls)]


def as_csv(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows as cdr_custom writes them: everything quoted."""
    text = io.StringIO()
    csv.writer(text, quoting=csv.QUOTE_ALL).writerows(rows)
    return text.getvalue().splitlines(keepends=True)


def held(truth: dict[str, Any], rows: Sequence[Row]) -> Report:
    """The PBX's own words against ours."""
    queue, broken = read_queue_log(truth["queue_log"])
    cdr, odd = read_cdr(as_csv(truth["cdr"]))
    return compare(queue, cdr, rows, broken + odd)


@pytest.mark.parametrize("path", [*TAPES, *LAB], ids=lambda path: path.stem)
def test_a_tape_differs_in_nothing_from_what_the_pbx_wrote_down(path: Path) -> None:
    report = held(truth_of(path), rows_of(path))

    assert list(report.differences) == []
    assert report.broken == 0


@pytest.mark.parametrize("name", ["load", "mixed"])
def test_five_hundred_calls_under_load_differ_in_nothing(name: str) -> None:
    bench = TRACES.parent / "bench"
    truth = json.loads(gzip.decompress((bench / f"{name}.truth.json.gz").read_bytes()))
    calls = told(events_of(gzip.decompress((bench / f"{name}.ami.gz").read_bytes())))

    report = held(truth, [row_of(record, str(n)) for n, record in enumerate(calls)])

    assert list(report.differences) == []
    assert (report.ours, report.broken) == (500, 0)
    asked = {(r.caller, o.phone.agent): o for r in calls for o in r.offers}
    for phone in truth["rung"]:
        offer = asked[phone["caller"], phone["phone"]]
        rang = (phone["answered"] or phone["ended"]) - phone["rang"]
        if phone["how"] == "busy":
            assert offer.ring_ms is None
            continue
        assert offer.ring_ms is not None
        assert abs(offer.ring_ms - rang * 1000) < 200, (offer, phone)


QUEUE = TRACES / "queue-ringall-one-answers.ami"
GIVEN_UP = TRACES / "queue-abandoned.ami"
CALLER, AGENT = "1795314535.50", "1795314535.53"


def kinds(report: Report) -> list[tuple[str, str]]:
    """Which differences there are, and against which file."""
    return sorted((d.kind, d.source) for d in report.differences)


class TestPlanted:
    """Each kind of difference is found."""

    def test_a_call_that_we_do_not_have(self) -> None:
        report = held(truth_of(QUEUE), [])

        assert kinds(report) == [("missing", "cdr"), ("missing", "queue_log")]
        assert all(d.call is None and d.ours == "nothing" for d in report.differences)

    def test_a_call_that_only_we_have(self) -> None:
        rows = rows_of(QUEUE)
        extra = rows[0] | {"id": "extra", "legs": {"9.9": "PJSIP/trunk-9"}}

        report = held(truth_of(QUEUE), [*rows, extra])

        assert [(d.kind, d.call) for d in report.differences] == [("extra", "extra")]

    def test_a_call_of_ours_before_the_files_begin_is_no_difference(self) -> None:
        rows = rows_of(QUEUE)
        early = rows[0] | {"legs": {"9.9": "x"}, "seen_at": rows[0]["seen_at"].replace(year=2020)}

        assert kinds(held(truth_of(QUEUE), [*rows, early])) == []

    def test_answered_by_them_and_missed_by_us(self) -> None:
        [row] = rows_of(QUEUE)
        row |= {"outcome": "missed", "reason": "rang_out", "agent_leg": None, "device": None}

        report = held(truth_of(QUEUE), [row])

        assert kinds(report) == [("outcome", "cdr"), ("outcome", "queue_log")]
        assert {d.ours for d in report.differences} == {"missed (rang_out)"}

    def test_given_up_by_them_and_answered_by_us(self) -> None:
        [row] = rows_of(GIVEN_UP)
        row |= {"outcome": "answered", "device": "PJSIP/6001", "agent_leg": "x"}

        report = held(truth_of(GIVEN_UP), [row])

        assert kinds(report) == [("outcome", "cdr"), ("outcome", "queue_log")]

    def test_another_agent(self) -> None:
        [row] = rows_of(QUEUE)
        row |= {"device": "PJSIP/6002", "agent_leg": "1795314535.54", "talked": {"PJSIP/6002"}}

        report = held(truth_of(QUEUE), [row])

        assert kinds(report) == [("agent", "cdr"), ("agent", "queue_log")]
        assert "PJSIP/6001-00000009" in report.differences[0].theirs

    def test_a_call_of_ours_that_is_still_open(self) -> None:
        [row] = rows_of(QUEUE)
        row |= {"outcome": None, "over": False, "agent_leg": None, "device": None}

        assert {d.ours for d in held(truth_of(QUEUE), [row]).differences} == {"open"}

    def test_one_lost_among_many_is_the_one_that_is_named(self) -> None:
        paths = [path for path in LAB if path.stem.startswith("queue-")]
        rows = [row for path in paths for row in rows_of(path)]
        queue, _ = read_queue_log([line for path in paths for line in truth_of(path)["queue_log"]])
        cdr, _ = read_cdr([line for path in paths for line in as_csv(truth_of(path)["cdr"])])
        assert list(compare(queue, cdr, rows).differences) == []

        lost = rows.pop(3)

        found = compare(queue, cdr, rows).differences
        assert {d.kind for d in found} == {"missing"}
        assert len(found) == len(queue.keys() & lost["legs"]) + len(cdr.keys() & lost["legs"])


class TestQueueLog:
    """Reading queue_log."""

    def test_what_concerns_no_caller_is_left_out(self) -> None:
        lines = [
            "1|NONE|NONE|NONE|QUEUESTART|",
            "1|MANAGER|support|Agent 6001|PAUSE|lunch",
            "1|REALTIME|support|Agent 6001|ADDMEMBER|",
            "1|1.1|support|Agent 6001|REMOVEMEMBER|",
            "",
        ]

        assert read_queue_log(lines) == ({}, 0)

    def test_broken_lines_are_counted_and_the_rest_is_read(self) -> None:
        found, broken = read_queue_log(["nonsense\n", "1|1.1|s|NONE|ABANDON|1|1|4\r\n", "a|b|c"])

        assert (list(found), broken) == (["1.1"], 2)
        assert found["1.1"].gave_up

    def test_a_caller_may_be_connected_more_than_once(self) -> None:
        found, _ = read_queue_log(
            ["1|1.1|a|M|CONNECT|4|1.2|3", "9|1.1|b|N|CONNECT|4|1.7|3", "9|1.1|b|N|CONNECT|4"]
        )

        assert found["1.1"].connected == ["1.2", "1.7"]

    def test_a_line_of_odd_bytes_is_read_as_far_as_it_goes(self) -> None:
        found, broken = read_queue_log(["1|1.1|\x00|\ufffd|CONNECT|4|1.2|3"])

        assert (found["1.1"].connected, broken) == (["1.2"], 0)


class TestCdr:
    """Reading the CDR."""

    def line(self, **cells: str) -> str:
        """One row."""
        return as_csv([[cells.get(name, "") for name in CDR_COLUMNS]])[0]

    def test_rows_of_one_call_are_one_call(self) -> None:
        found, broken = read_cdr(
            [
                self.line(uniqueid="1.1", linkedid="1.1", disposition="NO ANSWER"),
                self.line(
                    uniqueid="1.1", linkedid="1.1", disposition="ANSWERED", dstchannel="PJSIP/6-1",
                    answer="2026-11-22 02:28:59",
                ),
            ]
        )  # fmt: skip

        assert broken == 0
        assert found["1.1"].answered == [("2026-11-22 02:28:59", "PJSIP/6-1")]
        assert leg_ids({}, found) == {"1.1"}

    def test_an_answer_by_no_other_channel_is_no_persons(self) -> None:
        found, _ = read_cdr(
            [self.line(uniqueid="1.1", linkedid="1.1", disposition="ANSWERED", answer="x")]
        )

        assert found["1.1"].answered == []

    def test_broken_rows_are_counted(self) -> None:
        found, broken = read_cdr(["a,b\n", "\n", self.line(linkedid="1.1"), '"1","2'])

        assert (list(found), broken) == (["1.1"], 2)

    def test_a_name_with_quotes_commas_and_zero_bytes_is_read(self) -> None:
        found, broken = read_cdr([self.line(linkedid="1.1", src='a","b\x00').replace("b", "b\x00")])

        assert (list(found), broken) == (["1.1"], 0)

    def test_an_outbound_call_is_billed_by_its_first_leg_whoever_was_silent(self) -> None:
        row = {
            "id": "a", "direction": "outbound", "outcome": "missed", "reason": None,
            "agent_leg": None, "device": None, "seen_at": NOON, "over": True,
            "legs": {"1.1": "x"}, "talked": set(),
        }  # fmt: skip
        found, _ = read_cdr(
            [self.line(uniqueid="1.1", linkedid="1.1", disposition="ANSWERED", dstchannel="x-1",
                       answer="y")]
        )  # fmt: skip

        assert list(compare({}, found, [row]).differences) == []
