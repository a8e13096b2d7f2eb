"""What the settings say about recordings, built. Nothing runs yet."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

from cti.callbacks.store import CallbackStore
from cti.calls.store import CallStore
from cti.clock import Clock
from cti.customers.store import CustomerStore
from cti.db.engine import Database
from cti.errors import ConfigError
from cti.house import House
from cti.penalties.store import PenaltyStore
from cti.quality.store import QualityStore
from cti.settings import Settings
from recordings.collector import Collector
from recordings.dossier import Dossier, Rooms
from recordings.keeper import Keeper
from recordings.linker import Calls
from recordings.seal import Keys, read_keys
from recordings.spool import Spool
from recordings.storage import LocalFolder, Storage
from recordings.store import RecordingStore

_GB: Final = 1_000_000_000


def storage_of(settings: Settings) -> Storage:
    """Give the storage. Raises `ConfigError` (recording_keys, secret_file, recordings_s3)."""
    file = settings.recordings.key_file
    keys = read_keys(file) if file else None
    if settings.recordings.s3_bucket:
        return _bucket(settings, keys)
    return LocalFolder(settings.recordings_folder, keys)


def _bucket(settings: Settings, keys: Keys | None) -> Storage:
    try:
        from recordings.bucket import Bucket, S3Bucket
    except ModuleNotFoundError as fault:
        raise ConfigError(
            f"recordings.s3_bucket needs {fault.name}, which is not installed",
            "install cti with it: pip install 'cti[s3]'",
            code="recordings_s3",
        ) from fault
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
    """Give the collector; None where no PBX says in which folders it writes."""
    spools = [
        Spool(pbx.name, path, folder) for pbx in settings.pbx for path, folder in pbx.spools()
    ]
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
