"""The month's statements, bonus lines, figures about reviewers, and the audit log."""

import secrets
from collections.abc import Sequence
from datetime import date, timedelta
from typing import Final

from aiohttp import web

from cti.errors import Refused
from cti.penalties.record import Statement
from cti.penalties.routes.common import (
    Fields,
    Part,
    choice,
    person_of,
    read_amount,
    read_month,
    text,
)
from cti.reports.sheets import Column, Kind, Sheet
from cti.web.auth import Visitor
from cti.web.downloads import Form, wanted
from cti.web.pages import see_other

TYPED: Final = ("person", "what", "amount", "note")
QUARTER: Final = timedelta(days=91)


class Statements(Part):
    """What manager and owner do at the end of a month; supervisors and auditor read."""

    async def month(self, request: web.Request, visitor: Visitor) -> web.Response:
        """List the statements of a month; as a file with `as`."""
        return await self._month(request, visitor)

    async def _month(
        self,
        request: web.Request,
        visitor: Visitor,
        refusal: Refused | None = None,
        typed: dict[str, str] | None = None,
    ) -> web.Response:
        month = self.today().replace(day=1)
        try:
            month = read_month(request.query.get("month", "")) or month
        except Refused as wrong:
            refusal = refusal or wrong
        rows = await self.store.statements(month)
        if form := wanted(request):
            return await self.file(self._sheet(visitor, month, rows), form)
        return self.page(
            request,
            visitor,
            "statements.html",
            refusal=refusal,
            typed=(typed or dict.fromkeys(TYPED, "")) | {"once": secrets.token_hex(16)},
            month=month,
            before=(month - timedelta(days=1)).replace(day=1),
            next_month=(month + timedelta(days=32)).replace(day=1),
            over=month < self.today().replace(day=1),
            rows=rows,
        )

    def _sheet(self, visitor: Visitor, month: date, rows: Sequence[Statement]) -> Sheet:
        directory = self.asks.directory()
        titles = [
            ("number", Kind.TEXT),
            ("person", Kind.TEXT),
            ("month", Kind.TEXT),
            ("sum", Kind.MONEY),
            ("total", Kind.MONEY),
            ("remainder", Kind.MONEY),
            ("unit", Kind.TEXT),
            ("state", Kind.TEXT),
        ]
        found = [(directory.by_id(row.person), row) for row in rows]
        return Sheet(
            name=f"statements-{month:%Y-%m}",
            columns=[
                Column(title=self.say(visitor, f"penalties.col.{key}"), kind=kind)
                for key, kind in titles
            ],
            rows=[
                [
                    person.number if person else "",
                    person.name if person else row.person,
                    f"{month:%Y-%m}",
                    row.sum,
                    row.total,
                    row.remainder,
                    row.unit,
                    self.name(visitor, "penalties.statement", row.state),
                ]
                for person, row in found
            ],
            zone=self.asks.house().zone,
        )

    async def change(self, request: web.Request, visitor: Visitor) -> web.Response:
        """Publish, finalise or export a month; enter bonus lines by hand or from a file."""
        fields = await request.post()
        try:
            month = read_month(text(fields, "month", 7)) or self.today().replace(day=1)
            done = await self._change(request, visitor, fields, month)
        except Refused as refusal:
            typed = {key: text(fields, key) for key in TYPED}
            return await self._month(request, visitor, refusal, typed)
        if isinstance(done, web.Response):
            return done
        return see_other(f"/statements?month={month:%Y-%m}&done={done}")

    async def _change(
        self, request: web.Request, visitor: Visitor, fields: Fields, month: date
    ) -> str | web.Response:
        by, address = person_of(visitor), self.kit.pages.site.address(request)
        match text(fields, "do"):
            case "publish":
                await self.store.publish(month, by=by, address=address)
                return "published"
            case "finalise":
                await self.store.finalise(month, by=by, address=address)
                return "finalised"
            case "export":
                rows = await self.store.export(month, by=by, address=address)
                form: Form = "xlsx" if text(fields, "as") == "xlsx" else "csv"
                return await self.file(self._sheet(visitor, month, rows), form)
            case "bonus":
                await self.store.add_bonus(
                    text(fields, "person", 64),
                    month,
                    what=text(fields, "what", 80),
                    amount=read_amount(text(fields, "amount")),
                    note=text(fields, "note"),
                    once=text(fields, "once", 64),
                    by=by,
                    address=address,
                )
                return "bonus"
            case "table":
                await self.store.import_bonus(_table(fields), by=by, address=address)
                return "bonus"
            case _:
                raise Refused("no_verdict", "say what is to be done")

    async def person(self, request: web.Request, visitor: Visitor) -> web.Response:
        """Show somebody's month."""
        month = self.today().replace(day=1)
        refusal = None
        try:
            month = read_month(request.query.get("month", "")) or month
        except Refused as wrong:
            refusal = wrong
        found = await self.store.statement(request.match_info["person"], month)
        return self.page(request, visitor, "statement.html", it=found, refusal=refusal)

    async def reviewers(self, request: web.Request, visitor: Visitor) -> web.Response:
        """Show how each reviewer decided in the last quarter."""
        until = self.asks.clock.now()
        rows = await self.store.reviewed(until - QUARTER, until)
        return self.page(request, visitor, "reviewers.html", rows=rows, since=until - QUARTER)

    async def audit(self, request: web.Request, visitor: Visitor) -> web.Response:
        """Read the audit log, newest first."""
        query = request.query
        try:
            page = await self.store.audit(
                about=query.get("about", "")[:128],
                who=choice(str, query.get("who", "")[:64], ""),
                after=query.get("after", ""),
            )
        except Refused as refusal:
            return self.page(request, visitor, "audit.html", refusal=refusal, rows=(), more="")
        return self.page(request, visitor, "audit.html", rows=page.rows, more=page.after)


def _table(fields: Fields) -> str:
    """Read an uploaded CSV file. Raises `Refused` (bonus_table)."""
    file = fields.get("file")
    if not isinstance(file, web.FileField):
        raise Refused("bonus_table", "choose a file", line=1, why="")
    try:
        return file.file.read().decode("utf-8-sig")
    except UnicodeDecodeError as fault:
        raise Refused("bonus_table", "not in UTF-8", line=1, why=str(fault)) from None
