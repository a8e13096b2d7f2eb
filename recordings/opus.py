"""How does a recording become Opus in Ogg, and is it as long as before? Blocks; opens no place.

A tenth of the room, as good to hear, and a browser plays it as it is. What is no rate of Opus, or
Opus already, is left as it is.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, Final

import numpy as np
import soundfile

from cti.errors import Refused
from recordings.audio import Codec, Sound, decoded, looked

RATES: Final = (8_000, 12_000, 16_000, 24_000, 48_000)
"""What Opus takes without the sound being made anew (RFC 6716, 2)."""
WITHIN_MS: Final = 20
"""A frame of Opus lasts so long: what comes out is no further from what went in."""
PIECE: Final = 1 << 18


def fits(sound: Sound) -> bool:
    """Say whether a sound can be written as Opus."""
    return sound.codec is not Codec.OGG and sound.rate in RATES and sound.frames > 0


@contextmanager
def converted(
    sound: Sound, read: Callable[[int, int], bytes], scratch: Path
) -> Iterator[tuple[Sound, Iterator[bytes]]]:
    """Write a sound as Opus, beside in `scratch`; give what came of it, and its bytes.

    `read(offset, length)` gives the bytes of the file. Raises `Refused` (opus_length) where what
    came out is not as long as what went in, and what `read` raises.
    """
    with TemporaryFile(dir=scratch) as file:
        _encode(sound, read, file.fileno())
        size = os.fstat(file.fileno()).st_size

        def part(offset: int, length: int) -> bytes:
            return os.pread(file.fileno(), length, offset)

        made = looked(part, size)
        if abs(made.duration_ms - sound.duration_ms) > WITHIN_MS:
            raise Refused("opus_length", "what came out is not as long as what went in")
        yield made, (part(at, PIECE) for at in range(0, size, PIECE))


def _encode(sound: Sound, read: Callable[[int, int], bytes], fd: int) -> None:
    how: dict[str, Any] = {"format": "OGG", "subtype": "OPUS", "closefd": False}
    with soundfile.SoundFile(
        fd, "w", samplerate=sound.rate, channels=sound.channels, **how
    ) as opened:
        step = max(1, PIECE // sound.block) * sound.block
        for at in range(0, sound.length, step):
            raw = read(sound.start + at, min(step, sound.length - at))
            samples = np.frombuffer(decoded(sound, raw), "<i2")
            opened.write(samples.reshape(-1, sound.channels))
