"""Keeps the rules in force: loads the house file when asked, lets a later file wait for its day.

What counts is always found anew from what is kept, so that a crash anywhere changes nothing: a
loading is kept with its audit row in one transaction, or not at all.
"""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime, time, timedelta
from pathlib import Path
from typing import Final

import structlog

from cti import house_file
from cti.clock import Clock
from cti.errors import CtiError, HouseError, Refused
from cti.house import House
from cti.house_file import Source
from cti.policy.rules import Load, in_force, waiting
from cti.policy.store import PolicyStore, Version

log = structlog.get_logger(__name__)

EVERY: Final = timedelta(seconds=5)
"""Look this often whether other rules are in force."""
PROGRAM: Final = "cti"


class PolicyDesk:
    """The house's rules, now. `obey` is called with each new value of them."""

    def __init__(
        self,
        store: PolicyStore,
        clock: Clock,
        path: Path | None,
        house: House,
        obey: Callable[[House], None],
    ) -> None:
        self._store, self._clock, self._path, self._obey = store, clock, path, obey
        self.house = house
        self.loads: Sequence[Load] = ()
        self._seen = "", 0
        """The version and year that were looked at last."""

    @property
    def has_file(self) -> bool:
        """Whether there is a house file at all."""
        return self._path is not None

    @property
    def current(self) -> Load | None:
        """What was loaded and is in force; None without a house file."""
        found = [load for load in self.loads if load.version == self.house.version]
        return found[-1] if found and self.has_file else None

    @property
    def waiting(self) -> Load | None:
        """What was loaded and waits for its day."""
        return waiting(self.loads, self._clock.now()) if self.has_file else None

    async def begin(self, source: Source | None) -> House:
        """Give the rules with which the program begins; keep the file if it is a new one.

        `source` is what was read of the file, and `house` was made from.
        """
        if source is None:
            self.loads = await self._store.loads()
            return self.house
        version = _version_of(source, self.house)
        await self._store.keep(version, at=self._clock.now(), who=PROGRAM, said=_said(self.house))
        self.house = await self._other() or self.house
        return self.house

    async def reload(self, who: str, address: str) -> Load:
        """Read the file again for somebody; give the loading. What it says counts from its day.

        Raises `HouseError` with every finding, `Refused`: no_house_file, house_unchanged. Then
        the former rules stay.
        """
        if self._path is None:
            raise Refused("no_house_file", "no house file is set")
        source, house = await asyncio.to_thread(self._read, self._path)
        kept = await self._store.keep(
            _version_of(source, house),
            at=self._clock.now(),
            who=who,
            address=address,
            said=_said(house),
        )
        if not kept:
            raise Refused("house_unchanged", "the file is the one that was loaded last")
        await self.look()
        log.info("house_loaded", version=source.version, person=who)
        return self.loads[-1]

    def _read(self, path: Path) -> tuple[Source, House]:
        source = house_file.load(path)
        return source, house_file.understood(source, str(path), self._clock.now())

    async def look(self) -> None:
        """Let the rules that should be in force be so; a new year brings new holidays."""
        house = await self._other() if self.has_file else None
        if house is not None:
            log.info("house_in_force", version=house.version, before=self.house.version)
            self.house = house
            self._obey(house)

    async def _other(self) -> House | None:
        """Give the rules that should be in force, None if those that are may stay."""
        self.loads = await self._store.loads()
        now = self._clock.now()
        load, year = in_force(self.loads, now), now.astimezone(self.house.zone).year
        if load is None or (load.version, year) == self._seen:
            return None
        kept = await self._store.version(load.version)
        self._seen = load.version, year
        house = _understood(kept, now) if kept else None
        return house if house != self.house else None

    async def run(self) -> None:
        """Look again and again, and when a file that waits has its day."""
        while True:
            await asyncio.sleep(self._pause().total_seconds())
            with suppress(CtiError):
                await self.look()

    def _pause(self) -> timedelta:
        later = self.waiting
        if later is None or later.begins_at is None:
            return EVERY
        return max(min(later.begins_at - self._clock.now(), EVERY), timedelta())

    async def version(self, version: str) -> tuple[Version, House | None] | None:
        """Give a version that was loaded, and its rules if this program still understands them."""
        kept = await self._store.version(version)
        if kept is None:
            return None
        loaded = [load.at for load in self.loads if load.version == version]
        return kept, _understood(kept, loaded[-1] if loaded else self._clock.now())


def _understood(kept: Version, at: datetime) -> House | None:
    source = Source(text=kept.text, days=kept.days, texts=kept.texts)
    try:
        return house_file.understood(source, kept.version[:12], at)
    except HouseError as fault:
        # an older program took it: whoever loads the file again is told what is wrong with it
        log.warning("house_not_understood", version=kept.version, why=fault.what)
        return None


def _version_of(source: Source, house: House) -> Version:
    day = house.effective_from
    begins_at = datetime.combine(day, time(), house.zone) if day else None
    return Version(
        version=source.version,
        text=source.text,
        days=source.days,
        texts=source.texts,
        effective_from=day,
        begins_at=begins_at,
    )


def _said(house: House) -> list[str]:
    return [f"{one.key}: {one.code}" for one in house.warnings]
