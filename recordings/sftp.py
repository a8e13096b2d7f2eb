"""Recordings that lie on another machine and are reached over SFTP. Looked through, never changed.

As with a folder of this machine: links and what is no plain file are left alone, and nothing
outside of the folder is reached. The host must be known: one whose key stands in no file is not
spoken with. The connection lives on a loop of its own thread, for everything here blocks and is
called from threads; it comes back by itself.
"""

import asyncio
import os
import stat
import threading
from collections.abc import Collection, Coroutine, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, TypeVar
from zoneinfo import ZoneInfo

import asyncssh

from cti.errors import ConfigError
from cti.value import value
from recordings import names
from recordings.names import Named
from recordings.spool import DEPTH, NOTE, Found, SourceAway, SourceGone, Swept, mark, named

T = TypeVar("T")

CONNECTS_WITHIN: Final = 10.0
ANSWERS_WITHIN: Final = 30.0
SWEEPS_WITHIN: Final = 300.0
ALIVE_EVERY: Final = 5.0
"""Seconds of silence after which the other side is asked whether it is there; thrice in vain, and
the connection is given up."""
_NS: Final = 1_000_000_000
_FAULTS: Final = (OSError, asyncssh.Error, TimeoutError)


@value
class Server:
    """Where an SFTP server is, who may log in, and which file knows its host key."""

    host: str
    port: int
    user: str
    folder: str
    known_hosts: Path
    key_file: Path | None
    password: str


class SftpSpool:
    """One folder of one PBX on another machine. `path` is what the PBX calls it."""

    whole = False
    """A file that is there may still be written."""

    def __init__(self, pbx: str, path: str, server: Server) -> None:
        """Raises `ConfigError` (sftp_key, sftp_known_hosts): a file cannot be used."""
        self.pbx, self._path, self._server = pbx, path.rstrip("/"), server
        self.name = f"{pbx} {self._path}"
        self._folder = os.fsencode(server.folder.rstrip("/") or "/")
        self._how = _how(server)
        self._loop = _Loop(f"sftp {pbx}")
        self._link: asyncssh.SSHClientConnection | None = None
        self._client: asyncssh.SFTPClient | None = None
        self._root = b""
        self._connecting: asyncio.Lock | None = None

    def named(self, found: Found, zone: ZoneInfo) -> Named:
        """Give what a file's name says."""
        return named(self._path, found, zone)

    def sweep(self, known: Collection[int] = ()) -> Swept:
        """Give the files of sound that are not `known`, and all folders. Raises `SourceAway`."""
        return self._do(self._sweep(known), SWEEPS_WITHIN)

    def family(self, path: str) -> list[Found]:
        """Give a file as it is now, and those of its sides, or of the whole, that are there."""
        return [one for name in names.family(path) if (one := self._look(name))]

    @contextmanager
    def open(self, path: str) -> Iterator["RemoteFile"]:
        """Open a file of the folder. Raises `SourceGone`."""
        file = self._do(self._open(path), ANSWERS_WITHIN, gone=path)
        try:
            yield RemoteFile(self, path, file, self._do(file.stat(), ANSWERS_WITHIN, gone=path))
        finally:
            with suppress(SourceGone):
                self._do(file.close(), ANSWERS_WITHIN, gone=path)

    def room(self) -> int | None:
        """Give the bytes that are free where the PBX writes; None where the server cannot tell."""
        try:
            found = self._do(self._room(), ANSWERS_WITHIN)
        except SourceAway:
            return None
        return found

    def close(self) -> None:
        """Hang up."""
        self._loop.close(self._hang_up())

    # -- on the loop

    async def _connected(self) -> asyncssh.SFTPClient:
        """Give the session, a new one where it was lost; one of several that ask connects."""
        self._connecting = self._connecting or asyncio.Lock()
        async with self._connecting:
            if self._client is None:
                async with asyncio.timeout(CONNECTS_WITHIN):
                    link = await asyncssh.connect(**self._how)
                    try:
                        client = await link.start_sftp_client(path_encoding=None)
                        root = await client.realpath(self._folder)
                    except BaseException:
                        link.abort()
                        raise
                assert isinstance(root, bytes)  # noqa: S101  by path_encoding
                self._link, self._client, self._root = link, client, root.rstrip(b"/")
            return self._client

    async def _hang_up(self) -> None:
        link, self._link, self._client = self._link, None, None
        if link is not None:
            link.abort()
            await link.wait_closed()

    async def _sweep(self, known: Collection[int]) -> Swept:
        client = await self._connected()
        found, folders = list[Found](), [""]
        for folder in folders:
            try:
                entries = await client.readdir(self._at(folder))
            except asyncssh.SFTPError:
                if not folder:
                    raise
                continue  # a folder that went meanwhile
            for entry in entries:
                name = os.fsdecode(entry.filename)
                path = f"{folder}/{name}" if folder else name
                kind = stat.S_IFMT(entry.attrs.permissions or 0)
                if kind == stat.S_IFDIR:
                    if name not in (".", "..") and path.count("/") < DEPTH:
                        folders.append(path)
                elif names.is_sound(name) and kind == stat.S_IFREG:
                    one = _found(path, entry.attrs)
                    if mark(self, one) not in known and (noted := await self._noted(one)):
                        found.append(noted)
        return Swept(found=found, folders=folders)

    async def _noted(self, found: Found) -> Found | None:
        """Add the note to a message of a mailbox; until there is one it is not finished."""
        if not names.is_message(f"{self._path}/{found.path}"):
            return found
        try:
            file = await self._open(f"{found.path.rpartition('.')[0]}.txt")
        except (asyncssh.SFTPError, SourceGone):
            return None
        async with file:
            note = _bytes(await file.read(NOTE, 0))
        return replace(found, note=note.decode("utf-8", "replace"))

    async def _open(self, path: str) -> asyncssh.SFTPClientFile:
        """Open a file that lies in the folder itself, whatever links there are on the way."""
        client = await self._connected()
        if ".." in path.split("/"):
            raise SourceGone(f"{path} leads out of the folder")
        at = self._at(path)
        if await client.realpath(at) != at:
            raise SourceGone(f"{path} is no plain file")
        file = await client.open(at, "rb")
        if stat.S_IFMT((await file.stat()).permissions or 0) != stat.S_IFREG:
            await file.close()
            raise SourceGone(f"{path} is no plain file")
        return file

    async def _room(self) -> int | None:
        client = await self._connected()
        try:
            told = await client.statvfs(self._root)
        except asyncssh.SFTPOpUnsupported:
            return None
        return int(told.bavail) * int(told.frsize)

    def _at(self, path: str) -> bytes:
        return self._root + b"/" + os.fsencode(path) if path else self._root or b"/"

    # -- from a thread

    def _look(self, path: str) -> Found | None:
        with suppress(SourceGone), self.open(path) as opened:
            return self._do(self._noted(opened.found()), ANSWERS_WITHIN, gone=path)
        return None

    def _do(self, work: Coroutine[Any, Any, T], within: float, gone: str = "") -> T:
        """Do something on the loop.

        Raises `SourceGone` about the file `gone`, or `SourceAway` where it is about none.
        """
        try:
            return self._loop.run(work, within)
        except asyncssh.SFTPError as fault:
            if not isinstance(fault, asyncssh.SFTPConnectionLost | asyncssh.SFTPNoConnection):
                if gone:
                    raise SourceGone(f"{gone}: {fault.reason}") from fault
                raise SourceAway(f"{self._server.host}: {fault.reason}") from fault
            why = fault.reason
        except _FAULTS as fault:
            why = str(fault) or "no answer in time"
        with suppress(*_FAULTS):
            self._loop.run(self._hang_up(), ANSWERS_WITHIN)
        why = f"{self._server.host}: {why.splitlines()[0][:200]}"
        raise SourceGone(f"{gone}: {why}") if gone else SourceAway(why)


class RemoteFile:
    """A file of the PBX that is being read over the network."""

    def __init__(
        self,
        spool: SftpSpool,
        path: str,
        file: asyncssh.SFTPClientFile,
        told: asyncssh.SFTPAttrs,
    ) -> None:
        self.path, self._spool, self._file = path, spool, file
        self.size = told.size or 0

    def read(self, offset: int, length: int) -> bytes:
        """Give a part of the file. Raises `SourceGone`."""
        length = min(length, self.size - offset)
        if length <= 0:
            return b""
        return _bytes(
            self._spool._do(self._file.read(length, offset), ANSWERS_WITHIN, gone=self.path)
        )

    def found(self) -> Found:
        """Give the file as it is now. Raises `SourceGone`."""
        told = self._spool._do(self._file.stat(), ANSWERS_WITHIN, gone=self.path)
        return _found(self.path, told)


class _Loop:
    """A loop that runs in a thread of its own, begun when it is first needed."""

    def __init__(self, name: str) -> None:
        self._name, self._begins = name, threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._closed = False

    def run(self, work: Coroutine[Any, Any, T], within: float) -> T:
        """Let the loop do something; give what comes of it. Raises `TimeoutError` besides."""
        with self._begins:
            if self._closed:
                work.close()
                raise OSError("it is closed")
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                self._thread = threading.Thread(
                    target=self._loop.run_forever, name=self._name, daemon=True
                )
                self._thread.start()
            loop = self._loop
        return asyncio.run_coroutine_threadsafe(asyncio.wait_for(work, within), loop).result()

    def close(self, last: Coroutine[Any, Any, None]) -> None:
        """Do something last, and end; what is under way ends with `CancelledError`."""
        with self._begins:
            self._closed = True
            loop, thread = self._loop, self._thread
            self._loop = self._thread = None
        if loop is None or thread is None:
            last.close()
            return
        asyncio.run_coroutine_threadsafe(_end(loop, last), loop)
        thread.join(5)
        if not thread.is_alive():
            loop.close()


async def _end(loop: asyncio.AbstractEventLoop, last: Coroutine[Any, Any, None]) -> None:
    with suppress(*_FAULTS):
        await last
    here = asyncio.current_task()
    others = [one for one in asyncio.all_tasks() if one is not here]
    for one in others:
        one.cancel()
    await asyncio.gather(*others, return_exceptions=True)
    loop.call_soon(loop.stop)


def _how(server: Server) -> dict[str, Any]:
    """Say how to connect. Raises `ConfigError`."""
    try:
        keys = [asyncssh.read_private_key(server.key_file)] if server.key_file else []
    except (OSError, asyncssh.KeyImportError, asyncssh.KeyEncryptionError) as fault:
        raise ConfigError(
            f"sftp_key_file {server.key_file} cannot be used: {fault}",
            "give a private key without a passphrase, readable by the user cti runs as",
            code="sftp_key",
        ) from fault
    try:
        known = asyncssh.read_known_hosts(str(server.known_hosts))
    except (OSError, ValueError) as fault:
        raise ConfigError(
            f"sftp_known_hosts {server.known_hosts} cannot be used: {fault}",
            "write the host's key into it, as ssh-keyscan gives it, and compare it at the host",
            code="sftp_known_hosts",
        ) from fault
    return {
        "host": server.host,
        "port": server.port,
        "username": server.user,
        "client_keys": keys,
        "password": server.password or None,
        "known_hosts": known,
        "config": [],
        "agent_path": None,
        "connect_timeout": CONNECTS_WITHIN,
        "login_timeout": CONNECTS_WITHIN,
        "keepalive_interval": ALIVE_EVERY,
        "keepalive_count_max": 3,
    }


def _bytes(told: bytes | str) -> bytes:
    """Take what was read of a file that was opened for bytes."""
    assert isinstance(told, bytes)  # noqa: S101
    return told


def _found(path: str, told: asyncssh.SFTPAttrs) -> Found:
    changed = (told.mtime or 0) * _NS + (told.mtime_ns or 0)
    return Found(path=path, size=told.size or 0, changed=int(changed))
