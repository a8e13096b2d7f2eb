"""A bucket keeps recordings as a folder does: there for sure, once, and for who has the key."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from cti.errors import Bug
from recordings.bucket import Bucket, S3Bucket
from recordings.seal import CHUNK
from recordings.storage import Reader, StorageUnavailable
from tests.kit.s3 import s3
from tests.recordings.test_storage import SPEECH, content, keys


@pytest.fixture(scope="module")
def bucket() -> Iterator[Bucket]:
    """A server with a bucket."""
    with s3() as made:
        yield made


@pytest.fixture(params=["plain", "sealed"])
def kept(request: pytest.FixtureRequest, tmp_path: Path, bucket: Bucket) -> S3Bucket:
    """A part of the bucket that is made ready, with and without keys."""
    found = keys(tmp_path, "k1") if request.param == "sealed" else None
    made = S3Bucket(replace(bucket, prefix=tmp_path.name), tmp_path / "scratch", found)
    made.begin(used=False)
    return made


@pytest.mark.parametrize("length", [0, 1, CHUNK, len(SPEECH)])
def test_what_is_put_is_read_back(kept: S3Bucket, tmp_path: Path, length: int) -> None:
    first, again = kept.put([SPEECH[:length]]), kept.put([SPEECH[:length]])

    assert SPEECH[:length] == content(first.place, kept)
    assert first == again
    assert [] == list((tmp_path / "scratch").iterdir())


def test_a_part_is_read_without_the_rest(kept: S3Bucket) -> None:
    put = kept.put([SPEECH])

    with kept.open(put.place) as reader:
        for offset in (0, CHUNK - 1, CHUNK, len(SPEECH) - 3, len(SPEECH), len(SPEECH) + 9):
            assert SPEECH[offset : offset + 5] == reader.read(offset, 5)


def test_what_is_forgotten_is_away(kept: S3Bucket) -> None:
    put = kept.put([SPEECH])

    for _ in range(2):
        kept.forget(put.place)

    with pytest.raises(StorageUnavailable), kept.open(put.place):
        pass


def test_only_places_of_our_own_are_opened(kept: S3Bucket) -> None:
    with pytest.raises(Bug), kept.open("../other"):
        pass


def test_another_bucket_is_not_taken_for_the_one(bucket: Bucket, tmp_path: Path) -> None:
    other = S3Bucket(replace(bucket, prefix=f"{tmp_path.name}-new"), tmp_path)

    with pytest.raises(StorageUnavailable, match="it is not the bucket of the recordings"):
        other.begin(used=True)


def test_who_has_no_key_reads_nothing(bucket: Bucket, tmp_path: Path) -> None:
    mine = S3Bucket(replace(bucket, prefix=tmp_path.name), tmp_path, keys(tmp_path, "k1"))
    put = mine.put([SPEECH])

    with (
        pytest.raises(StorageUnavailable, match="the key 'k1' is not in the key file"),
        S3Bucket(replace(bucket, prefix=tmp_path.name), tmp_path).open(put.place),
    ):
        pass


def test_a_content_that_goes_while_it_is_read_is_told(kept: S3Bucket) -> None:
    put = kept.put([SPEECH])
    reader: Reader
    with kept.open(put.place) as reader:
        kept.forget(put.place)

        with pytest.raises(StorageUnavailable):
            reader.read(0, 5)


def test_a_server_that_is_away_is_told_soon(bucket: Bucket, tmp_path: Path) -> None:
    away = S3Bucket(replace(bucket, endpoint="http://127.0.0.1:9"), tmp_path)

    with pytest.raises(StorageUnavailable, match="s3://recordings"):
        away.put([SPEECH])


def test_a_bucket_that_is_not_there_is_told(bucket: Bucket, tmp_path: Path) -> None:
    with pytest.raises(StorageUnavailable):
        S3Bucket(replace(bucket, name="none"), tmp_path).put([SPEECH])
