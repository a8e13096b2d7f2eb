"""Any event that the PBX, the link or the clock may bring, for property tests."""

from datetime import datetime, timedelta
from typing import Any, get_args

from hypothesis import strategies as st

from cti.pbx import events as e
from tests.kit.story import NINE

KINDS: tuple[type[Any], ...] = get_args(e.Event)
WORDS = st.sampled_from(["support", "sales"])
BRIDGES = st.sampled_from(["b1", "b2", "lot"])
CAUSES = st.sampled_from([None, 0, 16, 17, 19, 20, 21, 26, 38])
STATUSES = st.sampled_from(
    ["ANSWER", "BUSY", "CANCEL", "CHANUNAVAIL", "CONGESTION", "NOANSWER", "GOTO", "ABORT", ""]
)
INSTANTS = st.integers(0, 60_000).map(lambda ms: NINE + timedelta(milliseconds=ms))


def any_event(
    who: st.SearchStrategy[e.Sight],
    at: st.SearchStrategy[datetime | None] = INSTANTS,
) -> st.SearchStrategy[e.Event]:
    """Any event about channels that `who` gives."""
    maybe = st.none() | who
    live = st.builds(
        e.LiveLeg,
        who=who,
        lasted=st.integers(0, 100).map(lambda s: timedelta(seconds=s)),
        bridge=st.none() | BRIDGES,
        kind=st.sampled_from(["basic", "holding"]),
    )
    facts: dict[str, st.SearchStrategy[Any]] = {
        "at": at,
        "exact": st.booleans(),
        "who": who,
        "caller": maybe,
        "dest": maybe,
        "dialled": st.sampled_from([None, "13900139000@trunk", "PJSIP/139@t"]),
        "status": STATUSES,
        "forward": st.sampled_from([None, None, "Local/1@x"]),
        "queue": WORDS,
        "interface": st.just("PJSIP/6001"),
        "reason": st.sampled_from(["caller", "agent", "transfer"]),
        "bridge": BRIDGES,
        "kind": st.sampled_from(["basic", "holding", "conference"]),
        "swapped": st.none() | who.map(lambda sight: sight.leg),
        "parties": st.lists(who, max_size=4).map(tuple),
        "picker": who,
        "target": who,
        "file": st.sampled_from(["/a.wav", "/b.wav"]),
        "leg": who.map(lambda sight: sight.leg),
        "action": st.just("a"),
        "ok": st.booleans(),
        "topic": st.sampled_from(["dial", "line_test"]),
        "word": st.sampled_from(["dial", "refused", "out", "heard", "arrived"]),
        "code": st.sampled_from(["", "483920"]),
        "cause": CAUSES,
        "soft": st.booleans(),
        "device": st.just("PJSIP/6001"),
        "contact": st.just("sip:6001@127.0.0.3"),
        "state": st.just("NOT_INUSE"),
        "paused": st.booleans(),
        "present": st.booleans(),
        "boot": st.sampled_from(["", "one", "two"]),
        "legs": st.lists(live, max_size=4).map(tuple),
        "visits": st.lists(
            st.builds(
                e.LiveVisit,
                leg=who.map(lambda sight: sight.leg),
                queue=WORDS,
                waited=st.integers(0, 100).map(lambda s: timedelta(seconds=s)),
            ),
            max_size=2,
        ).map(tuple),
    }
    own: dict[type[Any], dict[str, st.SearchStrategy[Any]]] = {
        e.DialBegun: {"dest": who},
        e.DialRang: {"dest": who},
        e.DialMoved: {"dest": who},
        e.DialEnded: {"dest": who},
        e.Originated: {"reason": st.sampled_from([None, 0, 4])},
        e.Passed: {"at": INSTANTS},
        e.LinkLost: {"at": INSTANTS},
        e.Resynced: {"at": INSTANTS},
    }
    return st.one_of(
        st.builds(
            kind,
            **{
                name: own.get(kind, {}).get(name, facts[name]) for name in kind.__dataclass_fields__
            },
        )
        for kind in KINDS
    )
