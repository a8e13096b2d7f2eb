"""Section `[recordings]`: who is recorded, who listens, and when is the medium too full?"""

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Final

from cti.house import RETENTION_PURPOSES, RecordingRules
from cti.house_file.keys import Keys

_DIALLED: Final = re.compile(r"[0-9A-D*#]{1,8}", re.ASCII)
_LINE: Final = re.compile(r"\S{1,80}")
DIRECTIONS: Final = ("inbound", "outbound", "internal")
KEPT: Final = ("1d", "520w")
PAUSERS: Final = ("agent", "supervisor", "manager", "owner")
LISTENERS: Final = ("agent", "supervisor", "manager", "owner", "auditor")


def recordings(keys: Keys) -> RecordingRules:
    """Read `[recordings]`."""
    plain = RecordingRules()
    return RecordingRules(
        required=keys.flag("required", default=plain.required),
        directions=keys.some_of("directions", plain.directions, DIRECTIONS),
        missing_after=keys.duration("missing_after", plain.missing_after, "10s", "24h"),
        announce=keys.flag("announce", default=plain.announce),
        retention=keys.duration("retention", plain.retention, *KEPT),
        retention_tiers=_kept(keys.inner("retention_tiers", '{ gold = "730d" }')),
        retention_purposes=_kept(
            keys.inner("retention_purposes", '{ voicemail = "90d" }'), RETENTION_PURPOSES
        ),
        min_free_gb=keys.whole("min_free_gb", plain.min_free_gb, 1, 100_000),
        agents_listen=keys.flag("agents_listen", default=plain.agents_listen),
        download=keys.some_of("download", plain.download, LISTENERS),
        pause_by=keys.some_of("pause_by", plain.pause_by, PAUSERS),
        pause_longest=keys.duration("pause_longest", plain.pause_longest, "10s", "1h"),
        opus=keys.flag("opus", default=plain.opus),
        opus_after=keys.duration("opus_after", plain.opus_after, "1h", "520w"),
        original_kept=keys.duration("original_kept", plain.original_kept, *KEPT),
        one_touch=keys.text("one_touch", plain.one_touch, _is_dialled, "one_touch"),
        announcing_lines=keys.texts("announcing_lines", (), _is_line, "word"),
    )


def _is_dialled(text: str) -> bool:
    return not text or _DIALLED.fullmatch(text) is not None


def _is_line(text: str) -> bool:
    return _LINE.fullmatch(text) is not None


def _kept(keys: Keys, known: tuple[str, ...] = ()) -> Mapping[str, timedelta]:
    """Read how long what is kept, by name; `known` are all names there are, if they are known."""
    names = [name for name in keys.table if not known or name in known]
    found = {name: keys.duration(name, timedelta(), *KEPT) for name in names}
    keys.refuse_unknown()
    return found
