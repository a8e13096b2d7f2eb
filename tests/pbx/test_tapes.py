"""Are the lab's tapes whole? What each must hold so that others may rely on it."""

import gzip
import json
from pathlib import Path

import pytest

TRACES = Path(__file__).parents[1] / "traces" / "lab"
TAPES = sorted(TRACES.glob("*.ami"))
BANNER = b"Asterisk Call Manager/"


def frames(data: bytes) -> list[list[bytes]]:
    """Give each frame's lines; blank lines between frames are no frames."""
    return [cut.strip(b"\r\n").split(b"\r\n") for cut in data.split(b"\r\n\r\n") if cut.strip()]


@pytest.mark.parametrize("tape", TAPES, ids=lambda tape: tape.stem)
def test_a_tape_says_what_happened_and_where_its_sessions_begin(tape: Path) -> None:
    data = tape.read_bytes()
    truth = json.loads(tape.with_suffix(".truth.json").read_text(encoding="utf-8"))

    assert truth["scenario"] == tape.stem
    assert truth["what"].endswith(".")
    assert all(data[at:].startswith(BANNER) for at in truth["connections"])
    assert data.count(BANNER) == len(truth["connections"])


@pytest.mark.parametrize("tape", TAPES, ids=lambda tape: tape.stem)
def test_every_unsolicited_event_names_its_system(tape: Path) -> None:
    name = json.loads(tape.with_suffix(".truth.json").read_text(encoding="utf-8"))["systemname"]
    tracer = gzip.decompress((TRACES / "tracer" / f"{tape.name}.gz").read_bytes())

    heads = {
        tuple(line.partition(b":")[0].decode() for line in frame[:4])
        for frame in frames(tape.read_bytes()) + frames(tracer)
        if frame[0].startswith(b"Event:") and frame[0] != b"Event: FullyBooted"
    }

    assert heads == {("Event", "Privilege", "Timestamp", "SystemName")}
    assert f"SystemName: {name}\r\n".encode() in tape.read_bytes()


@pytest.mark.parametrize("tape", TAPES, ids=lambda tape: tape.stem)
def test_every_channel_of_the_last_session_is_gone_at_the_end(tape: Path) -> None:
    truth = json.loads(tape.with_suffix(".truth.json").read_text(encoding="utf-8"))
    last = tape.read_bytes()[truth["connections"][-1] :]

    assert last.count(b"Event: Newchannel\r\n") == last.count(b"Event: Hangup\r\n")
