"""What an operator sets about recordings is what is built, or is refused with the reason."""

from pathlib import Path
from typing import Any

import pytest

from cti import settings as settings_file
from cti.calls.store import CallStore
from cti.clock import SystemClock
from cti.db.engine import Database
from cti.errors import ConfigError
from cti.house import House
from cti.settings import Settings
from recordings.bucket import S3Bucket
from recordings.collector import Collector
from recordings.setup import collector_of, look_at_sources, storage_of
from recordings.storage import LocalFolder
from recordings.store import RecordingStore


def load(data: Path, folders: list[str] | None = None, **recordings: Any) -> Settings:
    """Give settings of one PBX."""
    pbx = [{"recordings": folders or []}]
    return settings_file.load(data=data, pbx=pbx, recordings=recordings)


def collector(settings: Settings, db: Database) -> Collector | None:
    """Build what collects."""
    return collector_of(
        settings,
        storage_of(settings),
        store=RecordingStore(db),
        calls=CallStore(db),
        house=House,
        clock=SystemClock(),
    )


def test_recordings_lie_in_the_data_directory_unless_it_is_said(tmp_path: Path) -> None:
    other = tmp_path / "large"
    assert isinstance(storage_of(load(tmp_path)), LocalFolder)

    assert tmp_path / "recordings" == load(tmp_path).recordings_folder
    assert other == load(tmp_path, storage=str(other)).recordings_folder


@pytest.mark.parametrize("bucket", ["b", "b/house/"])
def test_a_bucket_takes_the_place_of_the_folder(tmp_path: Path, bucket: str) -> None:
    secret = tmp_path / "secret"
    secret.write_text("s\n")

    made = storage_of(load(tmp_path, s3_bucket=bucket, s3_secret_file=str(secret)))

    assert isinstance(made, S3Bucket)


async def test_the_check_says_whether_each_folder_can_be_read(tmp_path: Path) -> None:
    folder, none = tmp_path / "monitor", tmp_path / "none"
    folder.mkdir()
    (folder / "a.wav").write_bytes(b"x")
    told = [f"/monitor = {folder}", f"/away = {none}", "/far = sftp://cti@127.0.0.1/monitor"]

    near, away, far = await look_at_sources(load(tmp_path, told).pbx[0])

    assert ("ok", f"{folder} can be read: 1 files of sound") == (near.state, near.found)
    assert ("wrong", f"{none}: No such file or directory") == (away.state, away.found)
    assert "may read it" in away.todo
    assert ("wrong", "files./far") == (far.state, far.key)
    assert "sftp_known_hosts" in far.found
    assert [] == await look_at_sources(load(tmp_path).pbx[0])


def test_a_secret_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    missing = str(tmp_path / "none")

    with pytest.raises(ConfigError, match="cannot read s3_secret_file"):
        storage_of(load(tmp_path, s3_bucket="b", s3_secret_file=missing))


def test_a_key_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="keys of recordings"):
        storage_of(load(tmp_path, key_file=str(tmp_path / "none")))


async def test_nothing_is_collected_until_a_pbx_says_where(
    tmp_path: Path, sqlite_db: Database
) -> None:
    assert collector(load(tmp_path), sqlite_db) is None

    made = collector(load(tmp_path, ["/monitor"]), sqlite_db)

    assert made is not None
    made.close()


@pytest.mark.parametrize(
    ("written", "path", "folder"),
    [
        ("/var/spool/asterisk/monitor", "/var/spool/asterisk/monitor", None),
        ("/monitor=/mnt/pbx", "/monitor", "/mnt/pbx"),
        ("/monitor = /mnt/the pbx", "/monitor", "/mnt/the pbx"),
    ],
)
def test_a_folder_may_have_another_path_here(
    tmp_path: Path, written: str, path: str, folder: str | None
) -> None:
    (pbx,) = load(tmp_path, [written]).pbx

    assert [(path, folder or path)] == pbx.spools()


@pytest.mark.parametrize("written", ["", "monitor", "/monitor=mnt", "/a=/b=/c", "C:/monitor"])
def test_a_folder_that_is_no_full_path_is_refused(tmp_path: Path, written: str) -> None:
    with pytest.raises(ConfigError, match="recordings"):
        load(tmp_path, [written])


@pytest.mark.parametrize(
    "folder",
    [
        "/monitor = sftp://cti@pbx.example.org/var/monitor",
        "/monitor = sftp://cti@[::1]:2222/var/monitor",
    ],
)
async def test_a_pbx_elsewhere_is_reached_over_sftp(
    tmp_path: Path, sqlite_db: Database, folder: str
) -> None:
    known = tmp_path / "known_hosts"
    known.touch()
    pbx = [{"recordings": [folder], "sftp_known_hosts": str(known)}]

    made = collector(settings_file.load(data=tmp_path, pbx=pbx), sqlite_db)

    assert made is not None
    made.close()


async def test_sftp_without_a_known_host_is_refused(tmp_path: Path, sqlite_db: Database) -> None:
    told = load(tmp_path, ["/monitor = sftp://cti@pbx.example.org/monitor"])

    with pytest.raises(ConfigError, match="need sftp_known_hosts"):
        collector(told, sqlite_db)


@pytest.mark.parametrize(
    "folder",
    [
        "/monitor = sftp://pbx.example.org/monitor",
        "/monitor = sftp://cti:secret@pbx.example.org/monitor",
        "/monitor = ftp://cti@pbx.example.org/monitor",
        "/monitor = sftp://cti@pbx.example.org",
        "/monitor = s3://",
    ],
)
def test_what_is_no_place_is_refused(tmp_path: Path, folder: str) -> None:
    with pytest.raises(ConfigError, match="recordings"):
        load(tmp_path, [folder])
