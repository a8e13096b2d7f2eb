"""How is a recording made unreadable to who has its file and no key? AES-256-GCM, in chunks.

    head (64 bytes)            CTIREC1, the key's id, a salt
    chunk, chunk, … chunk      each of 64 KiB and its tag; the last may be shorter

Each file has a key of its own, derived from the house's key and the salt, so that counters serve
as nonces; the last chunk is marked as such, so that a file that was cut short shows (the STREAM
construction). Any part is read without the rest. Keys stand in a file outside the database:

    2026-11 = q83vEjRWeJ…     the first is used for what is new; the others still open what is old
"""

import base64
import binascii
import os
import re
import stat
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from cti.errors import ConfigError
from cti.value import value

MAGIC: Final = b"CTIREC1\n"
CHUNK: Final = 65_536
TAG: Final = 16
_ID, _SALT = 24, 32
HEAD: Final = len(MAGIC) + _ID + _SALT
_KEY_ID: Final = re.compile(rf"[A-Za-z0-9._-]{{1,{_ID}}}", re.ASCII)
_KEY_BYTES: Final = 32


class Unsealable(Exception):
    """A sealed file cannot be opened: no such key, another's, or changed since."""


@value
class Key:
    """One key. Its id stands in the head of each file that it seals."""

    id: str
    secret: bytes


@value
class Keys:
    """All keys: what is new is sealed with the first."""

    first: Key
    by_id: dict[str, Key]


def make_line(key_id: str) -> str:
    """Make a new key, as a line for the key file. Raises `ConfigError` (recording_keys)."""
    if not _KEY_ID.fullmatch(key_id):
        raise _wrong("the new key", f"{key_id!r} is no id of a key")
    return f"{key_id} = {base64.b64encode(os.urandom(_KEY_BYTES)).decode()}\n"


def read_keys(file: Path) -> Keys:
    """Read the key file. Raises `ConfigError` (recording_keys)."""
    try:
        if file.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise _wrong(file, "others may read it: chmod 600")
        lines = file.read_text(encoding="ascii").splitlines()
    except (OSError, UnicodeDecodeError) as fault:
        raise _wrong(file, getattr(fault, "strerror", None) or str(fault)) from fault
    keys = [
        _key(file, n, line)
        for n, line in enumerate(lines, 1)
        if line.strip() and not line.lstrip().startswith("#")
    ]
    by_id = {key.id: key for key in keys}
    if not keys or len(by_id) != len(keys):
        raise _wrong(file, "an id stands there twice" if keys else "no key stands in it")
    return Keys(first=keys[0], by_id=by_id)


def _key(file: Path, n: int, line: str) -> Key:
    key_id, _, text = line.partition("=")
    key_id = key_id.strip()
    try:
        secret = base64.b64decode(text.strip() + "=" * (-len(text.strip()) % 4), validate=True)
    except (binascii.Error, ValueError):
        secret = b""
    if not _KEY_ID.fullmatch(key_id) or len(secret) != _KEY_BYTES:
        raise _wrong(file, f"line {n} is no ID = KEY (32 bytes in Base64)")
    return Key(id=key_id, secret=secret)


def _wrong(where: object, why: str) -> ConfigError:
    return ConfigError(
        f"keys of recordings, {where}: {why}",
        "a line made by: cti recordings key ID; readable by the user alone that runs cti",
        code="recording_keys",
    )


def sealed(key: Key, chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Give a sealed file, part by part, of plain chunks of any size."""
    head = MAGIC + key.id.encode().ljust(_ID, b"\0") + os.urandom(_SALT)
    cipher = _cipher(key, head)
    yield head
    n, rest = 0, bytearray()
    for chunk in chunks:
        rest += chunk
        while len(rest) > CHUNK:
            yield cipher.encrypt(_nonce(n, last=False), bytes(rest[:CHUNK]), head)
            del rest[:CHUNK]
            n += 1
    yield cipher.encrypt(_nonce(n, last=True), bytes(rest), head)


def key_of(head: bytes) -> str | None:
    """Name the key of a sealed file by its head; None for a file that is not sealed."""
    if not head.startswith(MAGIC) or len(head) < HEAD:
        return None
    return head[len(MAGIC) : len(MAGIC) + _ID].rstrip(b"\0").decode("ascii", "replace")


class Sealed:
    """A sealed file, of which any part can be read.

    `read(offset, length)` gives bytes of the file as it lies there, `size` is how many it has.
    Raises `Unsealable`, at once or when what was changed is read.
    """

    def __init__(self, keys: Keys | None, read: Callable[[int, int], bytes], size: int) -> None:
        self._file = read
        self._head = read(0, HEAD)
        key_id = key_of(self._head)
        key = keys.by_id.get(key_id or "") if keys else None
        if key is None:
            raise Unsealable(f"the key {key_id!r} is not in the key file")
        self._cipher = _cipher(key, self._head)
        self._chunks = max(1, -(-(size - HEAD) // (CHUNK + TAG)))
        self.size = size - HEAD - self._chunks * TAG
        """The bytes of the plain content."""
        if self.size < 0:
            raise Unsealable("it was cut short")

    def read(self, offset: int, length: int) -> bytes:
        """Give a part of the plain content; less where it ends before."""
        stop = min(offset + length, self.size)
        if stop <= offset:
            return b""
        first, last = offset // CHUNK, (stop - 1) // CHUNK
        plain = b"".join(self._chunk(n) for n in range(first, last + 1))
        return plain[offset - first * CHUNK : stop - first * CHUNK]

    def _chunk(self, n: int) -> bytes:
        raw = self._file(HEAD + n * (CHUNK + TAG), CHUNK + TAG)
        try:
            return self._cipher.decrypt(_nonce(n, last=n == self._chunks - 1), raw, self._head)
        except InvalidTag as fault:
            raise Unsealable("it was changed since it was sealed") from fault


def _cipher(key: Key, head: bytes) -> AESGCM:
    salt = head[len(MAGIC) + _ID :]
    made = HKDF(algorithm=SHA256(), length=32, salt=salt, info=b"cti recording").derive(key.secret)
    return AESGCM(made)


def _nonce(n: int, *, last: bool) -> bytes:
    return n.to_bytes(11, "big") + bytes([last])
