"""How a recording is drawn: bars, pauses, moments."""

from datetime import timedelta

import pytest

from cti.errors import Refused
from recordings.record import Pause
from recordings.wave import HEIGHT, WIDTH, clock, gaps, paths, place, read_clock
from tests.recordings.test_store import NOON


def paused(since: float, until: float | None) -> Pause:
    """Make a pause by seconds after the beginning."""
    ended = None if until is None else NOON + timedelta(seconds=until)
    began = NOON + timedelta(seconds=since)
    return Pause(id="p", call="c", recording=None, began=began, ended=ended, person="p-may")


def test_the_loudest_peak_is_as_high_as_there_is_room() -> None:
    (path,) = paths(bytes([0, 100, 50, 25]), 1)

    assert path == f"M0 {HEIGHT // 2}h{WIDTH}M200 0v32M400 8v16M600 12v8"


def test_each_side_has_a_path_and_both_one_scale() -> None:
    left, right = paths(bytes([200, 200, 100, 100]), 2)

    assert ("M0 16h800M0 0v32M400 0v32", "M0 16h800M0 8v16M400 8v16") == (left, right)


def test_a_whisper_is_drawn_as_one() -> None:
    assert "v4" in paths(bytes([6]), 1)[0]


@pytest.mark.parametrize(("peaks", "channels"), [(b"", 1), (b"", 2), (b"\x01", 2), (b"\x01", 0)])
def test_where_nothing_is_known_nothing_is_drawn(peaks: bytes, channels: int) -> None:
    assert [] == paths(peaks, channels)


@pytest.mark.parametrize(
    ("since", "until", "told"),
    [
        (10, 20, [(10_000, 20_000, 80, 80)]),
        (-5, 5, [(0, 5_000, 0, 40)]),
        (90, None, [(90_000, 100_000, 720, 80)]),
        (90, 300, [(90_000, 100_000, 720, 80)]),
        (50, 50.01, [(50_000, 50_010, 400, 1)]),
        (-9, -5, []),
        (100, 200, []),
        (20, 10, []),
    ],
)
def test_pauses_lie_within_the_recording(
    since: float, until: float | None, told: list[tuple[int, int, int, int]]
) -> None:
    found = gaps([paused(since, until)], NOON, 100_000)

    assert told == [(gap.from_ms, gap.to_ms, gap.x, gap.width) for gap in found]


def test_a_recording_without_time_has_no_pauses_to_show() -> None:
    assert [] == gaps([paused(0, 1)], None, 1000) + gaps([paused(0, 1)], NOON, 0)


@pytest.mark.parametrize(
    ("text", "ms"),
    [("0:00", 0), ("1:05", 65_000), (" 61:00 ", 3_660_000), ("1:01:01.5", 3_661_500)],
)
def test_a_moment_is_read_as_it_is_written(text: str, ms: int) -> None:
    assert ms == read_clock(text)


@pytest.mark.parametrize("text", ["", "5", "1:5", "1:60", "-1:00", "a:bc", "٣:00", "1:00:00:00"])
def test_what_is_no_moment_is_refused(text: str) -> None:
    with pytest.raises(Refused) as refused:
        read_clock(text)

    assert "marker_time" == refused.value.code


def test_moments_are_written_and_placed() -> None:
    assert ("0:00", "1:05", "1:01:01") == (clock(999), clock(65_000), clock(3_661_000))
    assert (0, 400, 800, 0) == (place(0, 10), place(5, 10), place(11, 10), place(5, 0))
