"""What sound is in a file, and what a browser gets of it: real sounds, and files to be feared."""

import struct
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cti.errors import Refused
from recordings import audio
from recordings.audio import HEAD, PIECE, WAV_HEAD, Codec, Sound
from tests.kit.sound import RATE, Samples, heard, pitch, silence, stairs, tone, wav, written

SPEECH = stairs(20)
FILES: dict[str, tuple[str, bytes, Codec, int]] = {
    "PCM": ("a.wav", wav(SPEECH), Codec.PCM16, 0),
    "8-bit PCM": ("a.wav", written(SPEECH, "PCM_U8"), Codec.PCM8, 256),
    "24-bit PCM": ("a.wav", written(SPEECH, "PCM_24"), Codec.PCM24, 0),
    "32-bit PCM": ("a.wav", written(SPEECH, "PCM_32"), Codec.PCM32, 0),
    "µ-law": ("a.wav", written(SPEECH, "ULAW"), Codec.ULAW, 700),
    "A-law": ("a.wav", written(SPEECH, "ALAW"), Codec.ALAW, 700),
    "WAV49": ("a.WAV", written(SPEECH, "GSM610"), Codec.WAV49, 0),
    "bare GSM": ("a.gsm", written(SPEECH, "GSM610", "RAW"), Codec.GSM, 0),
    "bare µ-law": ("a.ulaw", written(SPEECH, "ULAW", "RAW"), Codec.ULAW, 700),
    "bare A-law": ("a.alaw", written(SPEECH, "ALAW", "RAW"), Codec.ALAW, 700),
    "bare PCM": ("a.raw", SPEECH.tobytes(), Codec.PCM16, 0),
    "bare wide PCM": ("a.sln16", SPEECH.tobytes(), Codec.PCM16, 0),
}
"""Name, content, codec, and how far a sample may be off (GSM is judged by its pitch)."""


def understood(file: bytes, name: str = "a.wav") -> Sound:
    return audio.understood(file[:HEAD], len(file), name, file[-HEAD:])


def sent(file: bytes, sound: Sound, first: int = 0, stop: int | None = None) -> bytes:
    """Give what a browser gets, made as the server makes it."""
    found = audio.pieces(sound, first, sound.sent_size if stop is None else stop)
    return b"".join(one.sent(file[one.offset : one.offset + one.length]) for one in found)


# -- what a browser gets


@pytest.mark.parametrize("kind", FILES)
def test_what_a_pbx_writes_plays(kind: str) -> None:
    name, file, codec, off = FILES[kind]
    sound = understood(file, name)

    samples, rate = heard(sent(file, sound))

    assert (codec, sound.rate, sound.duration_ms) == (codec, rate, len(samples) * 1000 // rate)
    assert abs(len(samples) - len(SPEECH)) < 320  # GSM fills its last block
    if codec in (Codec.GSM, Codec.WAV49):
        middle = samples[10 * RATE : 11 * RATE]
        assert abs(pitch(middle) - pitch(SPEECH[10 * RATE : 11 * RATE])) < 5
    else:
        assert np.abs(samples.astype(int) - SPEECH).max() <= off


@pytest.mark.parametrize("kind", FILES)
def test_a_range_is_what_stands_there_in_the_whole(kind: str) -> None:
    name, file, codec, _ = FILES[kind]
    sound = understood(file, name)
    whole = sent(file, sound)

    for first, stop in [(0, 1), (3, 44), (40, 60), (1001, 1004), (200_001, len(whole))]:
        part = sent(file, sound, first, stop)
        if codec in (Codec.GSM, Codec.WAV49) and first > WAV_HEAD:
            assert len(part) == len(whole[first:stop])
        else:
            assert part == whole[first:stop]


@pytest.mark.parametrize("kind", ["WAV49", "bare GSM"])
def test_a_jump_into_gsm_lands_where_it_should(kind: str) -> None:
    name, file, _, _ = FILES[kind]
    sound = understood(file, name)
    at = WAV_HEAD + 15 * RATE * 2 + 2

    samples = np.frombuffer(sent(file, sound, at, at + RATE * 2 - 200), "<i2")

    assert abs(pitch(samples) - pitch(SPEECH[15 * RATE : 16 * RATE])) < 5


@pytest.mark.parametrize("kind", FILES)
def test_the_length_is_known_before_anything_is_decoded(kind: str) -> None:
    name, file, _, _ = FILES[kind]
    sound = understood(file, name)

    assert len(sent(file, sound)) == sound.sent_size


def test_two_sides_stay_left_and_right() -> None:
    left, right = tone(1, 300), tone(1.5, 700)
    woven = audio.side_by_side(left.tobytes(), right.tobytes())
    file = wav(np.frombuffer(woven, "<i2"), channels=2)

    samples, _ = heard(sent(file, understood(file)))

    assert (300, 700) == (pitch(samples[:RATE, 0]), pitch(samples[:RATE, 1]))
    assert not samples[RATE:, 0].any()


def test_an_hour_of_gsm_is_read_only_where_it_is_wanted() -> None:
    hour = 3600 * 50 * 33
    sound = audio.understood(b"\xd2" + bytes(HEAD - 1), hour, "a.gsm")
    at = WAV_HEAD + 1800 * RATE * 2

    wanted = list(audio.pieces(sound, at, at + PIECE))

    assert 3_600_000 == sound.duration_ms
    assert sum(one.length for one in wanted) < 20_000
    assert wanted[0].length < 3_000  # the sound begins before the rest is decoded
    assert abs(wanted[0].offset - hour // 2) < 1_000


def test_opus_is_sent_as_it_is_and_its_length_is_known() -> None:
    file = written(SPEECH, "OPUS", "OGG")

    sound = understood(file, "a.ogg")

    assert ("audio/ogg", 20_000) == (sound.sent_type, sound.duration_ms)
    assert sent(file, sound, 100, 200) == file[100:200]


@settings(deadline=None)
@given(st.integers(0, 320_044), st.integers(0, 320_044))
def test_any_range_has_as_many_bytes_as_were_asked_for(first: int, length: int) -> None:
    _, file, _, _ = FILES["µ-law"]
    sound = understood(file)

    part = sent(file, sound, first, first + length)

    assert len(part) == max(0, min(first + length, sound.sent_size) - first)


# -- files that were cut off


def zeroed(file: bytes) -> bytes:
    """Give a file as Asterisk leaves it when it is killed: its header says that nothing came."""
    at = file.index(b"data")
    return file[:4] + struct.pack("<I", at) + file[8 : at + 4] + bytes(4) + file[at + 8 :]


@pytest.mark.parametrize("kind", ["PCM", "WAV49", "µ-law"])
def test_a_file_cut_off_by_a_crash_plays_as_far_as_it_goes(kind: str) -> None:
    name, file, _, _ = FILES[kind]
    cut = zeroed(file[: len(file) // 2])

    sound = understood(cut, name)

    assert sound.cut
    assert abs(sound.duration_ms - 10_000) <= 40
    assert len(sent(cut, sound)) == sound.sent_size


@pytest.mark.parametrize("kind", ["PCM", "WAV49", "µ-law"])
def test_a_mended_header_says_what_the_file_holds(kind: str) -> None:
    name, file, _, _ = FILES[kind]
    cut = bytearray(zeroed(file[: len(file) // 2]))
    sound = understood(bytes(cut), name)

    for at, right in audio.patches(sound):
        cut[at : at + len(right)] = right

    mended = understood(bytes(cut), name)
    assert (sound.frames, False) == (mended.frames, mended.cut)
    assert 0 <= len(heard(bytes(cut))[0]) - sound.frames <= 320  # libsndfile fills the last block


def test_a_whole_file_needs_no_mending() -> None:
    sound = understood(FILES["PCM"][1])

    assert (False, []) == (sound.cut, audio.patches(sound))


def test_what_follows_the_sound_is_not_played() -> None:
    file = wav(tone(1)) + b"LIST" + struct.pack("<I", 8) + b"INFOabcd"

    assert understood(file).duration_ms == 1000


def test_a_call_that_nobody_answered_leaves_a_sound_of_no_length() -> None:
    file = wav(silence(0))

    sound = understood(file)

    assert (0, WAV_HEAD) == (sound.duration_ms, len(sent(file, sound)))


# -- files to be feared


def riff(form: bytes, data: bytes = bytes(100)) -> bytes:
    chunks = b"fmt " + struct.pack("<I", len(form)) + form
    chunks += b"data" + struct.pack("<I", len(data)) + data
    return b"RIFF" + struct.pack("<I", len(chunks) + 4) + b"WAVE" + chunks


def form(tag: int = 1, channels: int = 1, rate: int = 8000, bits: int = 16) -> bytes:
    return struct.pack("<HHIIHH", tag, channels, rate, 16_000, 2, bits)


BAD: dict[str, tuple[str, bytes, str]] = {
    "nothing": ("a.wav", b"", "audio_unknown"),
    "a page": ("a.wav", b"<!doctype html>", "audio_unknown"),
    "a program": ("a.exe", b"MZ" + bytes(100), "audio_unknown"),
    "a header cut off": ("a.wav", riff(form())[:30], "audio_broken"),
    "no samples": ("a.wav", riff(form())[:36] + b"LIST\xff\xff\xff\xff", "audio_broken"),
    "no format": ("a.wav", riff(b"")[:300], "audio_broken"),
    "no sides": ("a.wav", riff(form(channels=0)), "audio_broken"),
    "9 sides": ("a.wav", riff(form(channels=9)), "audio_broken"),
    "no rate": ("a.wav", riff(form(rate=0)), "audio_broken"),
    "a rate beyond reason": ("a.wav", riff(form(rate=2**32 - 1)), "audio_broken"),
    "MP3 in WAV": ("a.wav", riff(form(tag=0x55)), "audio_codec"),
    "floating point": ("a.wav", riff(form(tag=3, bits=32)), "audio_codec"),
    "no bits": ("a.wav", riff(form(bits=0)), "audio_codec"),
    "WAV49 of two sides": ("a.wav", riff(form(tag=49, channels=2)), "audio_codec"),
    "Vorbis": ("a.ogg", written(tone(1), "VORBIS", "OGG"), "audio_codec"),
    "half a page of Ogg": ("a.ogg", b"OggS" + bytes(24), "audio_codec"),
    "no GSM": ("a.gsm", b"\x00" * 330, "audio_broken"),
}


@pytest.mark.parametrize("kind", BAD)
def test_what_cannot_be_played_is_refused_with_the_reason(kind: str) -> None:
    name, file, code = BAD[kind]

    with pytest.raises(Refused) as refused:
        understood(file, name)

    assert code == refused.value.code


def test_a_header_that_promises_more_than_a_wav_can_hold_is_refused() -> None:
    with pytest.raises(Refused) as refused:
        audio.understood(riff(form(tag=7, bits=8), b""), 2**33, "a.wav")

    assert "audio_long" == refused.value.code


def test_blocks_that_are_no_gsm_become_noise_and_stop_nobody() -> None:
    noise = np.random.default_rng(1).bytes(33 * 500)
    sound = understood(b"\xd0" + noise[1:], "a.gsm")

    assert len(sent(noise, sound)) == sound.sent_size


@settings(deadline=None, max_examples=300)
@given(st.binary(max_size=200), st.sampled_from(["a.wav", "a.gsm", "a.ogg", "a.sln", "a.WAV"]))
def test_no_bytes_do_harm(file: bytes, name: str) -> None:
    for content in (file, b"RIFF\0\0\0\0WAVE" + file, b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0" + file):
        try:
            sound = understood(content, name)
        except Refused:
            continue
        assert len(sent(content, sound)) == sound.sent_size


# -- all that is known


def reader(file: bytes) -> Callable[[int, int], bytes]:
    return lambda offset, length: file[offset : offset + length]


@pytest.mark.parametrize("kind", FILES)
def test_a_file_is_measured_in_one_go(kind: str) -> None:
    name, file, codec, _ = FILES[kind]

    found = audio.measured(reader(file), len(file), name)

    assert (codec, 800, 0) == (found.sound.codec, len(found.peaks), found.silence_share)
    assert abs(np.median(np.frombuffer(found.peaks, np.uint8)) - 127) <= 8


def test_a_file_that_ends_early_is_as_long_as_what_was_read() -> None:
    file = FILES["PCM"][1]

    found = audio.measured(reader(file[: len(file) // 2]), len(file))

    assert found.sound.cut
    assert abs(found.sound.duration_ms - 10_000) < 10


def test_sides_are_measured_apart(both: Samples) -> None:
    file = wav(both, channels=2)

    found = audio.measured(reader(file), len(file))

    assert (2, 100) == (found.sound.channels, len(found.peaks))
    assert [127] * 50 + [0] * 50 == list(found.peaks)


@pytest.fixture
def both() -> Samples:
    """Half a second in which the left side alone is heard."""
    return np.column_stack([tone(0.5), silence(0.5)]).reshape(-1)
