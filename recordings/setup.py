"""What the settings say about recordings, built. Nothing runs yet."""

import asyncio
from collections.abc import Callable
from typing import Final

from cti.callbacks.store import CallbackStore
from cti.calls.store import CallStore
from cti.clock import Clock
from cti.customers.store import CustomerStore
from cti.db.engine import Database
from cti.house import House
from cti.penalties.store import PenaltyStore
from cti.quality.store import QualityStore
from cti.settings import Settings
from recordings.collector import Collector
from recordings.dossier import Dossier
from recordings.keeper import Keeper
from recordings.linker import Calls
from recordings.seal import read_keys
from recordings.spool import Spool
from recordings.storage import LocalFolder
from recordings.store import RecordingStore

_GB: Final = 1_000_000_000


def storage_of(settings: Settings) -> LocalFolder:
    """Give the storage. Raises `ConfigError` (recording_keys)."""
    file = settings.recordings.key_file
    return LocalFolder(settings.recordings_folder, read_keys(file) if file else None)


def collector_of(
    settings: Settings,
    storage: LocalFolder,
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
    storage: LocalFolder,
    *,
    customers: CustomerStore,
    calls: CallStore,
    penalties: PenaltyStore,
    callbacks: CallbackStore,
    quality: QualityStore,
    house: Callable[[], House],
    clock: Clock,
    turn: asyncio.Lock | None = None,
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
    )
    return keeper, dossier
