"""How does the PBX's file become what is kept? Read once: mended, woven, measured on the way.

The header of a file that was cut off is put right; of two sides that are files of their own one
with a side for each is made. What is no sound that we know is kept as it is, and is damaged.
Everything here blocks: it is called from threads.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import replace
from typing import Final, Protocol

from cti.errors import Refused
from cti.value import value
from recordings.audio import (
    HEAD,
    Codec,
    Sound,
    decoded,
    patches,
    side_by_side,
    understood,
    wav_head,
)
from recordings.names import Side
from recordings.peaks import Meter
from recordings.spool import Opened, Source, SourceGone
from recordings.storage import Put, Storage

PIECE: Final = 1 << 20
IN_STEP_MS: Final = 500
"""Sides that differ more from the whole were written without the silence between: they are not
in step, and the mixed file is the truth."""


class Read(Protocol):
    """Gives a part of a file."""

    def __call__(self, offset: int, length: int, /) -> bytes: ...


@value
class Taken:
    """A recording that is kept: where, and what is in it.

    `left` is `received` where each side is by itself. `size` and `changed` are those of all its
    files, as they were while they were read.
    """

    put: Put
    sound: Sound | None
    peaks: bytes
    silence_share: float | None
    mended: bool
    left: str
    fault: str
    size: int
    changed: int


def take(spool: Source, paths: Mapping[Side, str], storage: Storage) -> Taken:
    """Keep what the files of one recording hold.

    Raises `SourceGone` if they changed meanwhile, and what `Storage.put` raises.
    """
    with ExitStack() as stack:
        files = {side: stack.enter_context(spool.open(path)) for side, path in paths.items()}
        before = [one.found() for one in files.values()]
        content = _content(files)
        put = storage.put(content)
        after = [one.found() for one in files.values()]
        if before != after:
            raise SourceGone(f"{before[0].path} is still being written")
    sound = content.sound
    return Taken(
        put=put,
        sound=sound,
        peaks=content.meter.peaks() if content.meter else b"",
        silence_share=content.meter.silence_share() if content.meter else None,
        mended=sound is not None and sound.cut,
        left="received" if isinstance(content, _Woven) else "",
        fault=content.fault,
        size=sum(one.size for one in before),
        changed=max(one.changed for one in before),
    )


def is_whole(spool: Source, path: str) -> bool:
    """Say whether a file's header says how long it is. Raises `SourceGone`."""
    with spool.open(path) as opened:
        try:
            sound = _understood(opened)
        except Refused:
            return False
        return sound.start > 0 and not sound.cut


def _understood(file: Opened) -> Sound:
    head = file.read(0, HEAD)
    tail = file.read(max(0, file.size - HEAD), HEAD) if head[:4] == b"OggS" else b""
    return understood(head, file.size, file.path, tail)


def _content(files: Mapping[Side, Opened]) -> "_Single | _Woven":
    received, sent = files.get(Side.RECEIVED), files.get(Side.SENT)
    both = files.get(Side.BOTH)
    if received and sent and (woven := _woven(received, sent, both)):
        return woven
    return _Single(next(one for one in (both, received, sent) if one is not None))


def _woven(received: Opened, sent: Opened, both: Opened | None) -> "_Woven | None":
    """Weave two sides that are in step."""
    try:
        left, right = _understood(received), _understood(sent)
        whole = _understood(both) if both else left
    except Refused:
        return None
    plain = all(one.codec is Codec.PCM16 and one.channels == 1 for one in (left, right))
    lengths = [one.duration_ms for one in (left, right, whole)]
    in_step = max(lengths) - min(lengths) <= IN_STEP_MS
    if not plain or left.rate != right.rate or not in_step or not left.frames:
        return None
    return _Woven(received, left, sent, right)


class _Single:
    """The content of one file."""

    def __init__(self, file: Opened) -> None:
        self._file = file
        self.meter: Meter | None = None
        self.sound: Sound | None = None
        self.fault = ""
        try:
            self.sound = _understood(file)
        except Refused as fault:
            self.fault = fault.code
        if self.sound is not None and self.sound.codec is not Codec.OGG:
            self.meter = Meter(self.sound.rate, self.sound.channels)

    def __iter__(self) -> Iterator[bytes]:
        sound = self.sound
        if sound is None or self.meter is None:
            yield from _pieces(self._file.read, 0, self._file.size)
            return
        head = bytearray(self._file.read(0, sound.start))
        for at, patch in patches(sound):
            head[at : at + len(patch)] = patch
        if head:
            yield bytes(head)
        end = sound.start + sound.length
        for piece in _pieces(self._file.read, sound.start, end, sound.block):
            self.meter.hear(decoded(sound, piece))
            yield piece
        if not sound.cut:
            yield from _pieces(self._file.read, end, self._file.size)


class _Woven:
    """The content of two files: what the channel's party said on the left, what he heard right."""

    def __init__(self, received: Opened, left: Sound, sent: Opened, right: Sound) -> None:
        self._sides = ((received, left), (sent, right))
        frames = max(left.frames, right.frames)
        self.meter = Meter(left.rate, 2)
        self.fault = ""
        head = wav_head(left.rate, 2, frames)
        self._head, self._length = head, frames * 2
        size = len(head) + frames * 4
        self.sound = replace(understood(head, size), cut=left.cut or right.cut)

    def __iter__(self) -> Iterator[bytes]:
        yield self._head
        for at in range(0, self._length, PIECE):
            want = min(PIECE, self._length - at)
            left, right = (
                file.read(sound.start + at, max(0, min(want, sound.length - at)))
                for file, sound in self._sides
            )
            piece = side_by_side(left.ljust(want, b"\0"), right)
            self.meter.hear(piece)
            yield piece


def _pieces(
    read: Callable[[int, int], bytes], begin: int, end: int, block: int = 1
) -> Iterator[bytes]:
    """Read from `begin` to `end` in whole blocks. Raises `SourceGone` if the file is shorter."""
    step = max(1, PIECE // block) * block
    for at in range(begin, end, step):
        want = min(step, end - at)
        piece = read(at, want)
        if len(piece) != want:
            raise SourceGone("the file became shorter while it was read")
        yield piece
