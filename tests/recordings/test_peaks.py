"""What a waveform is drawn of: loudness per stretch and side, and the share of silence."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recordings.peaks import PEAKS, Meter
from tests.kit.sound import RATE, Samples, silence, tone


def heard(samples: Samples, channels: int = 1, at_once: int = 4096, rate: int = RATE) -> Meter:
    """Let a meter hear samples, in pieces of so many bytes."""
    meter, pcm = Meter(rate, channels), samples.tobytes()
    for at in range(0, len(pcm), at_once):
        meter.hear(pcm[at : at + at_once])
    return meter


def test_each_peak_is_the_loudest_moment_of_its_stretch() -> None:
    loud_in_the_middle = np.concatenate([tone(1, level=0.1), tone(1, level=0.9), silence(1)])

    peaks = heard(loud_in_the_middle).peaks(3)

    assert [25, 230, 0] == list(peaks)


def test_the_sides_are_kept_apart_left_first() -> None:
    sides = np.column_stack([tone(2, level=0.5), silence(2)]).reshape(-1)

    peaks = heard(sides, channels=2).peaks(2)

    assert [127, 127, 0, 0] == list(peaks)


def test_an_hour_has_as_many_peaks_as_are_drawn() -> None:
    assert len(heard(silence(3600), at_once=1 << 20).peaks()) == PEAKS


def test_a_short_sound_has_a_peak_for_each_hundredth_of_a_second() -> None:
    assert len(heard(tone(0.055)).peaks()) == 6


def test_the_loudest_sample_that_there_is_does_not_turn_into_silence() -> None:
    assert [255] == list(heard(np.full(80, -32768, "<i2")).peaks())


@pytest.mark.parametrize("channels", [1, 2])
def test_no_sound_has_no_peaks_and_no_silence(channels: int) -> None:
    meter = heard(silence(0), channels=channels)

    assert (b"", None) == (meter.peaks(), meter.silence_share())


def test_time_in_which_nobody_speaks_is_silence() -> None:
    talk = np.concatenate([tone(1), silence(3)])

    assert heard(talk).silence_share() == 0.75


def test_one_side_that_speaks_is_no_silence() -> None:
    sides = np.column_stack([silence(2), np.concatenate([tone(1), silence(1)])]).reshape(-1)

    assert heard(sides, channels=2).silence_share() == 0.5


def test_a_gap_between_two_words_is_no_silence() -> None:
    word, gap = tone(0.06), silence(0.04)

    assert heard(np.concatenate([word, gap] * 20)).silence_share() == 0


def test_the_noise_of_a_line_is_silence() -> None:
    assert heard(tone(1, level=0.005)).silence_share() == 1


@given(st.integers(1, 999), st.sampled_from([1, 2]), st.integers(0, 2000))
def test_how_the_sound_is_cut_changes_nothing(at_once: int, channels: int, length: int) -> None:
    samples = np.random.default_rng(length).integers(-20000, 20000, length).astype("<i2")
    whole = heard(samples, channels, 1 << 20)

    cut = heard(samples, channels, at_once)

    assert (whole.peaks(), whole.silence_share()) == (cut.peaks(), cut.silence_share())
