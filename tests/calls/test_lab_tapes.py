"""48 situations of a real Asterisk 22, each held against what the phones themselves did.

`told.json` is what was read off the tapes and checked, scene by scene, against the scene's
words; the rings are held against the phones' own clocks, which know nothing of it.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from cti.calls.book import trunk_matcher
from cti.calls.record import CallRecord
from cti.calls.replay import as_json, replay
from tests.kit.tapes import HOUSE, TRACES, TRUNKS

FOLDER = TRACES / "lab"
TAPES = sorted(FOLDER.glob("*.ami"))
TOLD: dict[str, Any] = json.loads((FOLDER / "told.json").read_text(encoding="utf-8"))
CLOSE_MS = 50


def calls_of(path: Path, systemname: str = "") -> list[CallRecord]:
    """The calls on a tape."""
    pieces = [(path.read_bytes(), None)]
    return replay(pieces, is_trunk=trunk_matcher(TRUNKS), house=HOUSE, systemname=systemname)


def truth_of(path: Path) -> dict[str, Any]:
    """What was written down beside the tape."""
    truth: dict[str, Any] = json.loads(path.with_suffix(".truth.json").read_text(encoding="utf-8"))
    return truth


def brief(record: CallRecord) -> dict[str, Any]:
    """A call without what differs from one recording of the scene to the next."""
    line = as_json(record)
    keep = ("direction", "caller", "caller_name", "dialled", "outcome", "reason", "ended_by")
    return {key: line[key] for key in keep} | {
        "by": record.answered_by.agent if record.answered_by else None,
        "rings": record.rings,
        "queues": list(record.queues),
        "approximate": record.approximate,
        "recordings": len(record.recordings),
        "offers": [[o["agent"], o["outcome"]] for o in line["offers"]],
    }


@pytest.mark.parametrize("path", TAPES, ids=lambda path: path.stem)
def test_a_scene_is_told_as_it_was_played(path: Path) -> None:
    assert [brief(record) for record in calls_of(path)] == TOLD[path.stem]


def test_every_scene_is_told() -> None:
    assert sorted(TOLD) == sorted(path.stem for path in TAPES)


@pytest.mark.parametrize("path", TAPES, ids=lambda path: path.stem)
def test_rings_are_as_long_as_the_phones_rang(path: Path) -> None:
    rang: dict[str, list[int]] = {}
    for side in truth_of(path)["sides"]:
        if side["ring_ms"] is not None:
            rang.setdefault(side["number"], []).append(side["ring_ms"])

    for record in calls_of(path):
        for offer in record.offers:
            if offer.ring_ms is None or record.approximate:
                continue
            phone = rang[offer.phone.agent]
            assert any(abs(offer.ring_ms - ms) <= CLOSE_MS for ms in phone), (offer, phone)


@pytest.mark.parametrize("path", TAPES, ids=lambda path: path.stem)
def test_with_the_secret_name_the_tape_tells_the_same(path: Path) -> None:
    assert calls_of(path, truth_of(path)["systemname"]) == calls_of(path)


@pytest.mark.parametrize("path", TAPES, ids=lambda path: path.stem)
def test_with_another_name_nothing_of_it_is_believed(path: Path) -> None:
    assert calls_of(path, "x" * 48) == []
