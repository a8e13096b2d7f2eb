"""What do people in the lab say? Speech of their own, so that a recording tells who is in it.

Spoken by espeak-ng where it is installed; else a melody that nobody else has.
"""

import hashlib
import shutil
import subprocess
from pathlib import Path
from typing import Final

import numpy as np
import soundfile
from numpy.typing import NDArray

from tests.kit.sound import RATE, tone, wav
from tests.pbx.lab.pair import Asterisk

Samples = NDArray[np.int16]
SPEAKS: Final = shutil.which("espeak-ng")
SECONDS: Final = 6
"""So long is what somebody says; then he says it again."""
_DIGITS: Final = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


class Voices:
    """The voices of one world, as files that its Asterisk can play."""

    def __init__(self, world: Asterisk) -> None:
        self._folder = world.folder / "spool/voices"
        self._inside = f"{world.tree}/spool/voices"
        self.said: dict[str, Samples] = {}

    def file(self, who: str, words: str) -> str:
        """Make what somebody says, once; give the name under which Asterisk plays it."""
        if who not in self.said:
            self.said[who] = _spoken(who, words, self._folder / f"{who}.raw.wav")
            (self._folder / f"{who}.wav").write_bytes(wav(self.said[who]))
        return f"{self._inside}/{who}"

    def likeness(self, heard: Samples, who: str) -> float:
        """Say how much a sound is what somebody says: 0 not at all, 1 nothing else.

        The highest correlation of a second of his speech with the sound, wherever it stands.
        """
        best = 0.0
        for start in range(0, len(self.said[who]) - RATE, RATE):
            part = self.said[who][start : start + RATE].astype(float)
            if len(heard) > RATE and part.std() > 100:
                best = max(best, _correlation(heard.astype(float), part))
        return best


def _correlation(heard: NDArray[np.float64], part: NDArray[np.float64]) -> float:
    """Give the highest normalised cross-correlation."""
    size = 1 << (len(heard) + len(part) - 1).bit_length()
    crossed = np.fft.irfft(np.fft.rfft(heard, size) * np.conj(np.fft.rfft(part, size)), size)
    crossed = crossed[: len(heard) - len(part)]
    energy = np.concatenate([[0.0], np.cumsum(heard**2)])
    windows = energy[len(part) : -1] - energy[: -len(part) - 1]
    windows = windows[: len(crossed)]
    norm = np.sqrt(np.maximum(windows, 1e6) * (part**2).sum())
    return float((crossed[: len(norm)] / norm).max(initial=0.0))


def _spoken(who: str, words: str, scratch: Path) -> Samples:
    made = _speech(who, words, scratch) if SPEAKS else _melody(who)
    whole = np.tile(made, -(-SECONDS * RATE // len(made)))[: SECONDS * RATE]
    return np.asarray(whole, "<i2")


def _speech(who: str, words: str, scratch: Path) -> Samples:
    """Say words and the digits of the name, at a pitch of its own."""
    text = f"{words} {' '.join(_DIGITS[int(one)] for one in who)}"
    chance = hashlib.sha256(who.encode()).digest()
    how = ["-p", str(20 + chance[0] % 70), "-s", str(140 + chance[1] % 60), "-w", str(scratch)]
    subprocess.run([str(SPEAKS), *how, text], check=True, timeout=30)  # noqa: S603  our own words
    samples, rate = soundfile.read(str(scratch), dtype="int16")
    scratch.unlink()
    at = np.arange(0, len(samples), rate / RATE)
    return np.asarray(np.interp(at, np.arange(len(samples)), samples), "<i2")


def _melody(who: str) -> Samples:
    """Make notes that nobody else has in this order."""
    notes = hashlib.sha256(who.encode()).digest()[:24]
    return np.concatenate([tone(0.25, 300 + 8 * (note + 1), 0.4) for note in notes])
