"""Recordings that somebody puts into a bucket: a PBX in a cloud, or a script at the PBX.

An object is there whole or not at all, so what is there is finished. Nothing here writes or
deletes. Everything blocks: it is called from threads.
"""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

import obstore
from obstore.store import S3Store

from recordings import names
from recordings.bucket import FAULTS, Bucket, store_of
from recordings.names import Named
from recordings.spool import Found, SourceAway, SourceGone, Swept, mark, named

if TYPE_CHECKING:
    from obstore import ObjectMeta

_MICRO: Final = timedelta(microseconds=1)
_EPOCH: Final = datetime.fromisoformat("1970-01-01T00:00:00+00:00")


class BucketSpool:
    """The objects of one bucket, or of a part of it. `path` is what the PBX calls the folder."""

    whole = True
    """What is there is finished."""

    def __init__(self, pbx: str, path: str, bucket: Bucket) -> None:
        self.pbx, self._path = pbx, path.rstrip("/")
        self.name = f"{pbx} {self._path}"
        self._where = f"s3://{bucket.name}/{bucket.prefix}".rstrip("/")
        self._store = store_of(bucket)

    def named(self, found: Found, zone: ZoneInfo) -> Named:
        """Give what an object's name says."""
        return named(self._path, found, zone)

    def sweep(self, known: Collection[int] = ()) -> Swept:
        """Give the objects of sound that are not `known`. Raises `SourceAway`."""
        found = list[Found]()
        try:
            for some in obstore.list(self._store):
                for told in some:
                    one = _found(told)
                    if names.is_sound(one.path) and mark(self, one) not in known:
                        found.append(one)
        except FAULTS as fault:
            raise SourceAway(f"{self._where}: {_why(fault)}") from fault
        return Swept(
            found=[one for one in found if not names.is_message(f"{self._path}/{one.path}")],
            folders=[""],
        )

    def family(self, path: str) -> list[Found]:
        """Give an object as it is now, and those of its sides, or of the whole, that are there."""
        some = list[Found]()
        for name in names.family(path):
            try:
                some.append(_found(obstore.head(self._store, name)))
            except FAULTS:
                continue
        return some

    @contextmanager
    def open(self, path: str) -> Iterator["BucketFile"]:
        """Open an object. Raises `SourceGone`."""
        try:
            found = _found(obstore.head(self._store, path))
        except FAULTS as fault:
            raise SourceGone(f"{path}: {_why(fault)}") from fault
        yield BucketFile(self._store, path, found.size)

    def room(self) -> int | None:
        """Know of no end of a bucket."""
        return None

    def close(self) -> None:
        """Hold nothing open."""


class BucketFile:
    """An object that is being read."""

    def __init__(self, store: S3Store, path: str, size: int) -> None:
        self.path, self._store, self.size = path, store, size

    def read(self, offset: int, length: int) -> bytes:
        """Give a part of it. Raises `SourceGone`."""
        length = min(length, self.size - offset)
        if length <= 0:
            return b""
        try:
            return bytes(obstore.get_range(self._store, self.path, start=offset, length=length))
        except FAULTS as fault:
            raise SourceGone(f"{self.path}: {_why(fault)}") from fault

    def found(self) -> Found:
        """Give it as it is now. Raises `SourceGone`."""
        try:
            return _found(obstore.head(self._store, self.path))
        except FAULTS as fault:
            raise SourceGone(f"{self.path}: {_why(fault)}") from fault


def _found(told: "ObjectMeta") -> Found:
    changed = (told["last_modified"] - _EPOCH) // _MICRO * 1000
    return Found(path=told["path"], size=told["size"], changed=changed)


def _why(fault: BaseException) -> str:
    return (str(fault).splitlines() or [type(fault).__name__])[0][:200]
