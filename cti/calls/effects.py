"""What must be done about a call. The book decides, a shell performs."""

from cti.calls.record import CallId, CallRecord
from cti.value import value


@value
class Show:
    """What a screen shows of this call has changed: keep it, then look again (`Book.view`)."""

    call: CallId


@value
class Merge:
    """Two calls were one all along: `call` is from now on another name of `into`."""

    call: CallId
    into: CallId


@value
class Close:
    """A call is over: keep its record, once."""

    record: CallRecord


@value
class Note:
    """Say something in the log. An effect, so that tests can assert on it."""

    text: str
    call: CallId | None = None


Effect = Show | Merge | Close | Note
