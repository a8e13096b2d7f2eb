"""How are recordings kept in a bucket of S3, or of something that speaks as S3 does?

As in a folder: by content, sealed where there are keys, read back and compared before anything
is noted. What is put is first written beside, on a disk of this machine, for its name is its
hash. Everything here blocks: it is called from threads.
"""

import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

import obstore
from obstore.exceptions import BaseError
from obstore.store import S3Store

from cti.errors import Bug
from cti.value import value
from recordings.seal import Keys, Sealed, Unsealable, sealed
from recordings.storage import (
    MARKER,
    PLACE,
    SEALED,
    Hashed,
    Put,
    Reader,
    StorageUnavailable,
    hash_of,
    write,
)

if TYPE_CHECKING:
    from obstore.store import S3Config

ANSWERS_WITHIN: Final = "30s"
CONNECTS_WITHIN: Final = "5s"
TRIED_FOR: Final = timedelta(seconds=10)
FAULTS: Final = (BaseError, OSError)
"""What obstore raises."""


@value
class Bucket:
    """Where a bucket is and who may use it. `endpoint` is empty for Amazon's own."""

    name: str
    prefix: str
    endpoint: str
    region: str
    key_id: str
    secret: str


def store_of(bucket: Bucket) -> S3Store:
    """Give what speaks with a bucket; nothing is asked of it yet."""
    config: S3Config = {
        "region": bucket.region,
        "access_key_id": bucket.key_id,
        "secret_access_key": bucket.secret,
        "virtual_hosted_style_request": False,
    }
    if bucket.endpoint:
        config["endpoint"] = bucket.endpoint
    return S3Store(
        bucket.name,
        prefix=bucket.prefix or None,
        config=config,
        client_options={
            "timeout": ANSWERS_WITHIN,
            "connect_timeout": CONNECTS_WITHIN,
            "allow_http": bucket.endpoint.startswith("http://"),
        },
        retry_config={"max_retries": 2, "retry_timeout": TRIED_FOR},
    )


class S3Bucket:
    """A bucket of recordings. `scratch` is a folder of this machine."""

    def __init__(self, bucket: Bucket, scratch: Path, keys: Keys | None = None) -> None:
        self._where = f"s3://{bucket.name}/{bucket.prefix}".rstrip("/")
        self._scratch, self._keys = scratch, keys
        self._store = store_of(bucket)

    @property
    def key_id(self) -> str | None:
        """The key that seals what is new; None: it lies open."""
        return self._keys.first.id if self._keys else None

    def begin(self, *, used: bool) -> None:
        """Mark the bucket where nothing was kept yet; else see that it is the one."""
        with self._told():
            try:
                obstore.head(self._store, MARKER)
            except FileNotFoundError as fault:
                if used:
                    raise StorageUnavailable(
                        f"{self._where} has no {MARKER}: it is not the bucket of the recordings",
                        "set recordings.s3_bucket to where they are",
                    ) from fault
                obstore.put(self._store, MARKER, b"")
            self._scratch.mkdir(mode=0o700, parents=True, exist_ok=True)

    def put(self, content: Iterable[bytes]) -> Put:
        """Keep a content, sealed with the first key if there are keys."""
        whole = Hashed(content)
        parts = sealed(self._keys.first, whole) if self._keys else whole
        with self._told(), tempfile.TemporaryFile(dir=self._scratch) as beside:
            for part in parts:
                write(beside.fileno(), part)
            sha256 = whole.sha256()
            place = f"{sha256[:2]}/{sha256}{SEALED if self._keys else ''}"
            os.lseek(beside.fileno(), 0, os.SEEK_SET)
            obstore.put(self._store, place, beside)
        with self.open(place) as reader:
            if reader.size != whole.size or hash_of(reader) != sha256:
                raise StorageUnavailable(f"{self._where}: what was written is not what is there")
        return Put(place=place, size=whole.size, sha256=sha256, key_id=self.key_id)

    @contextmanager
    def open(self, place: str) -> Iterator[Reader]:
        """Open a content. What was changed, or has no key any more, is `StorageUnavailable`."""
        with self._told():
            plain = _Object(self, place, obstore.head(self._store, _checked(place))["size"])
            is_sealed = place.endswith(SEALED)
            reader = Sealed(self._keys, plain.read, plain.size) if is_sealed else plain
        yield _Telling(self, reader)

    def forget(self, place: str) -> None:
        """Remove a content."""
        with self._told():
            obstore.delete(self._store, _checked(place))

    def room(self) -> int | None:
        """Know of no end of a bucket; see that it answers."""
        with self._told():
            obstore.head(self._store, MARKER)
        return None

    def part(self, place: str, offset: int, length: int) -> bytes:
        """Give a part of what lies at a place. Raises what obstore raises."""
        return bytes(obstore.get_range(self._store, place, start=offset, length=length))

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Tell what the bucket says in our own words."""
        try:
            yield
        except Unsealable as fault:
            raise StorageUnavailable(
                f"{self._where}: a recording cannot be opened: {fault}"
            ) from fault
        except FAULTS as fault:
            why = str(fault).splitlines()[0][:300]
            raise StorageUnavailable(
                f"{self._where}: {why}", "see that it answers, and that the key may use it"
            ) from fault


class _Object:
    """A content as it lies in the bucket."""

    def __init__(self, bucket: S3Bucket, place: str, size: int) -> None:
        self._bucket, self._place, self.size = bucket, place, size

    def read(self, offset: int, length: int) -> bytes:
        length = min(length, self.size - offset)
        return self._bucket.part(self._place, offset, length) if length > 0 else b""


class _Telling:
    """A reader whose faults are told in our own words."""

    def __init__(self, bucket: S3Bucket, reader: Reader) -> None:
        self._bucket, self._reader, self.size = bucket, reader, reader.size

    def read(self, offset: int, length: int) -> bytes:
        with self._bucket._told():
            return self._reader.read(offset, length)


def _checked(place: str) -> str:
    if not PLACE.fullmatch(place):
        raise Bug(f"{place!r} is no place in the storage")
    return place
