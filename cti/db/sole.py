"""May this daemon have the SQLite file? One may: two would each keep every call.

PostgreSQL is shared by design and is not held.
"""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cti.db import engine
from cti.errors import ConfigError


@contextmanager
def held(url: str) -> Iterator[None]:
    """Hold a database for one daemon; the system lets go of it however the process ends.

    Raises `ConfigError` (db_in_use) when another daemon has it. Where no lock can be made,
    opening the database says why.
    """
    found = engine.address(url)
    if found.get_backend_name() != "sqlite":
        yield
        return
    try:
        lock = Path(f"{found.database}.lock").open("ab")  # noqa: SIM115  closed below
    except OSError:
        yield
        return
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ConfigError(
                f"{engine.where(found)} is in use by another cti",
                "stop that one, or give this one a data directory of its own (`data`; in the "
                "demo --data DIR)",
                code="db_in_use",
            ) from None
        yield
