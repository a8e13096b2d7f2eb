"""What the settings say about recordings, built. Nothing runs yet."""

from collections.abc import Callable
from typing import Final

from cti.clock import Clock
from cti.house import House
from cti.settings import Settings
from recordings.collector import Collector
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
