"""Files for the browser: a fixed table, read once at the start.

No path of a request ever reaches the file system. All files share one edition, the hash of
them all, which stands in their addresses: a change anywhere changes every address, so that
browsers may keep them for ever, and modules find each other by relative addresses.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from aiohttp import web

FOLDER: Final = Path(__file__).parent / "static"
TYPES: Final[Mapping[str, str]] = {
    ".js": "text/javascript",
    ".css": "text/css",
    ".json": "application/json",
    ".svg": "image/svg+xml",
}
"""What is served at all; notes and licences beside the files are not."""

FOR_EVER: Final = "public, max-age=31536000, immutable"


@dataclass(frozen=True, slots=True)
class Item:
    """One file as it is sent."""

    body: bytes
    type: str
    etag: str


class Shelf:
    """The files, by their path below the folder."""

    def __init__(self, folder: Path = FOLDER) -> None:
        paths = sorted(path for path in folder.rglob("*") if path.suffix in TYPES)
        self._items = {path.relative_to(folder).as_posix(): _item(path) for path in paths}
        whole = hashlib.sha256()
        for name, item in self._items.items():
            whole.update(f"{name} {item.etag}\n".encode())
        self.edition = whole.hexdigest()[:12]

    def url(self, name: str) -> str:
        """Give the address of a file. `KeyError` if there is none: our own bug."""
        self._items[name]
        return f"/static/{self.edition}/{name}"

    async def serve(self, request: web.Request) -> web.Response:
        """Send a file of this edition, or say that the browser has it already."""
        item = self._items.get(request.match_info["name"])
        if item is None or request.match_info["edition"] != self.edition:
            raise web.HTTPNotFound
        headers = {"Cache-Control": FOR_EVER, "ETag": f'"{item.etag}"'}
        known = request.if_none_match
        if known is not None and any(tag.value in (item.etag, "*") for tag in known):
            return web.Response(status=304, headers=headers)
        return web.Response(
            body=item.body, content_type=item.type, charset="utf-8", headers=headers
        )


def _item(path: Path) -> Item:
    body = path.read_bytes()
    return Item(body, TYPES[path.suffix], hashlib.sha256(body).hexdigest()[:32])
