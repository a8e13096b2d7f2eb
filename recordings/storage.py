"""Where does the sound lie, and is it there for sure? By content, in one folder.

    FOLDER/.cti-recordings      says that this is the folder, and not the empty place of a mount
    FOLDER/incoming/…           what is being written
    FOLDER/ab/ab12…             a file by its SHA-256
    FOLDER/ab/ab12….sealed      the same, encrypted; the hash is that of before

A file is written beside, flushed to the disk, read back and compared, and only then gets its
name; the same content is kept once. Everything here blocks: it is called from threads.
"""

import hashlib
import os
import re
import secrets
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from errno import EDQUOT, ENOSPC
from pathlib import Path
from typing import Final, Protocol

from cti.errors import Bug, Unavailable
from cti.value import value
from recordings.seal import Keys, Sealed, Unsealable, sealed

PIECE: Final = 1 << 20
"""So many bytes are read and written at a time."""
MARKER: Final = ".cti-recordings"
INCOMING: Final = "incoming"
FILE_MODE: Final = 0o600
FOLDER_MODE: Final = 0o700
SEALED: Final = ".sealed"
PLACE: Final = re.compile(r"[0-9a-f]{2}/[0-9a-f]{64}(\.sealed)?", re.ASCII)


class StorageUnavailable(Unavailable):
    """The storage of recordings does not answer now: nothing was kept, the PBX's file is there."""

    code = "storage_unavailable"


class StorageFull(StorageUnavailable):
    """There is no room left in the storage."""

    code = "storage_full"


@value
class Put:
    """What was kept: `size` and `sha256` are those before encryption."""

    place: str
    size: int
    sha256: str
    key_id: str | None


class Reader(Protocol):
    """What is kept at a place, any part of it."""

    @property
    def size(self) -> int:
        """Give the bytes of the content."""
        ...

    def read(self, offset: int, length: int) -> bytes:
        """Give a part; less where the content ends before. Raises `StorageUnavailable`."""
        ...


class Storage(Protocol):
    """Keeps contents by their hash. Every call may raise `StorageUnavailable`, and blocks."""

    @property
    def key_id(self) -> str | None:
        """Give the key that seals what is new; None: it lies open."""
        ...

    def begin(self, *, used: bool) -> None:
        """Make ready. `used`: something must be there already."""
        ...

    def put(self, content: Iterable[bytes]) -> Put:
        """Keep a content; it is there for sure when this returns."""
        ...

    def open(self, place: str) -> AbstractContextManager[Reader]:
        """Open what is kept at a place."""
        ...

    def forget(self, place: str) -> None:
        """Let a content go; once it is away, nothing happens."""
        ...

    def room(self) -> int | None:
        """Give the bytes that are free; None where nobody knows."""
        ...


class LocalFolder:
    """A folder on this machine, or one that is mounted here."""

    def __init__(self, folder: Path, keys: Keys | None = None) -> None:
        self._folder, self._keys = folder, keys

    @property
    def key_id(self) -> str | None:
        """The key that seals what is new; None: it lies open."""
        return self._keys.first.id if self._keys else None

    def begin(self, *, used: bool) -> None:
        """Make the folder where nothing was kept yet; else see that it is the one."""
        with _told(self._folder):
            if used:
                self._see_marker()
            incoming = self._folder / INCOMING
            incoming.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
            (self._folder / MARKER).touch(FILE_MODE)
            for left in incoming.iterdir():  # by a process that was killed
                left.unlink()

    def put(self, content: Iterable[bytes]) -> Put:
        """Keep a content, sealed with the first key if there are keys."""
        with _told(self._folder):
            self._see_marker()
            beside = self._folder / INCOMING / secrets.token_hex(16)
            try:
                return self._put(content, beside)
            finally:
                with suppress(FileNotFoundError):
                    beside.unlink()

    def _put(self, content: Iterable[bytes], beside: Path) -> Put:
        whole = Hashed(content)
        parts = sealed(self._keys.first, whole) if self._keys else whole
        fd = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, FILE_MODE)
        with open(fd, "wb", buffering=0) as file:
            for part in parts:
                write(file.fileno(), part)
            os.fsync(file.fileno())
        sha256 = whole.sha256()
        with self._opened(beside, is_sealed=self._keys is not None) as reader:
            if reader.size != whole.size or hash_of(reader) != sha256:
                raise StorageUnavailable(f"{self._folder}: what was written is not what is there")
        place = f"{sha256[:2]}/{sha256}{SEALED if self._keys else ''}"
        self._name(beside, place)
        return Put(place=place, size=whole.size, sha256=sha256, key_id=self.key_id)

    def _name(self, beside: Path, place: str) -> None:
        """Give a file its name for good: the same content under an older key is replaced."""
        there = self._folder / place
        try:
            os.rename(beside, there)
        except FileNotFoundError:
            there.parent.mkdir(mode=FOLDER_MODE, exist_ok=True)
            _flush(self._folder)
            os.rename(beside, there)
        _flush(there.parent)

    @contextmanager
    def open(self, place: str) -> Iterator[Reader]:
        """Open a content. What was changed, or has no key any more, is `StorageUnavailable`."""
        with self._opened(self._path(place), is_sealed=place.endswith(SEALED)) as reader:
            yield reader

    @contextmanager
    def _opened(self, path: Path, *, is_sealed: bool) -> Iterator[Reader]:
        with _told(self._folder):
            fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            with _told(self._folder):
                plain = _Plain(fd)
                reader = Sealed(self._keys, plain.read, plain.size) if is_sealed else plain
            yield _Telling(reader, self._folder)
        finally:
            os.close(fd)

    def forget(self, place: str) -> None:
        """Remove a content's file."""
        path = self._path(place)
        with _told(self._folder):
            self._see_marker()
            with suppress(FileNotFoundError):
                path.unlink()
                _flush(path.parent)

    def room(self) -> int | None:
        """Give the bytes that are free to us on the folder's file system."""
        with _told(self._folder):
            self._see_marker()
            found = os.statvfs(self._folder)
            return found.f_bavail * found.f_frsize

    def _path(self, place: str) -> Path:
        if not PLACE.fullmatch(place):
            raise Bug(f"{place!r} is no place in the storage")
        return self._folder / place

    def _see_marker(self) -> None:
        if not (self._folder / MARKER).exists():
            raise StorageUnavailable(
                f"{self._folder} has no {MARKER}: it is not the folder of the recordings",
                "mount it; if it was moved, set recordings.storage to where it is",
            )


class Hashed:
    """Lets a content pass, and knows its size and hash when it is through."""

    def __init__(self, content: Iterable[bytes]) -> None:
        self._content, self._hash, self.size = content, hashlib.sha256(), 0

    def __iter__(self) -> Iterator[bytes]:
        for part in self._content:
            self._hash.update(part)
            self.size += len(part)
            yield part

    def sha256(self) -> str:
        """Give the hash of what has passed."""
        return self._hash.hexdigest()


class _Telling:
    """A reader whose faults are told in our own words."""

    def __init__(self, reader: Reader, folder: Path) -> None:
        self._reader, self._folder, self.size = reader, folder, reader.size

    def read(self, offset: int, length: int) -> bytes:
        with _told(self._folder):
            return self._reader.read(offset, length)


class _Plain:
    """A file as it lies there."""

    def __init__(self, fd: int) -> None:
        self._fd, self.size = fd, os.fstat(fd).st_size

    def read(self, offset: int, length: int) -> bytes:
        return os.pread(self._fd, length, offset)


def hash_of(reader: Reader) -> str:
    """Read all, and give its hash."""
    found = hashlib.sha256()
    for at in range(0, reader.size, PIECE):
        found.update(reader.read(at, PIECE))
    return found.hexdigest()


def write(fd: int, part: bytes) -> None:
    """Write all of it."""
    rest = memoryview(part)
    while rest:
        rest = rest[os.write(fd, rest) :]


def _flush(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


@contextmanager
def _told(folder: Path) -> Iterator[None]:
    """Tell what the system says of a folder in our own words."""
    try:
        yield
    except Unsealable as fault:
        raise StorageUnavailable(f"{folder}: a recording cannot be opened: {fault}") from fault
    except OSError as fault:
        why = f"{folder}: {fault.strerror or fault}"
        if fault.errno in (ENOSPC, EDQUOT):
            raise StorageFull(why, "make room, or move the recordings to a larger disk") from fault
        raise StorageUnavailable(why, "see that it is mounted and that cti may write it") from fault
