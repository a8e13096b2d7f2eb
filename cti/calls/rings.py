"""How often did the phone ring? Cadence presets, and the two clocks that a house may count by."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Literal

CYCLES: Final[Mapping[str, timedelta]] = {
    "tw": timedelta(seconds=3),
    "cn": timedelta(seconds=5),
    "us": timedelta(seconds=6),
}
"""One burst of the ringback tone and the silence after it, from Asterisk's indications.conf."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RingRules:
    """How long a caller may be kept waiting: section `[ring]`.

    `cycle` is one burst of ringing and the silence after it: tw 3 s, cn 5 s, us 6 s.
    """

    cycle: timedelta = timedelta(milliseconds=3000)
    standard: int = 3
    apologise_from: int = 5
    clock: Literal["agent_ring", "customer_wait"] = "agent_ring"
    short_abandon: timedelta = timedelta(milliseconds=5000)

    def rings(self, rang: timedelta) -> int:
        """Count the bursts begun in `rang`: the first sounds at 0 s, the second at one cycle.

        Always 1 or more: clocks step back, and less than no time is no time.
        Source: RING-01 to RING-03, requirement section 21.3.
        """
        return max(rang, timedelta()) // self.cycle + 1
