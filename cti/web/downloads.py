"""How does a page give its table away? As CSV or XLSX, made beside the loop, one XLSX at a time.

if (form := wanted(request)) is not None:
    return await kit.downloads.answer(Sheet(name=..., columns=..., rows=...), form)
"""

import asyncio
import sys
from contextlib import suppress
from typing import Final, Literal, get_args

from aiohttp import web

from cti.errors import Refused
from cti.reports.sheets import MOST_ROWS, Sheet, csv_bytes, for_process

Form = Literal["csv", "xlsx"]
FORMS: Final[tuple[Form, ...]] = get_args(Form)
TYPES: Final = {
    "csv": "text/csv; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}
WITHIN: Final = 120.0
"""Seconds for one file."""
WAITING: Final = 8
"""So many may wait for their XLSX; who comes then is asked to come again."""


def wanted(request: web.Request) -> Form | None:
    """Tell which file the address asks for by `as`; None: the page itself."""
    asked = request.query.get("as")
    return asked if asked in FORMS else None


class Downloads:
    """Makes files."""

    def __init__(self) -> None:
        self._turn = asyncio.Semaphore(1)
        self._waiting = 0

    async def answer(self, sheet: Sheet, form: Form) -> web.Response:
        """Answer with a sheet as a file.

        Raises `Refused`: `sheet_too_long`, `sheets_busy`, `sheet_failed`.
        """
        if len(sheet.rows) > MOST_ROWS:
            raise Refused("sheet_too_long", "narrow the filter", n=len(sheet.rows), most=MOST_ROWS)
        if form == "csv":
            body = await asyncio.to_thread(csv_bytes, sheet)
        else:
            body = await self._xlsx(sheet)
        name = f"{sheet.file_name}.{form}"
        headers = {
            "Content-Type": TYPES[form],
            "Content-Disposition": f'attachment; filename="{name}"',
        }
        return web.Response(body=body, headers=headers)

    async def _xlsx(self, sheet: Sheet) -> bytes:
        if self._waiting >= WAITING:
            raise Refused("sheets_busy", "other files are being made: try again in a minute")
        self._waiting += 1
        try:
            async with self._turn:
                return await _by_process(await asyncio.to_thread(for_process, sheet))
        finally:
            self._waiting -= 1


async def _by_process(asked: bytes) -> bytes:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "cti.reports.xlsx",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(WITHIN):
            made, _ = await process.communicate(asked)
    except TimeoutError:
        raise Refused("sheet_failed", f"no file within {WITHIN:.0f} s") from None
    finally:
        if process.returncode is None:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()
    if process.returncode != 0:
        raise Refused("sheet_failed", f"the process ended with {process.returncode}")
    return made
