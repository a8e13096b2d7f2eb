"""What the settings say about recordings, built. Nothing runs yet."""

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from cti.callbacks.store import CallbackStore
from cti.calls.store import CallStore
from cti.clock import Clock
from cti.customers.store import CustomerStore
from cti.db.engine import Database
from cti.errors import ConfigError
from cti.house import House
from cti.log import clean
from cti.pbx.check.point import Point, good
from cti.penalties.store import PenaltyStore
from cti.quality.store import QualityStore
from cti.settings import PbxSettings, Settings
from recordings.collector import Collector
from recordings.dossier import Dossier, Rooms
from recordings.keeper import Keeper
from recordings.linker import Calls
from recordings.seal import Keys, read_keys
from recordings.spool import Source, Spool
from recordings.storage import LocalFolder, Storage
from recordings.store import RecordingStore

_GB: Final = 1_000_000_000
_LOST: Final = "no recording of this folder is collected"
_TODO: Final = (
    "see that the folder is there, and that the user cti runs as (or logs in with) may read it; "
    "then the PBX's `recordings` and sftp_ or s3_ keys of the settings"
)


def storage_of(settings: Settings) -> Storage:
    """Give the storage. Raises `ConfigError` (recording_keys, secret_file, recordings_s3)."""
    file = settings.recordings.key_file
    keys = read_keys(file) if file else None
    if settings.recordings.s3_bucket:
        return _bucket(settings, keys)
    return LocalFolder(settings.recordings_folder, keys)


def _source(pbx: PbxSettings, path: str, where: str) -> Source:
    """Give where files of a PBX are."""
    kind, _, rest = where.partition("://")
    if kind == "sftp":
        return _over_sftp(pbx, path, rest)
    if kind == "s3":
        return _from_bucket(pbx, path, rest)
    return Spool(pbx.name, path, Path(where))


async def look_at_sources(pbx: PbxSettings) -> list[Point]:
    """Look whether the files of a PBX can be reached, folder by folder; nothing is taken."""
    return [await asyncio.to_thread(_look, pbx, path, where) for path, where in pbx.spools()]


def _look(pbx: PbxSettings, path: str, where: str) -> Point:
    key, what = f"files.{path}", path
    try:
        source = _source(pbx, path, where)
    except ConfigError as fault:
        return Point(
            key=key, what=what, state="wrong", found=fault.what, why=_LOST, todo=fault.todo
        )
    try:
        found = source.sweep().found
    except OSError as fault:
        why = (fault.strerror or str(fault)).removeprefix(f"{where}: ")
        told = f"{clean(where, 100)}: {clean(why, 200)}"
        return Point(key=key, what=what, state="wrong", found=told, why=_LOST, todo=_TODO)
    finally:
        source.close()
    return good(key, what, f"{clean(where, 100)} can be read: {len(found)} files of sound")


def _over_sftp(pbx: PbxSettings, path: str, where: str) -> Source:
    try:
        from recordings.sftp import Server, SftpSpool
    except ModuleNotFoundError as fault:
        raise ConfigError(
            f"sftp:// needs {fault.name}, which is not installed",
            "install cti with it: pip install 'cti[sftp]'",
            code="recordings_sftp",
        ) from fault
    if pbx.sftp_known_hosts is None:
        raise ConfigError(
            f"pbx {pbx.name}: recordings over SFTP need sftp_known_hosts",
            "name a file that holds the server's host key",
            code="sftp_known_hosts",
        )
    login, _, folder = where.partition("/")
    user, _, at = login.partition("@")
    host, _, port = at.rpartition(":") if at.rpartition(":")[2].isdecimal() else (at, "", "22")
    server = Server(
        host=host.strip("[]"),
        port=int(port),
        user=user,
        folder=f"/{folder}",
        known_hosts=pbx.sftp_known_hosts,
        key_file=pbx.sftp_key_file,
        password=pbx.read_source_secret("sftp_password_file"),
    )
    return SftpSpool(pbx.name, path, server)


def _from_bucket(pbx: PbxSettings, path: str, where: str) -> Source:
    try:
        from recordings.bucket import Bucket
        from recordings.objects import BucketSpool
    except ModuleNotFoundError as fault:
        raise _not_installed("s3://", fault) from fault
    name, _, prefix = where.partition("/")
    bucket = Bucket(
        name=name,
        prefix=prefix.strip("/"),
        endpoint=pbx.s3_endpoint,
        region=pbx.s3_region,
        key_id=pbx.s3_key_id,
        secret=pbx.read_source_secret("s3_secret_file"),
    )
    return BucketSpool(pbx.name, path, bucket)


def _not_installed(what: str, fault: ModuleNotFoundError) -> ConfigError:
    return ConfigError(
        f"{what} needs {fault.name}, which is not installed",
        "install cti with it: pip install 'cti[s3]'",
        code="recordings_s3",
    )


def _bucket(settings: Settings, keys: Keys | None) -> Storage:
    try:
        from recordings.bucket import Bucket, S3Bucket
    except ModuleNotFoundError as fault:
        raise _not_installed("recordings.s3_bucket", fault) from fault
    told = settings.recordings
    name, _, prefix = told.s3_bucket.partition("/")
    bucket = Bucket(
        name=name,
        prefix=prefix.strip("/"),
        endpoint=told.s3_endpoint,
        region=told.s3_region,
        key_id=told.s3_key_id,
        secret=told.read_s3_secret(),
    )
    return S3Bucket(bucket, settings.data / "incoming", keys)


def collector_of(
    settings: Settings,
    storage: Storage,
    *,
    store: RecordingStore,
    calls: Calls,
    house: Callable[[], House],
    clock: Clock,
) -> Collector | None:
    """Give the collector; None where no PBX says in which folders it writes.

    Raises `ConfigError`: recordings_s3, recordings_sftp, sftp_key, sftp_known_hosts, secret_file.
    """
    spools = [_source(pbx, path, where) for pbx in settings.pbx for path, where in pbx.spools()]
    if not spools:
        return None
    return Collector(
        store,
        storage,
        spools,
        calls=calls,
        house=house,
        clock=clock,
        stop_below=int(settings.recordings.stop_below_gb * _GB),
    )


def keeping_of(
    db: Database,
    storage: Storage,
    *,
    customers: CustomerStore,
    calls: CallStore,
    penalties: PenaltyStore,
    callbacks: CallbackStore,
    quality: QualityStore,
    house: Callable[[], House],
    clock: Clock,
    turn: asyncio.Lock | None = None,
    rooms: Sequence[Rooms] = (),
) -> tuple[Keeper, Dossier]:
    """Give what deletes by rule, and what knows all of one customer."""
    store = RecordingStore(db)
    keeper = Keeper(
        store,
        storage,
        undecided={"incident": penalties.undecided, "objection": quality.objected},
        directions=calls.directions,
        tiers=customers.tiers,
        house=house,
        clock=clock,
        turn=turn,
    )
    dossier = Dossier(
        db,
        customers=customers,
        calls=calls,
        store=store,
        storage=storage,
        holds=keeper.holds,
        others=[penalties.forget_numbers, callbacks.forget_numbers],
        policy=lambda: house().version,
        clock=clock,
        rooms=rooms,
    )
    return keeper, dossier
