"""How do customers come in from a file? Good lines are stored, broken ones are told.

A CSV file with a heading: the names of `COLUMNS`, in any order; phones and care flags are parted
by `;` or `/`. Columns that are not there leave what is kept as it is. The same file again changes
nothing.
"""

import asyncio
import csv
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from itertools import islice
from pathlib import Path
from typing import Final

from typing_extensions import override

from cti.customers.rules import Entry, read_entry
from cti.customers.store import CustomerStore, Kept
from cti.errors import CommitUnknown, ConfigError
from cti.house import CustomerRules

COLUMNS: Final = (
    "external_id",
    "name",
    "phones",
    "tier",
    "company",
    "area",
    "note",
    "care_flags",
    "do_not_call",
    "title",
    "email",
    "birthday",
    "owner",
    "member_no",
    "member_since",
    "consent",
    "do_not_sms",
    "hours",
    "zone",
    "merchant",
)
ENCODINGS: Final = {"utf-8": "utf-8-sig", "utf-16": "utf-16", "gb18030": "gb18030", "big5": "cp950"}
SIZE_LIMIT: Final = 200_000_000
AT_ONCE: Final = 500
"""Lines per transaction."""
FIELD_LINES: Final = 20
"""A quoted field may go over so many lines; a longer one is a quotation mark gone astray."""


@dataclass(frozen=True, slots=True)
class Broken:
    """A line that was not stored, and every reason."""

    line: int
    reasons: tuple[str, ...]


@dataclass(slots=True)
class Report:
    """What became of a file."""

    added: int = 0
    changed: int = 0
    same: int = 0
    broken: list[Broken] = field(default_factory=list)
    dry: bool = False

    def lines(self, name: str) -> list[str]:
        """Say it for people."""
        counts = f"{self.added} added, {self.changed} changed, {self.same} the same"
        broken = f"{len(self.broken)} broken"
        dry = " (dry run: nothing was stored)" if self.dry else ""
        told = [f"  line {line.line}: {'; '.join(line.reasons)}" for line in self.broken]
        return [f"{name}: {counts}, {broken}{dry}", *told]


async def import_csv(
    path: Path,
    store: CustomerStore,
    region: str,
    *,
    dry: bool = False,
    encoding: str = "",
    report: Report | None = None,
    owners: Mapping[str, str] | None = None,
    rules: CustomerRules | None = None,
) -> Report:
    """Store the good lines of a file and tell of the others.

    `region` is the house's country, for numbers without country code; `owners` are people's ids
    by their numbers, `rules` say which tiers and care flags there are; `report` fills up as the
    file is stored. Raises `ConfigError` (customers_file, customers_encoding, customers_heading)
    before anything is stored, `StoreUnavailable` in between: what the report counts is stored,
    and the same file can be given again.
    """
    report = report or Report()
    report.dry = dry
    text = await asyncio.to_thread(read_file, path, encoding)
    lines = Lines(text, region, str(path), owners, rules)
    while chunk := await asyncio.to_thread(lambda: list(islice(lines, AT_ONCE))):
        report.broken += [line for line in chunk if isinstance(line, Broken)]
        entries = [line for line in chunk if isinstance(line, Entry)]
        kept = await _keep(store, entries, dry=dry)
        report.added += kept.added
        report.changed += kept.changed
        report.same += kept.same
    return report


async def _keep(store: CustomerStore, entries: Sequence[Entry], *, dry: bool) -> Kept:
    try:
        return await store.keep(entries, dry=dry)
    except CommitUnknown:
        return await store.keep(entries, dry=dry)  # the same again changes nothing


class Records(Iterator[tuple[int, dict[str, str]] | Broken]):
    """The lines of a file behind its heading, each the texts of its columns, or broken.

    Raises `ConfigError` (customers_heading) for a heading with wrong columns; `needs` tells of a
    good one what it lacks.
    """

    def __init__(
        self, text: str, name: str, columns: Sequence[str], needs: Callable[[Sequence[str]], str]
    ) -> None:
        self._rows = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
        self._delimiter = max(",;\t", key=self._rows[0].count)
        self._columns, self._needs = columns, needs
        self._heading = self._read_heading(name)
        self._at = 1

    @override
    def __next__(self) -> tuple[int, dict[str, str]] | Broken:
        while self._at < len(self._rows):
            line = self._at + 1
            fields = self._fields()
            if isinstance(fields, str):
                return Broken(line, (fields,))
            if any(text.strip() for text in fields):
                said = zip(self._heading, map(_unguarded, fields), strict=True)
                return line, dict(said)
        raise StopIteration

    def _read_heading(self, name: str) -> list[str]:
        heading = [word.strip().casefold() for word in self._split(self._rows[0]) or []]
        wrong = [
            f"no such column {word[:40]!r}{_hint(word, self._columns)}"
            for word in heading
            if word not in self._columns
        ]
        wrong += [f"two columns {word}" for word in self._columns if heading.count(word) > 1]
        if lacking := self._needs(heading):
            wrong.append(lacking)
        if wrong:
            raise ConfigError(
                f"{name}: line 1, the heading: " + "; ".join(wrong),
                f"the columns are: {', '.join(self._columns)}",
                code="customers_heading",
            )
        return heading

    def _fields(self) -> list[str] | str:
        """Give the fields of the next record, or why there are none; go on behind it.

        After a quotation mark gone astray the very next line is read as a new record, so that
        one broken line does not swallow the good ones behind it.
        """
        count = self._count()
        fields = self._split("\n".join(self._rows[self._at : self._at + count]))
        if count == 0 or fields is None:
            self._at += 1
            return "a quotation mark is not closed, or stands inside a field and is not doubled"
        wanted = len(self._heading)
        if len(fields) != wanted and any(fields):
            self._at += 1
            return f"it has {len(fields)} fields, the heading has {wanted}"
        self._at += count
        return fields

    def _count(self) -> int:
        """Count the lines of the next record; 0: its quotation mark is never closed."""
        text = ""
        for count, row in enumerate(self._rows[self._at : self._at + FIELD_LINES], start=1):
            text = f"{text}\n{row}" if count > 1 else row
            if not _is_open(text, self._delimiter):
                return count
        return 0

    def _split(self, text: str) -> list[str] | None:
        try:
            return next(csv.reader([text], delimiter=self._delimiter, strict=True), [])
        except csv.Error:
            return None


class Lines(Iterator[Entry | Broken]):
    """The customers of a file, each line an entry or broken."""

    def __init__(
        self,
        text: str,
        region: str,
        name: str,
        owners: Mapping[str, str] | None = None,
        rules: CustomerRules | None = None,
    ) -> None:
        self._records = Records(text, name, COLUMNS, _lacks)
        self._region, self._owners, self._rules = region, owners, rules
        self._seen: dict[tuple[str, ...], int] = {}

    @override
    def __next__(self) -> Entry | Broken:
        record = next(self._records)
        if isinstance(record, Broken):
            return record
        line, said = record
        entry, reasons = read_entry(said, self._region, self._owners, self._rules)
        if entry is None:
            return Broken(line, tuple(reasons))
        if told := self._twice(line, entry):
            return Broken(line, (told,))
        return entry

    def _twice(self, line: int, entry: Entry) -> str:
        own = [("id", entry.external_id)] if entry.external_id else []
        shared = [("phone", entry.name, number) for number, _written in entry.phones or ()]
        for key in own or shared:
            if key in self._seen:
                what = "external_id" if own else "name and phone"
                return f"it has the same {what} as line {self._seen[key]}"
        self._seen.update(dict.fromkeys([*own, *shared], line))
        return ""


def _lacks(heading: Sequence[str]) -> str:
    if "name" not in heading or not {"phones", "external_id"} & set(heading):
        return "the columns name, and phones or external_id, must be there"
    return ""


def _is_open(text: str, delimiter: str) -> bool:
    """Tell whether a quoted field is still open at the end of a text."""
    if '"' not in text:
        return False
    inside, first = False, True
    for sign in text:
        if inside:
            inside = sign != '"'
        else:
            # A quotation mark right behind a closing one is a doubled one: inside again.
            inside, first = sign == '"' and first, sign == delimiter
            first = first or sign == '"'
    return inside


def _unguarded(text: str) -> str:
    """Take off what spreadsheets put round a text that looks like a number: '138 or ="138"."""
    text = text.strip()
    if text.startswith('="') and text.endswith('"'):
        return text[2:-1]
    return text[1:] if text.startswith("'") else text


def _hint(word: str, columns: Sequence[str]) -> str:
    found = get_close_matches(word, columns, n=1)
    return f", did you mean {found[0]}?" if found else ""


def read_file(path: Path, encoding: str = "") -> str:
    """Give the text of a CSV file. Raises `ConfigError`: customers_file, customers_encoding."""
    try:
        if path.stat().st_size > SIZE_LIMIT:
            raise ConfigError(
                f"{path}: larger than {SIZE_LIMIT // 1_000_000} MB",
                "cut it into several files, each with the heading",
                code="customers_file",
            )
        content = path.read_bytes()
    except OSError as fault:
        raise ConfigError(
            f"{path}: cannot be read: {fault.strerror}",
            "name a CSV file that is there and that you may read",
            code="customers_file",
        ) from fault
    return _decoded(content, path, encoding)


def _decoded(content: bytes, path: Path, encoding: str) -> str:
    if not encoding:
        encoding = "utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8"
    try:
        return content.decode(ENCODINGS[encoding])
    except KeyError:
        what = f"there is no encoding {encoding!r}"
    except UnicodeDecodeError as fault:
        line = content.count(b"\n", 0, fault.start) + 1
        what = f"line {line} is not {encoding}{_looks(content, fault.start)}"
    raise ConfigError(
        f"{path}: {what}",
        f"save it as 'CSV UTF-8', or say how it was written: --encoding {' | '.join(ENCODINGS)}",
        code="customers_encoding",
    )


def _looks(content: bytes, at: int) -> str:
    """Show how the first strange line would read, so that a person can choose."""
    start, end = content.rfind(b"\n", 0, at) + 1, content.find(b"\n", at)
    line = content[start : end if end > 0 else None]
    views = [
        f"{name}: {' '.join(line.decode(ENCODINGS[name], 'replace').split())[:40]}"
        for name in ("gb18030", "big5")
    ]
    return f" (as {', as '.join(views)})"
