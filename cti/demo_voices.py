"""What the simulated PBX of the demo records: two made-up voices that hum in turn.

The customer is on the left, the agent on the right, as with a PBX that keeps the sides apart.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
import soundfile
from numpy.typing import NDArray

RATE: Final = 8000
TURN_S: Final = 2.5
"""So long one speaks before the other does."""
PITCHES: Final = (210.0, 125.0)
"""Hertz of the customer's voice and of the agent's."""
MOST_S: Final = 600.0


class Voices:
    """Writes what a PBX would have written to `/var/spool/asterisk/monitor`, into a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def record(self, path: str, seconds: float, muted: Sequence[tuple[float, float]] = ()) -> None:
        """Write a file of that name, silent where it was muted; µ-law: a minute is a megabyte."""
        sides = [voice(pitch, side, seconds) for side, pitch in enumerate(PITCHES)]
        both = np.column_stack(sides)
        for began, ended in muted:
            both[max(0, int(began * RATE)) : max(0, int(ended * RATE))] = 0
        file = self.folder / Path(path).name
        soundfile.write(file, both, RATE, subtype="ULAW", format="WAV")


def voice(pitch: float, side: int, seconds: float) -> NDArray[np.float64]:
    """Make the samples of one side: syllables while it is its turn, else silence."""
    at = np.arange(int(min(seconds, MOST_S) * RATE)) / RATE
    tone = sum(np.sin(2 * np.pi * pitch * n * at) / n for n in (1, 2, 3, 5))
    syllables = 0.5 - 0.5 * np.cos(2 * np.pi * (3.1 + side) * at)
    turn = (at // TURN_S) % 2 == side
    return np.asarray(0.2 * tone * syllables * turn, dtype=np.float64)
