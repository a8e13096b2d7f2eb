"""How loud is a recording, and where is it silent? From samples to what a waveform is drawn of.

A `Meter` hears the sound piece by piece and keeps one figure per side for each 10 ms: an hour of
two sides is 720,000 bytes, however long its file is. Pure.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

PEAKS: Final = 800
"""So many peaks per side are drawn: one for each 1.5 pixels of a wide page."""
WINDOW_MS: Final = 10
SILENCE_MS: Final = 100
"""Silence shorter than this is a gap between two words."""
SILENT: Final = 2
"""The loudest level (of 255) that is still silence: 1.2 % of full scale, about -39 dB. Noise of
a line and of its codecs stays below; quiet speech does not."""


class Meter:
    """Hears 16-bit samples, little-endian, interleaved where there are two sides."""

    def __init__(self, rate: int, channels: int) -> None:
        self._window = max(1, rate * WINDOW_MS // 1000)
        self._channels = channels
        self._rest = b""
        self._levels: list[NDArray[np.uint8]] = []

    def hear(self, pcm: bytes) -> None:
        """Take the next piece of the sound; pieces may be cut anywhere."""
        whole = self._window * self._channels * 2
        pcm = self._rest + pcm
        end = len(pcm) // whole * whole
        self._rest = pcm[end:]
        if end:
            samples = np.frombuffer(pcm, "<i2", end // 2)
            self._levels.append(_levels(samples, self._window, self._channels))

    def peaks(self, most: int = PEAKS) -> bytes:
        """Give the loudest level of each stretch of the sound, 0 to 255 of full scale.

        First those of the left (or only) side, then as many of the right. There are at most
        `most` per side, fewer where the sound has not so many windows, none where it has none.
        """
        levels = self._heard()
        count = min(most, len(levels))
        if not count:
            return b""
        starts = np.arange(count) * len(levels) // count
        return np.maximum.reduceat(levels, starts, axis=0).T.tobytes()

    def silence_share(self) -> float | None:
        """Give the share of the time in which no side was heard; None where there is no sound."""
        levels = self._heard()
        if not len(levels):
            return None
        loudest = levels.max(axis=1)
        stretches = np.arange(0, len(loudest), SILENCE_MS // WINDOW_MS)
        return float((np.maximum.reduceat(loudest, stretches) <= SILENT).mean())

    def _heard(self) -> NDArray[np.uint8]:
        """Give all levels, the last window too, which may be shorter."""
        levels = self._levels
        frame = self._channels * 2
        if end := len(self._rest) // frame * frame:
            rest = np.frombuffer(self._rest, "<i2", end // 2)
            levels = [*levels, _levels(rest, end // frame, self._channels)]
        return np.concatenate(levels) if levels else np.empty((0, self._channels), np.uint8)


def _levels(samples: NDArray[np.int16], window: int, channels: int) -> NDArray[np.uint8]:
    """Give the loudest level of each window, side by side.

    Samples of one side beside each other are reduced twenty times as fast. -32768 has no
    positive twin in 16 bits.
    """
    sides = np.ascontiguousarray(samples.reshape(-1, channels).T).reshape(channels, -1, window)
    high, low = sides.max(axis=2).astype(np.int32), sides.min(axis=2).astype(np.int32)
    levels: NDArray[np.uint8] = np.minimum(np.maximum(high, -low) >> 7, 255).astype(np.uint8).T
    return levels
