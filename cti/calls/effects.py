"""What must be done about a call. The book decides, a shell performs."""

from dataclasses import dataclass

from cti.calls.record import CallId, CallRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class Show:
    """What a screen shows of this call has changed: keep it, then look again (`Book.view`)."""

    call: CallId


@dataclass(frozen=True, slots=True, kw_only=True)
class Merge:
    """Two calls were one all along: `call` is from now on another name of `into`."""

    call: CallId
    into: CallId


@dataclass(frozen=True, slots=True, kw_only=True)
class Close:
    """A call is over: keep its record, once."""

    record: CallRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """Say something in the log. An effect, so that tests can assert on it."""

    text: str
    call: CallId | None = None


Effect = Show | Merge | Close | Note
