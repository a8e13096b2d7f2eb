"""Which call does a file belong to, when is it finished, and which call misses one? Pure.

Evidence comes in three strengths. The PBX said on a channel of the call that it writes the file;
or the file's name has the Uniqueid of a channel of the call; or one call alone fits the time of
the sound and the numbers in the name. What fits two calls belongs to none (REC-04).
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from cti.calls.record import CallRecord, Direction, RecordedCall, RecordedTalk
from cti.house import RecordingRules
from recordings import names
from recordings.names import Named
from recordings.record import Hold, Kind, NamedBy, Recording, State, Told

STILL: Final = timedelta(seconds=10)
"""A file whose header is whole, and that nobody has written for so long, is finished."""
STILL_UNSURE: Final = timedelta(seconds=45)
"""The same without such a header: the PBX writes in blocks, of GSM one in 40 s."""
SLACK: Final = timedelta(seconds=2)
"""So far may the clock of a file system be from that of a PBX."""
SPEAKS: Final = timedelta(seconds=1)
"""Who talked no longer than this may hang up before anything is written."""


def finished(*, closed: bool, whole: bool, still: timedelta, writes: bool) -> bool:
    """Say whether nobody will write a file any more.

    `closed`: it was seen to be closed; `whole`: its header says how long it is; `still`: for so
    long nothing was written; `writes`: a call lives of which the PBX said that it writes it.
    """
    if closed:
        return True
    return not writes and still >= (STILL if whole else STILL_UNSURE)


def is_new_take(there: Recording, began: datetime | None) -> bool:
    """Say whether a file that was copied and has changed holds another sound.

    The PBX may use a name again; or it went on writing, and then it is the same one.
    """
    if there.ended is None or began is None:
        return False
    return began > there.ended - SLACK


def awaited(call: RecordedCall, source: str, there: Recording | None) -> Recording | None:
    """Give what is to be kept of a file that the PBX named on a call's channel, `there` so far.

    None: nothing new. `id` and `seen_at` are left to the caller where there was none.
    """
    if there is None:
        return _expected(call, source, 0)
    if there.call != call.call and there.named_by is NamedBy.EVENT and not _fits(call, there):
        return _expected(call, source, there.take + 1)  # the name was used again
    now = linked(there, call, NamedBy.EVENT)
    if now.state is State.RECORDING and call.over:
        now = replace(now, state=State.EXPECTED)
    return None if now == there else now


def _expected(call: RecordedCall, source: str, take: int) -> Recording:
    bare = Recording(
        id="",
        pbx=call.pbx,
        kind=Kind.CALL,
        state=State.EXPECTED if call.over else State.RECORDING,
        source=source,
        take=take,
        seen_at=call.began,
    )
    return linked(bare, call, NamedBy.EVENT)


def _fits(call: RecordedCall, there: Recording) -> bool:
    """Say whether a sound may be of this call by its time; one not yet copied may."""
    if there.began is None or there.ended is None:
        return False
    return there.ended >= call.began - SLACK and (
        call.ended is None or there.began <= call.ended + SLACK
    )


def linked(one: Recording, call: RecordedCall, by: NamedBy) -> Recording:
    """Give a recording as one of a call: whose it is, and who speaks on which side."""
    talk = _talk_of(one, call)
    state = State.LINKED if one.state in (State.STORED, State.ORPHAN) else one.state
    return replace(
        one,
        state=state,
        call=call.call,
        named_by=by,
        agent=talk.agent if talk else call.agent,
        person=talk.person if talk else call.person,
        customer=call.customer,
        left=_left(one.left, call.direction),
    )


def _left(left: str, direction: Direction) -> str:
    """Say who is on the left: the party of the channel that was recorded, which began the call.

    In a call that came in that is the customer, else one of us.
    """
    if not left:
        return ""
    return "customer" if direction is Direction.INBOUND else "agent"


def _talk_of(one: Recording, call: RecordedCall) -> RecordedTalk | None:
    """Give the talk that has most of the sound; of a sound without time, the first."""
    known = [talk for talk in call.talks if talk.began is not None]
    if not known or one.began is None or one.ended is None:
        return next(iter(call.talks), None)
    return max(known, key=lambda talk: _overlap(one, talk.began, talk.ended))


def _overlap(one: Recording, began: datetime | None, ended: datetime | None) -> timedelta:
    if one.began is None or one.ended is None or began is None:
        return timedelta()
    return min(one.ended, ended or one.ended) - max(one.began, began)


def by_name(named: Named, calls: Iterable[RecordedCall]) -> RecordedCall | None:
    """Give the one call that has the channel that a name says; None where there are two."""
    found = [call for call in calls if named.uniqueid and named.uniqueid in call.legs]
    return found[0] if len(found) == 1 else None


def by_channel(
    channel: str, began: datetime | None, calls: Iterable[RecordedCall]
) -> RecordedCall | None:
    """Give the one call whose customer's channel left a message then (app_voicemail.c)."""
    if not channel or began is None:
        return None
    found = [
        call
        for call in calls
        if call.channel == channel
        and call.began - SLACK <= began
        and (call.ended is None or began <= call.ended + SLACK)
    ]
    return found[0] if len(found) == 1 else None


def by_overlap(one: Recording, named: Named, calls: Sequence[RecordedCall]) -> RecordedCall | None:
    """Give the one call that fits the time of a sound and the numbers of its name.

    Its talk must hold the sound, give or take: a name that tells no number must agree with one
    call alone to the second, at both ends.
    """
    if one.began is None or one.ended is None or not one.duration_ms:
        return None
    found = [call for call in calls if _holds(call, one)]
    if named.numbers:
        found = [call for call in found if _is_named(call, named.numbers)]
    else:
        found = [call for call in found if _ends_agree(call, one)]
    return found[0] if len(found) == 1 else None


def _holds(call: RecordedCall, one: Recording) -> bool:
    if one.began is None or one.ended is None:
        return False
    return call.began - SLACK <= one.began and (
        call.ended is None or one.ended <= call.ended + SLACK
    )


def _is_named(call: RecordedCall, numbers: Sequence[str]) -> bool:
    """Say whether a call goes by all numbers of a name that are numbers at all."""
    told = [number.lstrip("+") for number in numbers if any(one.isdigit() for one in number)]
    return bool(told) and all(any(_same(name, number) for name in call.names) for number in told)


def _same(name: str, number: str) -> bool:
    """Compare numbers as they may be written: a long one by its last eight digits."""
    name = name.lstrip("+")
    return name == number or (min(len(name), len(number)) >= 8 and name[-8:] == number[-8:])


def _ends_agree(call: RecordedCall, one: Recording) -> bool:
    """Say whether some talk of a call began and ended with the sound."""
    if one.began is None or one.ended is None:
        return False
    return any(
        talk.began is not None
        and talk.ended is not None
        and abs(talk.began - one.began) <= SLACK
        and abs(talk.ended - one.ended) <= SLACK
        for talk in call.talks
    )


def told_of_call(call: CallRecord, rules: RecordingRules) -> Told:
    """Say how the customer of a live call was told that he is recorded (REC-08)."""
    return told(call.dialled or "", rules, announced=call.announced)


def told(line: str, rules: RecordingRules, *, announced: bool) -> Told:
    """Say how a customer was told. `line` was dialled; `announced`: the PBX said that it told."""
    if announced:
        return Told.PBX
    if line in rules.announcing_lines:
        return Told.LINE
    return Told.NO if rules.announce else Told.NEED_NOT


def one_touch_alone(call: CallRecord) -> bool:
    """Say whether all that records a call was begun by a key, so that a key may end it."""
    return bool(call.recordings) and all(names.is_one_touch(file) for file in call.recordings)


def should_have_one(call: RecordedCall, rules: RecordingRules) -> bool:
    """Say whether the house records such a call (REC-01, REC-07).

    A talk with a customer, in a direction that is recorded. Line tests are no customers'.
    """
    if not rules.required or call.is_test or not call.over or not call.answered:
        return False
    if call.direction.value not in rules.directions:
        return False
    return call.talk_ms is not None and call.talk_ms > SPEAKS // timedelta(milliseconds=1)


def missing(call: RecordedCall) -> Recording:
    """Give the row of a call that should have a recording and has none."""
    bare = Recording(
        id="",
        pbx=call.pbx,
        kind=Kind.CALL,
        state=State.MISSING,
        fault="none_named",
        seen_at=call.began,
        began=call.began,
        ended=call.ended,
    )
    return replace(linked(bare, call, NamedBy.EVENT), named_by=None, state=State.MISSING)


def lacking(some: Sequence[Recording]) -> list[Recording]:
    """Give what is wrong with the recordings of a call that should have one.

    A file that the PBX named never came; or nothing that came has any sound.
    """
    told = [replace(one, state=State.MISSING, fault="not_found") for one in some if one.awaited]
    if not any(one.duration_ms for one in some):
        told += [
            replace(one, state=State.DAMAGED, fault="empty")
            for one in some
            if one.state is State.LINKED
        ]
    return told


class Room(StrEnum):
    """How much room there is for recordings (LINE-12, REC-02)."""

    OK = "ok"
    LOW = "low"
    """Less than the house wants: somebody must make room."""
    FULL = "full"
    """Less than the operator's limit: nothing more is kept; the PBX's files stay where they are."""


def room(free: int | None, low: int, stop: int) -> Room:
    """Judge how many bytes are free; where nobody knows, all is well."""
    if free is None or free >= max(low, stop):
        return Room.OK
    return Room.FULL if free < stop else Room.LOW


def purpose(one: Recording, direction: str) -> str:
    """Say what a recording was made of; `direction` is its call's, empty where there is none."""
    return Kind.VOICEMAIL.value if one.kind is Kind.VOICEMAIL else direction


def kept_until(one: Recording, tier: str, direction: str, rules: RecordingRules) -> datetime:
    """Say until when a recording is kept (REC-08), from the end of its sound.

    What the house says of its purpose takes the place of `retention`; where it says something
    of the customer's tier as well, the longer counts: what is deleted does not come back. When
    something was said that belongs to no call is told by a file's date alone, so that is kept
    from when it was first seen, if that is later.
    """
    ended = one.ended or one.began or one.seen_at
    since = ended if one.call else max(ended, one.seen_at)
    plain = rules.retention_purposes.get(purpose(one, direction), rules.retention)
    tiered = rules.retention_tiers.get(tier)
    return since + (plain if tiered is None else max(plain, tiered))


def shortest_kept(rules: RecordingRules) -> timedelta:
    """Give the shortest time that anything is kept: nothing younger needs to be looked at."""
    return min([rules.retention, *rules.retention_purposes.values()])


def holds_now(hold: Hold, now: datetime) -> bool:
    """Say whether a hold still holds."""
    return hold.until is None or hold.until > now


def due(
    one: Recording,
    now: datetime,
    *,
    tier: str,
    direction: str,
    rules: RecordingRules,
    held: bool,
) -> bool:
    """Say whether a recording is to be deleted now: its time is over, and nothing holds it."""
    if held or one.gone_at is not None or not one.place:
        return False
    return kept_until(one, tier, direction, rules) <= now
