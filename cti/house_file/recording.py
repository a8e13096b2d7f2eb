"""Section `[recordings]`: who is recorded, who listens, and when is the medium too full?"""

from typing import Final

from cti.house import RecordingRules
from cti.house_file.keys import Keys

DIRECTIONS: Final = ("inbound", "outbound", "internal")
LISTENERS: Final = ("agent", "supervisor", "manager", "owner", "auditor")


def recordings(keys: Keys) -> RecordingRules:
    """Read `[recordings]`."""
    plain = RecordingRules()
    return RecordingRules(
        required=keys.flag("required", default=plain.required),
        directions=keys.some_of("directions", plain.directions, DIRECTIONS),
        missing_after=keys.duration("missing_after", plain.missing_after, "10s", "24h"),
        announce=keys.flag("announce", default=plain.announce),
        retention=keys.duration("retention", plain.retention, "1d", "520w"),
        min_free_gb=keys.whole("min_free_gb", plain.min_free_gb, 1, 100_000),
        agents_listen=keys.flag("agents_listen", default=plain.agents_listen),
        download=keys.some_of("download", plain.download, LISTENERS),
    )
