"""Tapes: what was recorded is what is read, with the same instants."""

import io
import os
import stat
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from cti.clock import SetClock
from cti.errors import ConfigError
from cti.pbx.tape import Recorder, read_tape, times_of

BEGAN = datetime(2026, 11, 22, 2, 28, 55, 195584, tzinfo=UTC)
READS = [b"Asterisk Call Manager/11.0.0\r\n", b"Event: A\r\nName: \xe7\x8e", b"\x8b\r\n\r\n"]


def record(path: Path) -> SetClock:
    clock = SetClock(BEGAN)
    with Recorder(path, clock) as recorder:
        for data in READS:
            recorder.write(data)
            clock.go(timedelta(milliseconds=20))
    return clock


def test_a_tape_gives_back_each_read_and_when_it_came(tmp_path: Path) -> None:
    tape = tmp_path / "call.ami"
    record(tape)

    assert tape.read_bytes() == b"".join(READS)
    assert list(read_tape(tape)) == [
        (data, BEGAN + timedelta(milliseconds=20 * n)) for n, data in enumerate(READS)
    ]
    assert times_of(tape).read_text().splitlines()[1] == "30\t20000\t2026-11-22T02:28:55.215584Z"


def test_a_tape_without_times_is_read_without_instants(tmp_path: Path) -> None:
    tape = tmp_path / "call.ami"
    tape.write_bytes(b"x" * 200_000)

    pieces = list(read_tape(tape))

    assert b"".join(piece for piece, _ in pieces) == b"x" * 200_000
    assert {at for _, at in pieces} == {None}


def test_standard_input_is_a_tape(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"Event: A\r\n\r\n")))

    assert list(read_tape("-")) == [(b"Event: A\r\n\r\n", None)]


def test_a_recording_that_was_killed_is_read_to_its_last_byte(tmp_path: Path) -> None:
    tape = tmp_path / "call.ami"
    record(tape)
    times = times_of(tape)
    times.write_bytes(times.read_bytes()[:-9])  # the last line was cut off

    assert list(read_tape(tape)) == [
        (READS[0], BEGAN),
        (READS[1] + READS[2], BEGAN + timedelta(milliseconds=20)),
    ]


def test_a_tape_cut_short_gives_what_is_there(tmp_path: Path) -> None:
    tape = tmp_path / "call.ami"
    record(tape)
    tape.write_bytes(b"".join(READS)[:35])

    assert [piece for piece, _ in read_tape(tape)] == [READS[0], READS[1][:5]]


@pytest.mark.parametrize("times", [b"", b"0\t0\t2026-11-22T02"])
def test_times_that_were_never_written_are_none(tmp_path: Path, times: bytes) -> None:
    tape = tmp_path / "call.ami"
    tape.write_bytes(b"Event: A\r\n\r\n")
    times_of(tape).write_bytes(times)

    assert list(read_tape(tape)) == [(b"Event: A\r\n\r\n", None)]


@pytest.mark.parametrize(
    "times",
    [
        b"nonsense\n",
        b"5\t0\t2026-11-22T02:28:55Z\n",
        b"0\t0\tnoon\n",
        b"0\t0\t2026-11-22T02:28:55Z\n9\t0\t2026-11-22T02:28:55Z\n3\t0\t2026-11-22T02:28:55Z\n",
        b"0\t0\t\xff\n",
    ],
)
def test_times_that_make_no_sense_are_told_with_their_line(tmp_path: Path, times: bytes) -> None:
    tape = tmp_path / "call.ami"
    tape.write_bytes(b"Event: A\r\n\r\n")
    times_of(tape).write_bytes(times)

    with pytest.raises(ConfigError, match=r"call\.ami\.times: line \d"):
        list(read_tape(tape))


def test_a_tape_that_is_not_there_is_told_by_name(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"absent\.ami: No such file"):
        list(read_tape(tmp_path / "absent.ami"))


def test_no_tape_is_recorded_over(tmp_path: Path) -> None:
    tape = tmp_path / "call.ami"
    record(tape)

    with pytest.raises(ConfigError, match="File exists"):
        Recorder(tape, SetClock(BEGAN))
    tape.unlink()
    with pytest.raises(ConfigError, match="File exists"):
        Recorder(tape, SetClock(BEGAN))
    assert not tape.exists()


def test_a_tape_is_for_its_owner_alone(tmp_path: Path) -> None:
    tape = tmp_path / "call.ami"
    record(tape)

    assert {stat.S_IMODE(path.stat().st_mode) for path in (tape, times_of(tape))} == {0o600}


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_ends_the_recording_and_nothing_else(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "call.ami", SetClock(BEGAN))
    recorder.write(READS[0])
    with Path("/dev/full").open("wb", buffering=0) as full:
        os.dup2(full.fileno(), recorder._tape.fileno())

    with capture_logs() as logs:
        recorder.write(READS[1])
        recorder.write(READS[2])
        recorder.close()

    assert recorder.fault == "No space left on device"
    assert recorder.written == len(READS[0])
    assert [(log["event"], log["bytes"]) for log in logs] == [("tape_stopped", 30)]


def test_nothing_is_written_after_the_end(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "call.ami", SetClock(BEGAN))
    recorder.close()
    recorder.write(b"late")

    assert (tmp_path / "call.ami").read_bytes() == b""
