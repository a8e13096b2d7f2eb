"""Which misses are one incident, when are its lines proposed, and what is a storm? Pure.

Requirement 21.4 points 6 and 7, MISS-07.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from cti.house import MissedCallRules
from cti.penalties.record import Evidence


def wait(rules: MissedCallRules) -> timedelta:
    """Give how long after its last miss the lines of an incident are proposed (21.4 point 6)."""
    return max(rules.merge_repeat, rules.recovered_within, rules.storm_within)


def joins(
    previous: tuple[datetime, datetime],
    miss: tuple[datetime, datetime],
    merge_repeat: timedelta,
) -> bool:
    """Tell whether a miss joins the incident of the same caller's previous one.

    Each is (began, ended). The window runs from the end of the previous miss; without a window
    every miss stands alone. Whoever withheld the number never comes here.
    """
    if not merge_repeat:
        return False
    return previous[0] <= miss[0] <= previous[1] + merge_repeat


def deciding(evidence: Sequence[Evidence]) -> int:
    """Tell from which miss of an incident the lines come: the first that costs somebody.

    If none does, the first that at least shows exempted lines, else the first.
    """
    for test in (_costs, _shows):
        for place, one in enumerate(evidence):
            if test(one):
                return place
    return 0


def storms(missed: Sequence[datetime], rules: MissedCallRules) -> list[tuple[int, int]]:
    """Find storms among misses in order of time: (first, last) place of each.

    Every miss that lies in some window with more than `storm_count` of them belongs to one;
    windows that share a miss are one storm (21.4 point 7).
    """
    found = list[tuple[int, int]]()
    start = 0
    for place, at in enumerate(missed):
        while at - missed[start] > rules.storm_within:
            start += 1
        if place - start + 1 <= rules.storm_count:
            continue
        if found and start <= found[-1][1]:
            found[-1] = found[-1][0], place
        else:
            found.append((start, place))
    return found


def _costs(evidence: Evidence) -> bool:
    return any(not draft.exemption for draft in evidence.drafts)


def _shows(evidence: Evidence) -> bool:
    return bool(evidence.drafts)
