"""What sound is in a file, and how does a browser play it? From bytes to bytes; opens no file.

A browser plays 16-bit WAV everywhere, and Ogg; it does not play GSM, WAV49 or headerless files
(measured). So what the PBX wrote is sent as a WAV that exists nowhere: its header and its length
are known beforehand, a range of it is a range of samples, and only these are read and decoded.

    head of a file ── understood ──▶ Sound ── pieces(first, stop) ──▶ Piece: read this, `sent` it

Headers are read here, not by a library: what a hostile file says reaches no C code. Only the
blocks of GSM go to libsndfile, behind a header of our own.
"""

import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from enum import StrEnum
from typing import Any, Final

import soundfile

from cti.errors import Refused
from cti.value import value
from recordings.peaks import Meter

HEAD: Final = 65_536
"""So many bytes from the beginning tell what is in a file; so many from the end, how long an Ogg
file lasts (a page of Ogg has at most 65,307 bytes)."""
EAGER: Final = 393_216
"""So many bytes a browser may want before it begins: half a minute of one side."""
PIECE: Final = 131_072
"""Bytes of the WAV that are made at a time: 8 s of a phone call."""
FIRST: Final = 16_384
"""The same for the first piece of an answer, so that the sound begins at once."""
WAV_HEAD: Final = 44
MOST: Final = 2**32 - 1 - WAV_HEAD
"""A WAV cannot count more bytes than this."""
RATES: Final = range(4_000, 192_001)
RUN_IN: Final = 16
"""GSM blocks that are decoded before those asked for: each leans on what was heard before."""


class Codec(StrEnum):
    """How samples are written."""

    PCM8 = "pcm8"
    PCM16 = "pcm16"
    PCM24 = "pcm24"
    PCM32 = "pcm32"
    ULAW = "ulaw"
    ALAW = "alaw"
    GSM = "gsm"
    WAV49 = "wav49"
    OGG = "ogg"
    """Opus in Ogg: sent as it is."""


_BYTES: Final = {Codec.PCM8: 1, Codec.ULAW: 1, Codec.ALAW: 1, Codec.PCM16: 2, Codec.PCM24: 3}
_BYTES[Codec.PCM32] = 4
_PCM: Final = {8: Codec.PCM8, 16: Codec.PCM16, 24: Codec.PCM24, 32: Codec.PCM32}
_TAGS: Final = {6: Codec.ALAW, 7: Codec.ULAW, 49: Codec.WAV49}
_GSM_BLOCKS: Final = {Codec.GSM: (33, 160), Codec.WAV49: (65, 320)}
_BARE: Final = {
    ".gsm": (Codec.GSM, 8_000),
    ".ulaw": (Codec.ULAW, 8_000),
    ".ul": (Codec.ULAW, 8_000),
    ".mu": (Codec.ULAW, 8_000),
    ".pcm": (Codec.ULAW, 8_000),
    ".alaw": (Codec.ALAW, 8_000),
    ".al": (Codec.ALAW, 8_000),
    ".raw": (Codec.PCM16, 8_000),
    ".sln": (Codec.PCM16, 8_000),
} | {f".sln{khz}": (Codec.PCM16, khz * 1000) for khz in (12, 16, 24, 32, 44, 48, 96, 192)}
"""Files without a header, by Asterisk's ending (format_pcm.c, format_sln.c, format_gsm.c)."""
_BARE[".sln44"] = (Codec.PCM16, 44_100)


@value
class Sound:
    """What is in a file. `start` and `length` say where the sound lies; a block of `block` bytes
    holds `block_frames` samples of each side. `size` is that of the file.

    `cut`: the header is not what the file holds, for the PBX was cut off while it wrote.
    """

    codec: Codec
    rate: int
    channels: int
    start: int
    length: int
    block: int
    block_frames: int
    size: int
    cut: bool = False
    fact_at: int = 0
    ogg_frames: int = 0

    @property
    def frames(self) -> int:
        """The samples of each side."""
        if self.codec is Codec.OGG:
            return self.ogg_frames
        return self.length // self.block * self.block_frames

    @property
    def duration_ms(self) -> int:
        """How long it lasts, whole milliseconds."""
        return self.frames * 1000 // self.rate

    @property
    def is_dear(self) -> bool:
        """Whether to decode it costs more than to read it."""
        return self.codec in _GSM_BLOCKS

    @property
    def sent_type(self) -> str:
        """The media type of what a browser gets."""
        return "audio/ogg" if self.codec is Codec.OGG else "audio/wav"

    @property
    def sent_size(self) -> int:
        """The bytes of what a browser gets."""
        return self.size if self.codec is Codec.OGG else WAV_HEAD + self.frames * self.frame

    @property
    def frame(self) -> int:
        """The bytes of one sample of all sides, as a browser gets it."""
        return 2 * self.channels


@value
class Piece:
    """A part of what a browser gets: its bytes from `first` up to `stop`.

    `length` bytes of the file from `offset` on make it.
    """

    first: int
    stop: int
    offset: int
    length: int
    sent: Callable[[bytes], bytes]


# -- what is in a file


def understood(head: bytes, size: int, name: str = "", tail: bytes = b"") -> Sound:
    """Tell what sound is in a file, by its first `HEAD` bytes, its size and its name's ending.

    `tail` are its last `HEAD` bytes, wanted of Ogg alone. A sound may have no frames: of a call
    that nobody answered the PBX leaves a bare header.

    Raises `Refused`: `audio_unknown` (nothing that we know), `audio_codec` (known, but not to be
    decoded here), `audio_broken` (the header makes no sense).
    """
    if head[:4] == b"RIFF" and head[8:12] == b"WAVE":
        return _wav(head, size)
    if head[:4] == b"OggS":
        return _ogg(head, tail if size > len(head) else head, size)
    codec, rate = _BARE.get(_ending(name), (None, 0))
    if codec is None:
        raise Refused("audio_unknown", "this is no sound file that we know")
    if codec is Codec.GSM and head and head[0] >> 4 != 0xD:  # each block begins so (gsm.h)
        raise Refused("audio_broken", "this is no GSM")
    return _bare(codec, rate, size)


def looked(read: Callable[[int, int], bytes], size: int, name: str = "") -> Sound:
    """Tell what sound is in a file, of which `read(offset, length)` gives the bytes."""
    head = read(0, min(size, HEAD))
    tail = read(max(0, size - HEAD), min(size, HEAD)) if head[:4] == b"OggS" else b""
    return understood(head, size, name, tail)


def _ending(name: str) -> str:
    return f".{name.rpartition('.')[2]}".lower()


def _bare(codec: Codec, rate: int, size: int) -> Sound:
    block, frames = _GSM_BLOCKS.get(codec) or (_BYTES[codec], 1)
    return _checked(
        Sound(
            codec=codec,
            rate=rate,
            channels=1,
            start=0,
            length=size // block * block,
            block=block,
            block_frames=frames,
            size=size,
        )
    )


def _wav(head: bytes, size: int) -> Sound:
    """Read a RIFF header. A chunk that is too long, or has no length, ends with the file."""
    at, form, fact_at = 12, b"", 0
    while at + 8 <= len(head):
        kind, length = head[at : at + 4], int.from_bytes(head[at + 4 : at + 8], "little")
        at += 8
        if kind == b"fmt ":
            form = head[at : at + min(length, 40)]
        elif kind == b"fact":
            fact_at = at
        elif kind == b"data":
            return _of_form(form, at, length, size, fact_at)
        at += length + length % 2
    raise Refused("audio_broken", "the header says of no sound")


def _of_form(form: bytes, start: int, said: int, size: int, fact_at: int) -> Sound:
    if len(form) < 16:
        raise Refused("audio_broken", "the header does not say how samples are written")
    tag, channels, rate = _int(form, 0, 2), _int(form, 2, 2), _int(form, 4, 4)
    bits = _int(form, 14, 2)
    if tag == 0xFFFE and len(form) >= 26:  # "extensible": the real one stands in the GUID
        tag = _int(form, 24, 2)
    codec = _PCM.get(bits) if tag == 1 else _TAGS.get(tag)
    if codec is None or (codec is Codec.WAV49 and channels != 1):
        raise Refused("audio_codec", f"WAV format {tag}, {bits} bits, {channels} sides", format=tag)
    block, frames = _GSM_BLOCKS.get(codec) or (_BYTES[codec] * channels, 1)
    there = max(0, size - start)
    cut = said > there or (not said and there >= block > 0)
    length = there if cut else said
    if block:
        length = length // block * block
    return _checked(
        Sound(
            codec=codec,
            rate=rate,
            channels=channels,
            start=start,
            length=length,
            block=block,
            block_frames=frames,
            size=size,
            cut=cut,
            fact_at=fact_at,
        )
    )


def _ogg(head: bytes, tail: bytes, size: int) -> Sound:
    """Read how many sides Opus in Ogg has, and how long it lasts by its last page (RFC 7845)."""
    at = head.find(b"OpusHead", 0, 512)
    if at < 0 or len(head) < at + 19:
        raise Refused("audio_codec", "Ogg without Opus", format="ogg")
    last = tail.rfind(b"OggS")
    if last < 0 or len(tail) < last + 14:
        raise Refused("audio_broken", "the last page is missing")
    ends_at = _int(tail, last + 6, 8)
    frames = ends_at - _int(head, at + 10, 2)
    if not 0 <= frames < 2**40:
        raise Refused("audio_broken", "the last page makes no sense")
    sound = Sound(
        codec=Codec.OGG,
        rate=48_000,  # granules count so, whatever was encoded
        channels=head[at + 9],
        start=0,
        length=size,
        block=1,
        block_frames=1,
        size=size,
        ogg_frames=frames,
    )
    return _checked(sound)


def _checked(sound: Sound) -> Sound:
    if sound.channels not in (1, 2) or sound.rate not in RATES:
        facts = f"{sound.channels} sides at {sound.rate} Hz"
        raise Refused("audio_broken", f"no phone call has {facts}")
    if sound.sent_size > MOST:
        raise Refused("audio_long", "longer than a WAV can be")
    return sound


def _int(data: bytes, at: int, length: int) -> int:
    return int.from_bytes(data[at : at + length], "little")


def patches(sound: Sound) -> list[tuple[int, bytes]]:
    """Give what must be written where, so that the header says what a file cut off holds."""
    if not sound.cut:
        return []
    there = [(4, sound.start + sound.length - 8), (sound.start - 4, sound.length)]
    if sound.fact_at:
        there.append((sound.fact_at, sound.frames))
    return [(at, length.to_bytes(4, "little")) for at, length in there]


# -- what a browser gets


def pieces(sound: Sound, first: int, stop: int) -> Iterator[Piece]:
    """Give how the bytes from `first` up to `stop` of what a browser gets are made, in order."""
    stop = min(stop, sound.sent_size)
    if sound.codec is Codec.OGG:
        for at, end in _cut(first, stop):
            yield Piece(first=at, stop=end, offset=at, length=end - at, sent=_as_it_is)
        return
    if first < WAV_HEAD and first < stop:
        head = wav_head(sound.rate, sound.channels, sound.frames)[first:stop]
        stop_at = min(stop, WAV_HEAD)
        yield Piece(first=first, stop=stop_at, offset=0, length=0, sent=lambda _raw: head)
    for at, end in _cut(max(first, WAV_HEAD), stop):
        yield _piece(sound, at - WAV_HEAD, end - WAV_HEAD)


def _cut(first: int, stop: int) -> Iterator[tuple[int, int]]:
    """Cut a range into parts: a small one, then larger and larger ones.

    A browser begins to play when it has some 100 KB: what must be decoded for that is not to wait
    for more than is wanted.
    """
    size = FIRST
    while first < stop:
        end = min(stop, first + size)
        yield first, end
        first, size = end, min(PIECE, size + FIRST)


def _as_it_is(raw: bytes) -> bytes:
    return raw


def _piece(sound: Sound, first: int, stop: int) -> Piece:
    """Make bytes `first` to `stop` of the samples: whole blocks are read, and more is cut away."""
    made = sound.block_frames * sound.frame  # bytes of samples from one block
    begin, end = first // made, -(-stop // made)
    run_in = min(begin, RUN_IN) if sound.codec in _GSM_BLOCKS else 0
    skip = first - (begin - run_in) * made

    def sent(raw: bytes) -> bytes:
        return decoded(sound, raw)[skip : skip + stop - first]

    offset = sound.start + (begin - run_in) * sound.block
    return Piece(
        first=first + WAV_HEAD,
        stop=stop + WAV_HEAD,
        offset=offset,
        length=(end - begin + run_in) * sound.block,
        sent=sent,
    )


def wav_head(rate: int, channels: int, frames: int) -> bytes:
    """Give the 44 bytes before so many 16-bit samples."""
    length = frames * channels * 2
    facts = (16, 4), (1, 2), (channels, 2), (rate, 4), (rate * channels * 2, 4), (channels * 2, 2)
    form = b"".join(one.to_bytes(size, "little") for one, size in facts) + b"\x10\0"
    riff = b"RIFF" + (length + WAV_HEAD - 8).to_bytes(4, "little")
    return riff + b"WAVEfmt " + form + b"data" + length.to_bytes(4, "little")


def decoded(sound: Sound, raw: bytes) -> bytes:
    """Give 16-bit samples, little-endian, of whole blocks of a file; never of Ogg.

    What is no whole block at the end is left out.
    """
    raw = raw[: len(raw) // sound.block * sound.block]
    match sound.codec:
        case Codec.PCM16 | Codec.OGG:
            return raw
        case Codec.GSM | Codec.WAV49:
            return _gsm(sound, raw)
        case Codec.PCM8:
            return _woven(bytes(len(raw)), raw.translate(_SIGNED))
        case Codec.PCM24:
            return _woven(raw[1::3], raw[2::3])
        case Codec.PCM32:
            return _woven(raw[2::4], raw[3::4])
        case Codec.ULAW:
            return _woven(raw.translate(_ULAW[0]), raw.translate(_ULAW[1]))
        case Codec.ALAW:
            return _woven(raw.translate(_ALAW[0]), raw.translate(_ALAW[1]))


def _woven(low: bytes, high: bytes) -> bytes:
    made = bytearray(len(low) * 2)
    made[0::2], made[1::2] = low, high
    return bytes(made)


def side_by_side(left: bytes, right: bytes) -> bytes:
    """Weave two mono sounds into one of two sides; the shorter is followed by silence."""
    length = max(len(left), len(right)) // 2 * 2
    left, right = left[:length].ljust(length, b"\0"), right[:length].ljust(length, b"\0")
    made = bytearray(length * 2)
    made[0::4], made[1::4] = left[0::2], left[1::2]
    made[2::4], made[3::4] = right[0::2], right[1::2]
    return bytes(made)


def _ulaw(code: int) -> int:
    """Expand one code of µ-law (ITU-T G.711)."""
    code = ~code & 0xFF
    size = (((code & 0x0F) << 3) + 0x84 << (code >> 4 & 7)) - 0x84
    return -size if code & 0x80 else size


def _alaw(code: int) -> int:
    """Expand one code of A-law (ITU-T G.711)."""
    code ^= 0x55
    step, size = code >> 4 & 7, (code & 0x0F) << 4
    size = (size + 0x108) << (step - 1) if step else size + 8
    return size if code & 0x80 else -size


def _table(expand: Callable[[int], int]) -> tuple[bytes, bytes]:
    """Give the low and the high bytes of all 256 codes."""
    both = b"".join(expand(code).to_bytes(2, "little", signed=True) for code in range(256))
    return both[0::2], both[1::2]


_ULAW: Final = _table(_ulaw)
_ALAW: Final = _table(_alaw)
_SIGNED: Final = bytes(code ^ 0x80 for code in range(256))


def _gsm(sound: Sound, raw: bytes) -> bytes:
    """Decode whole blocks of GSM. What no GSM is becomes noise; nothing is raised."""
    frames = len(raw) // sound.block * sound.block_frames
    if not frames:
        return b""
    how: dict[str, Any] = {}
    if sound.codec is Codec.WAV49:
        raw = _wav49_head(sound.rate, len(raw), frames) + raw
    else:
        how = {"format": "RAW", "subtype": "GSM610", "samplerate": sound.rate, "channels": 1}
    fd = _scratch(raw)
    try:
        with soundfile.SoundFile(fd, closefd=False, **how) as opened:
            return bytes(opened.buffer_read(frames, dtype="int16"))
    finally:
        os.close(fd)


def _wav49_head(rate: int, length: int, frames: int) -> bytes:
    facts = (20, 4), (49, 2), (1, 2), (rate, 4), (rate * 65 // 320, 4), (65, 2), (0, 2), (2, 2)
    form = b"".join(one.to_bytes(size, "little") for one, size in (*facts, (320, 2)))
    fact = b"fact\4\0\0\0" + frames.to_bytes(4, "little")
    riff = b"RIFF" + (length + 52).to_bytes(4, "little")
    return riff + b"WAVEfmt " + form + fact + b"data" + length.to_bytes(4, "little")


def _scratch(content: bytes) -> int:
    """Give a file in memory that holds this: by an object libsndfile is ten times slower."""
    fd = os.memfd_create("gsm")
    with open(fd, "wb", closefd=False) as file:
        file.write(content)
    os.lseek(fd, 0, os.SEEK_SET)
    return fd


# -- all that is known of a file


@value
class Measured:
    """A file that was heard from beginning to end."""

    sound: Sound
    peaks: bytes
    silence_share: float | None


def measured(read: Callable[[int, int], bytes], size: int, name: str = "") -> Measured:
    """Hear a file once: length, sides, peaks, silence. `read(offset, length)` gives its bytes.

    A file that ends before its size is as long as what was read. Ogg is only ours, made of what
    was heard before: it has no peaks here. Raises what `understood` does, and what `read` raises.
    """
    sound = looked(read, size, name)
    if sound.codec is Codec.OGG:
        return Measured(sound=sound, peaks=b"", silence_share=None)
    meter = Meter(sound.rate, sound.channels)
    heard = 0
    step = max(1, PIECE // sound.block) * sound.block
    for at in range(0, sound.length, step):
        raw = read(sound.start + at, min(step, sound.length - at))
        raw = raw[: len(raw) // sound.block * sound.block]
        heard += len(raw)
        meter.hear(decoded(sound, raw))
    sound = replace(sound, length=heard, cut=sound.cut or heard < sound.length)
    return Measured(sound=sound, peaks=meter.peaks(), silence_share=meter.silence_share())
