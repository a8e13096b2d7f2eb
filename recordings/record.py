"""What is known of a recording, and what may become of it? Pure.

    expected ──▶ recording ──▶ stored ──▶ linked
        │            │            └─────▶ orphan     no call fits; a late event may still link it
        │            └──────────────────▶ damaged    nothing in it can be played
        └───────────────────────────────▶ missing    the house records such calls, and nothing came

A recording is one file of one call; a call may have several, as after a transfer. `gone_at` is
its tombstone: the sound is away, and what was known of it stays (REC-08).
"""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Final

from cti.value import value


class Kind(StrEnum):
    """What was recorded: talk, or what a caller left in a mailbox."""

    CALL = "call"
    VOICEMAIL = "voicemail"


class State(StrEnum):
    """Where a recording stands."""

    EXPECTED = "expected"
    RECORDING = "recording"
    STORED = "stored"
    LINKED = "linked"
    MISSING = "missing"
    DAMAGED = "damaged"
    ORPHAN = "orphan"


class NamedBy(StrEnum):
    """Which evidence ties a recording to its call, the strongest first."""

    EVENT = "event"
    """The PBX said on the call's channel that it writes this file."""
    NAME = "name"
    """The file's name says the channel."""
    OVERLAP = "overlap"
    """One call alone fits its time, and the phone that the name says."""


class Gone(StrEnum):
    """Why a sound was deleted."""

    RETENTION = "retention"
    """Its time was over (REC-08)."""
    ERASED = "erased"
    """Its customer was erased."""


LEGAL: Final[Mapping[State, frozenset[State]]] = {
    State.EXPECTED: frozenset(State) - {State.ORPHAN},
    State.RECORDING: frozenset(State),
    State.STORED: frozenset({State.LINKED, State.ORPHAN, State.DAMAGED}),
    State.LINKED: frozenset({State.DAMAGED}),
    State.MISSING: frozenset({State.RECORDING, State.STORED, State.LINKED, State.DAMAGED}),
    State.DAMAGED: frozenset({State.STORED, State.LINKED, State.ORPHAN}),
    State.ORPHAN: frozenset({State.LINKED, State.DAMAGED}),
}
"""What may follow; a state may always stay. What was missing may come late, and what was damaged
be read again when its file has changed."""


def may_become(now: State, then: State) -> bool:
    """Say whether a recording may go from one state to another."""
    return then is now or then in LEGAL[now]


@value
class Recording:
    """One recording as it is stored, without its sound and its peaks.

    `source` is the file as the PBX named it, empty where none was named; `take` counts the files
    of that name, for a PBX uses names again. `source_size` and `source_changed` (nanoseconds)
    are those of the file when it was copied.

    `channel` is the caller's, as the PBX noted it beside a message in a mailbox.
    `agent` is the phone that talked, `person` whose it was. `began` and `ended` are those of the
    sound. `place` is where the storage keeps the file, `sha256` the hash of what it keeps before
    encryption, `key_id` the key of the encryption.

    `left` says whose voice is on the left where both sides were kept apart: `customer` or
    `agent`; else it is empty. `mended`: the PBX was cut off, and the header was put right.
    `fault` says why it is damaged, or missing.

    Since `gone_at` the sound is away, for `gone_reason` (a `Gone`), by the house's rules of the
    version `gone_policy`. While `place` is still said, its file is on its way out.
    """

    id: str
    pbx: str
    kind: Kind
    state: State
    source: str = ""
    take: int = 0
    source_size: int = 0
    source_changed: int = 0
    call: str | None = None
    named_by: NamedBy | None = None
    channel: str = ""
    agent: str = ""
    person: str | None = None
    customer: str | None = None
    began: datetime | None = None
    ended: datetime | None = None
    duration_ms: int | None = None
    size: int = 0
    sha256: str = ""
    format: str = ""
    rate: int = 0
    channels: int = 0
    left: str = ""
    silence_share: float | None = None
    place: str = ""
    key_id: str | None = None
    mended: bool = False
    fault: str = ""
    seen_at: datetime
    linked_at: datetime | None = None
    gone_at: datetime | None = None
    gone_reason: str = ""
    gone_policy: str = ""

    @property
    def awaited(self) -> bool:
        """Whether it should come and has not."""
        return self.state in (State.EXPECTED, State.RECORDING)

    @property
    def playable(self) -> bool:
        """Whether there is sound to be played."""
        return bool(self.place and self.duration_ms) and self.gone_at is None


class Why(StrEnum):
    """Why a call was not recorded for a time."""

    ASKED = "asked"
    """A person asked for it, as while a card number is told."""
    REFUSED = "refused"
    """The customer does not want to be recorded: until the call is over, or he agrees."""


class Told(StrEnum):
    """How the customer was told that he is recorded."""

    PBX = "pbx"
    """The PBX announced it, and said so."""
    LINE = "line"
    """The house says that this line announces it, before the PBX has the call."""
    NO = "no"
    """The house wants it told, and nobody knows that it was."""
    NEED_NOT = "need_not"
    """The house does not want it told."""


@value
class Pause:
    """A time in which a call was not recorded. At `until` it ends by itself; None: it does not."""

    id: str
    call: str
    recording: str | None
    began: datetime
    ended: datetime | None
    person: str
    why: Why = Why.ASKED
    until: datetime | None = None


@value
class Consent:
    """How the customer of a call was told of the recording, and whether he refused it (REC-08)."""

    call: str
    told: Told
    refused_at: datetime | None = None
    refused_by: str | None = None


@value
class Original:
    """What the PBX wrote, where what is kept was made of it. Once dropped, `place` is empty."""

    recording: str
    place: str
    key_id: str | None
    sha256: str
    size: int
    format: str
    duration_ms: int
    converted_at: datetime
    dropped_at: datetime | None = None


@value
class Marker:
    """A comment at one moment of a recording."""

    id: str
    recording: str
    at_ms: int
    person: str
    text: str
    made_at: datetime


@value
class Hold:
    """Why the recordings of a call must not be deleted.

    `why` is `by_hand`, with a person's `reason`, or what is undecided in another room, with
    `ref` naming it there. None as `until`: until it is lifted. What belongs to no call is held by
    itself, as `recording`; then `call` is empty.
    """

    id: str
    call: str
    why: str
    ref: str
    since: datetime
    until: datetime | None
    person: str
    reason: str = ""
    recording: str | None = None
