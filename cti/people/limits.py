"""How often may somebody try to log in? Pure, bounded, and the same answer for everybody."""

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

MOST_KEYS: Final = 10_000

Key = tuple[str, str]


@dataclass(slots=True)
class _Tries:
    since: datetime
    count: int


class LoginLimits:
    """Counts tries to log in within a window of time.

    Few for one number from one address: that is guessing a password. More for a number from
    anywhere (so that nobody can lock out a colleague with five tries), and for an address (a
    whole department may sit behind one). Counts are kept in memory; when there are too many
    keys those not tried for longest go.
    """

    def __init__(
        self,
        pair: int = 5,
        number: int = 50,
        address: int = 100,
        window: timedelta = timedelta(minutes=15),
        most_keys: int = MOST_KEYS,
    ) -> None:
        self._limits: Mapping[str, int] = {"pair": pair, "number": number, "address": address}
        self._window, self._most = window, most_keys
        self._tries: OrderedDict[Key, _Tries] = OrderedDict()

    def wait(self, number: str, address: str, now: datetime) -> timedelta:
        """Count a try and give zero; or tell how long to wait, and count nothing.

        A try is counted before the password is looked at: a thousand at once gain nothing.
        """
        keys = _keys(number, address)
        if waits := [wait for key in keys if (wait := self._wait(key, now))]:
            return max(waits)
        for key in keys:
            tries = self._tries.setdefault(key, _Tries(now, 0))
            if now - tries.since >= self._window:
                tries.since, tries.count = now, 0
            tries.count += 1
            self._tries.move_to_end(key)
        while len(self._tries) > self._most:
            self._tries.popitem(last=False)
        return timedelta()

    def succeeded(self, number: str, address: str) -> None:
        """Take back the try that turned out right, and those of this pair."""
        for key in _keys(number, address):
            tries = self._tries.get(key)
            if key[0] == "pair":
                self._tries.pop(key, None)
            elif tries and tries.count:
                tries.count -= 1

    def __len__(self) -> int:
        return len(self._tries)

    def _wait(self, key: Key, now: datetime) -> timedelta:
        tries = self._tries.get(key)
        if tries is None or tries.count < self._limits[key[0]]:
            return timedelta()
        return max(tries.since + self._window - now, timedelta())


def _keys(number: str, address: str) -> tuple[Key, Key, Key]:
    number = number.strip().casefold()[:64]
    return ("pair", f"{number} {address}"), ("number", number), ("address", address)
