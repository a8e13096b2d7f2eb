"""What did the PBX say, byte by byte, and when did it come? Recording, and reading again.

A tape is `NAME.ami`, the raw bytes, and beside it, if we recorded it, `NAME.ami.times`: a line
for each read, with its offset in the tape, the monotonic clock in microseconds and the instant in
UTC, parted by tabs. A tape holds customers' numbers and the secret systemname: it is readable
by its owner alone.
"""

import os
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO

import structlog

from cti.clock import Clock
from cti.errors import ConfigError

log = structlog.get_logger(__name__)

PIECE = 64 * 1024


class Recorder:
    """Write a new tape. Give it to a `Link` as `tape`.

    Raises `ConfigError` if the tape cannot be made, or is there already. A write that fails (disk
    full) ends the recording and not the link: `fault` says why, and the log.
    """

    def __init__(self, path: Path, clock: Clock) -> None:
        self.path = path
        self.written = 0
        self.fault = ""
        self._clock = clock
        self._tape = _create(path)
        try:
            self._times = _create(times_of(path))
        except ConfigError:
            self._tape.close()
            path.unlink()
            raise

    def write(self, data: bytes) -> None:
        """Keep what one read gave. Raises nothing."""
        if self.fault or self._tape.closed:
            return
        micros, at = int(self._clock.monotonic() * 1_000_000), self._clock.now()
        try:
            self._tape.write(data)
            self._tape.flush()
            self._times.write(f"{self.written}\t{micros}\t{_text(at)}\n".encode())
            self._times.flush()
        except OSError as fault:
            self.fault = fault.strerror or str(fault)
            log.error("tape_stopped", tape=str(self.path), bytes=self.written, reason=self.fault)
            return
        self.written += len(data)

    def close(self) -> None:
        """End the recording. Raises nothing; `fault` says if the end could not be written."""
        for file in (self._tape, self._times):
            try:
                file.close()
            except OSError as fault:
                self.fault = self.fault or fault.strerror or str(fault)

    def __enter__(self) -> "Recorder":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def times_of(path: Path) -> Path:
    """Give the name of the file with a tape's times."""
    return path.with_name(path.name + ".times")


def read_tape(path: Path | str) -> Iterator[tuple[bytes, datetime | None]]:
    """Give a tape in pieces, each with the instant of its arrival; `-` is standard input.

    With a file of times the pieces are the reads of the recording. Without one they have any
    size and no instant. Raises `ConfigError` if the tape or its times cannot be read.
    """
    if str(path) == "-":
        yield from ((piece, None) for piece in _pieces(sys.stdin.buffer))
        return
    path = Path(path)
    try:
        with path.open("rb") as tape:
            if times_of(path).exists():
                yield from _timed(tape, _read_times(times_of(path)))
            else:
                yield from ((piece, None) for piece in _pieces(tape))
    except OSError as fault:
        raise ConfigError(
            f"tape {path}: {fault.strerror or fault}",
            "give a file of raw AMI bytes, or - for standard input",
            code="tape",
        ) from fault


def _pieces(tape: BinaryIO) -> Iterator[bytes]:
    read = getattr(tape, "read1", tape.read)
    while piece := read(PIECE):
        yield piece


def _timed(
    tape: BinaryIO, times: list[tuple[int, datetime]]
) -> Iterator[tuple[bytes, datetime | None]]:
    at: datetime | None = None
    for (start, at), (end, _) in pairwise(times):
        if piece := tape.read(end - start):
            yield piece, at
    if times:
        at = times[-1][1]
    for piece in _pieces(tape):
        yield piece, at


def _read_times(path: Path) -> list[tuple[int, datetime]]:
    """Read the times; a last line that was cut off is left out, as its bytes may be."""
    times = list[tuple[int, datetime]]()
    lines = path.read_bytes().split(b"\n")
    for number, line in enumerate(lines[:-1], 1):
        try:
            offset, _, at = line.decode("ascii").split("\t")
            times.append((int(offset), datetime.fromisoformat(at).astimezone(UTC)))
            if times[0][0] != 0 or (number > 1 and times[-1][0] < times[-2][0]):
                raise ValueError
        except ValueError:
            raise ConfigError(
                f"{path}: line {number} is not offset, microseconds and instant, in order",
                "remove the file; the tape then replays without times of arrival",
                code="tape",
            ) from None
    return times


def _create(path: Path) -> BinaryIO:
    try:
        return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")
    except OSError as fault:
        raise ConfigError(
            f"tape {path}: {fault.strerror or fault}",
            "choose a name that is free, in a directory that can be written",
            code="tape",
        ) from fault


def _text(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
