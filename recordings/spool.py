"""What has the PBX written, and is anybody still writing it? Folders that are looked through.

A spool is a folder of the PBX as it is seen here: the same machine's, or mounted. Links, pipes
and devices in it are no recordings; a file is opened step by step from the folder on, so that
nothing outside of it is ever reached. Nothing here writes.
"""

import os
import stat
from collections.abc import AsyncIterator, Collection, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Final, Protocol
from zoneinfo import ZoneInfo

import asyncinotify

from cti.value import value
from recordings import names
from recordings.names import Named
from recordings.record import Kind

DEPTH: Final = 8
"""Folders in folders: distributions keep years, months and days apart."""
NOTE: Final = 10_000
"""The note beside a message is shorter."""
_FILE: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_FOLDER: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_DIRECTORY | os.O_CLOEXEC
_CLOSED: Final = asyncinotify.Mask.CLOSE_WRITE | asyncinotify.Mask.MOVED_TO
_WATCHED: Final = _CLOSED | asyncinotify.Mask.CREATE | asyncinotify.Mask.ONLYDIR


class SourceAway(OSError):
    """Where the PBX's files are does not answer now."""

    def __init__(self, why: str) -> None:
        super().__init__(0, why)


class SourceGone(Exception):
    """The PBX's file is not there, is no plain file, or changed while it was read."""


@value
class Found:
    """A file of a spool: `path` below its folder; `changed` in nanoseconds.

    `note` is what the PBX wrote beside a message in a mailbox.
    """

    path: str
    size: int
    changed: int
    note: str = ""


class Opened(Protocol):
    """A file of the PBX that is being read."""

    @property
    def path(self) -> str:
        """Give its path below the folder."""
        ...

    @property
    def size(self) -> int:
        """Give its bytes, as they were when it was opened."""
        ...

    def read(self, offset: int, length: int) -> bytes:
        """Give a part of the file. Raises `SourceGone`."""
        ...

    def found(self) -> Found:
        """Give the file as it is now. Raises `SourceGone`."""
        ...


class Source(Protocol):
    """Where files of one PBX are: a folder here, or on another machine, or a bucket. Blocks."""

    @property
    def pbx(self) -> str:
        """Give the PBX whose files these are."""
        ...

    @property
    def name(self) -> str:
        """Give its name for people."""
        ...

    @property
    def whole(self) -> bool:
        """Whether a file that is there is finished."""
        ...

    def named(self, found: Found, zone: ZoneInfo) -> Named:
        """Give what a file's name says."""
        ...

    def sweep(self, known: Collection[int] = ()) -> "Swept":
        """Give the files of sound that are not `known` by their `mark`. Raises `OSError`."""
        ...

    def family(self, path: str) -> list[Found]:
        """Give a file as it is now, and those of its sides, or of the whole, that are there."""
        ...

    def open(self, path: str) -> AbstractContextManager[Opened]:
        """Open a file. Raises `SourceGone`."""
        ...

    def room(self) -> int | None:
        """Give the bytes that are free where the PBX writes; None where nobody can tell."""
        ...

    def close(self) -> None:
        """Let go of what is held open."""
        ...


def named(path: str, found: Found, zone: ZoneInfo) -> Named:
    """Give what the name of a file in a PBX's folder `path` says.

    A message goes by its own id, for its file moves.
    """
    told = names.said(f"{path}/{found.path}", zone)
    if told.kind is Kind.VOICEMAIL and (own := names.message(found.note).id):
        box = told.whole.rsplit("/", 2)[0]
        told = replace(told, whole=f"{box}/{own}.{found.path.rpartition('.')[2]}")
    return told


class Spool:
    """One folder of one PBX. `path` is what the PBX calls it, `folder` where it is here."""

    whole = False
    """A file that is there may still be written."""

    def __init__(self, pbx: str, path: str, folder: Path) -> None:
        self.pbx, self.folder = pbx, folder
        self._path = path.rstrip("/")
        self.name = f"{pbx} {self._path}"

    def named(self, found: Found, zone: ZoneInfo) -> Named:
        """Give what a file's name says."""
        return named(self._path, found, zone)

    def sweep(self, known: Collection[int] = ()) -> "Swept":
        """Give the files of sound that are not `known` by their `mark`, and all folders.

        Raises `OSError` when the spool itself cannot be read.
        """
        found, folders = list[Found](), [""]
        for folder in folders:
            try:
                entries = list(os.scandir(self.folder / folder))
            except OSError:
                if not folder:
                    raise
                continue  # a folder that went meanwhile
            for entry in entries:
                path = f"{folder}/{entry.name}" if folder else entry.name
                if entry.is_dir(follow_symlinks=False):
                    if path.count("/") < DEPTH:
                        folders.append(path)
                elif names.is_sound(entry.name) and entry.is_file(follow_symlinks=False):
                    with suppress(FileNotFoundError):
                        one = _found(path, entry.stat(follow_symlinks=False))
                        if mark(self, one) not in known and (noted := self._noted(one)):
                            found.append(noted)
        return Swept(found=found, folders=folders)

    def look(self, path: str) -> Found | None:
        """Give one file as it is now; None if it is no plain file."""
        with suppress(SourceGone), self.open(path) as opened:
            return self._noted(opened.found())
        return None

    def family(self, path: str) -> list[Found]:
        """Give a file as it is now, and those of its sides, or of the whole, that are there."""
        return [one for name in names.family(path) if (one := self.look(name))]

    def _noted(self, found: Found) -> Found | None:
        """Add the note to a message of a mailbox; until there is one it is not finished."""
        if not names.is_message(f"{self._path}/{found.path}"):
            return found
        with suppress(SourceGone), self.open(f"{found.path.rpartition('.')[0]}.txt") as opened:
            return replace(found, note=opened.read(0, NOTE).decode("utf-8", "replace"))
        return None

    @contextmanager
    def open(self, path: str) -> Iterator["LocalFile"]:
        """Open a file of the spool. Raises `SourceGone`."""
        fds = list[int]()
        try:
            *folders, name = path.split("/")
            if ".." in (*folders, name):
                raise SourceGone(f"{path} leads out of the spool")
            fds.append(os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC))
            for folder in folders:
                fds.append(os.open(folder, _FOLDER, dir_fd=fds[-1]))
            fds.append(os.open(name, _FILE, dir_fd=fds[-1]))
            if not stat.S_ISREG(os.fstat(fds[-1]).st_mode):
                raise SourceGone(f"{path} is no plain file")
            yield LocalFile(path, fds[-1])
        except OSError as fault:
            raise SourceGone(f"{path}: {fault.strerror}") from fault
        finally:
            for fd in fds:
                os.close(fd)

    def room(self) -> int:
        """Give the bytes that are free where the PBX writes. Raises `OSError`."""
        found = os.statvfs(self.folder)
        return found.f_bavail * found.f_frsize

    def close(self) -> None:
        """Hold nothing open."""


@value
class Swept:
    """What a sweep found."""

    found: list[Found]
    folders: list[str]


class LocalFile:
    """A file of the PBX that is being read."""

    def __init__(self, path: str, fd: int) -> None:
        self.path, self._fd = path, fd
        self.size = os.fstat(fd).st_size

    def read(self, offset: int, length: int) -> bytes:
        """Give a part of the file. Raises `SourceGone`."""
        try:
            return os.pread(self._fd, length, offset)
        except OSError as fault:
            raise SourceGone(f"{self.path}: {fault.strerror}") from fault

    def found(self) -> Found:
        """Give the file as it is now."""
        return _found(self.path, os.fstat(self._fd))


def mark(spool: Source, one: Found) -> int:
    """Give a number by which a file in this state is known again, within this process."""
    return hash((spool.name, one.path, one.size, one.changed))


def _found(path: str, told: os.stat_result) -> Found:
    return Found(path=path, size=told.st_size, changed=told.st_mtime_ns)


class Ears:
    """Hears of files that are closed. What it misses, a sweep finds."""

    def __init__(self, spool: Spool) -> None:
        self._spool = spool
        self._inotify = asyncinotify.Inotify()
        self._folders = dict[Path, str]()
        self.deaf = ""
        """Why not all folders are heard; empty: they are."""

    def follow(self, folders: Collection[str]) -> None:
        """Hear these folders too."""
        for folder in folders:
            there = self._spool.folder / folder
            if there in self._folders:
                continue
            try:
                self._inotify.add_watch(there, _WATCHED)
                self._folders[there] = folder
            except OSError as fault:
                self.deaf = f"{there}: {fault.strerror or fault}"

    async def closed(self) -> AsyncIterator[str | None]:
        """Give the paths of files as they are closed; None: sweep, for something was missed."""
        async for event in self._inotify:
            folder = self._folders.get(event.watch.path) if event.watch else None
            if folder is None or event.name is None:
                yield None  # too much at once, or the folder went
                continue
            name = os.fspath(event.name)
            path = f"{folder}/{name}" if folder else name
            if asyncinotify.Mask.ISDIR in event.mask:
                self.follow([path])
                yield None  # a file may have been closed in it before we heard
            elif event.mask & _CLOSED and names.is_sound(name):
                yield path

    def close(self) -> None:
        """Hear no more."""
        self._inotify.close()
