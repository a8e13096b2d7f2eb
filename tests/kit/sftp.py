"""An SFTP server of its own for tests: a real one on this machine's loopback, with a folder."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import asyncssh

from recordings.sftp import Server

PASSWORD = "right horse"


@dataclass
class Host:
    """A machine that is reached over SFTP, and how to reach it."""

    server: Server
    root: Path
    """What it calls `/`."""
    listening: asyncssh.SSHAcceptor | None = None
    keys: tuple[asyncssh.SSHKey, asyncssh.SSHKey] | None = None
    links: list[asyncssh.SSHServerConnection] = field(default_factory=list)

    async def goes(self) -> None:
        """Be away: cut all connections, and take no more."""
        assert self.listening is not None
        self.listening.close()
        for link in self.links:
            link.abort()
        await self.listening.wait_closed()
        self.listening, self.links = None, []

    async def comes(self) -> None:
        """Be there, at the same address."""
        assert self.keys is not None
        host_key, user_key = self.keys

        links = self.links

        class Door(asyncssh.SSHServer):
            """Lets in who has the key, or the password."""

            def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
                links.append(conn)

            def password_auth_supported(self) -> bool:
                return True

            def validate_password(self, username: str, password: str) -> bool:
                return (username, password) == ("cti", PASSWORD)

        root = str(self.root).encode()

        def sftp(channel: Any) -> asyncssh.SFTPServer:
            return asyncssh.SFTPServer(channel, chroot=root)

        self.listening = await asyncssh.listen(
            "127.0.0.1",
            self.server.port,
            server_factory=Door,
            server_host_keys=[host_key],
            authorized_client_keys=asyncssh.import_authorized_keys(
                user_key.export_public_key().decode()
            ),
            sftp_factory=sftp,
        )


@asynccontextmanager
async def sftp_host(folder: Path) -> AsyncIterator[Host]:
    """Start it; `/monitor` of it lies in `folder`."""
    host_key = asyncssh.generate_private_key("ssh-ed25519")
    user_key = asyncssh.generate_private_key("ssh-ed25519")
    key_file = folder / "key"
    key_file.write_bytes(user_key.export_private_key())
    root = folder / "far"
    (root / "monitor").mkdir(parents=True)
    server = Server(
        host="127.0.0.1",
        port=0,
        user="cti",
        folder="/monitor",
        known_hosts=folder / "known_hosts",
        key_file=key_file,
        password="",
    )
    made = Host(server, root, keys=(host_key, user_key))
    await made.comes()
    assert made.listening is not None
    port = made.listening.get_port()
    made.server = replace(server, port=port)
    public = host_key.export_public_key().decode()
    server.known_hosts.write_text(f"[127.0.0.1]:{port} {public}")
    try:
        yield made
    finally:
        if made.listening is not None:
            await made.goes()
