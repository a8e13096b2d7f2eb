"""Sounds made up for tests, and files of them as a PBX writes them.

Speech is not needed: a tone that swells and falls silent has peaks, and a place in it can be
known again by its pitch.
"""

import io
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray

from recordings.audio import wav_head

RATE = 8_000
Samples = NDArray[np.int16]


def tone(seconds: float, hertz: float = 440, level: float = 0.5, rate: int = RATE) -> Samples:
    """Make a steady tone; `level` is its share of full scale."""
    at = np.arange(int(seconds * rate)) / rate
    return (np.sin(2 * np.pi * hertz * at) * level * 32767).astype("<i2")


def silence(seconds: float, rate: int = RATE) -> Samples:
    """Make nothing to be heard."""
    return np.zeros(int(seconds * rate), "<i2")


def stairs(seconds: int, rate: int = RATE) -> Samples:
    """Make a second of each pitch, 200 Hz, 230 Hz and so on: the pitch tells the second."""
    return np.concatenate([tone(1, 200 + 30 * (one % 60), rate=rate) for one in range(seconds)])


def pitch(samples: Samples, rate: int = RATE) -> float:
    """Give the loudest pitch."""
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return float(np.argmax(spectrum) * rate / len(samples))


def wav(samples: Samples, channels: int = 1, rate: int = RATE) -> bytes:
    """Write 16-bit samples as a WAV."""
    return wav_head(rate, channels, samples.size // channels) + samples.tobytes()


def written(samples: Samples, subtype: str, form: str = "WAV", rate: int = RATE) -> bytes:
    """Let libsndfile write a file: another hand than the one that is tested."""
    made = io.BytesIO()
    how: dict[str, Any] = {"format": form, "subtype": subtype}
    soundfile.write(made, samples, rate, **how)
    return made.getvalue()


def heard(file: bytes) -> tuple[Samples, int]:
    """Let libsndfile read a file that a browser got; give samples and rate."""
    samples, rate = soundfile.read(io.BytesIO(file), dtype="int16")
    return samples, rate
