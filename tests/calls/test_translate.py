"""What Asterisk says, told in our words; nothing that it may say raises."""

from collections.abc import Iterable
from dataclasses import fields
from datetime import UTC, datetime
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cti.pbx import events as e
from cti.pbx.frames import Frame
from cti.pbx.translate import rings, translate, unescape, wanted
from tests.kit.exchange import frames_of_file
from tests.kit.tapes import TAPES, TRACES, events_of

STAMP = "1772413205.250000"
AT = datetime(2026, 3, 2, 1, 0, 5, 250000, tzinfo=UTC)
ARRIVED = datetime(2026, 3, 2, 2, tzinfo=UTC)
NAMES = [
    "Newchannel", "Newstate", "NewCallerid", "DialBegin", "DialState", "DialEnd",
    "QueueCallerJoin", "QueueCallerLeave", "QueueCallerAbandon", "AgentCalled",
    "AgentRingNoAnswer", "AgentConnect", "AgentComplete", "BridgeEnter", "BridgeLeave",
    "BlindTransfer", "AttendedTransfer", "LocalBridge", "LocalOptimizationBegin",
    "LocalOptimizationEnd", "Pickup", "ParkedCall", "UnParkedCall", "ParkedCallSwap",
    "ParkedCallTimeOut", "ParkedCallGiveUp", "VarSet", "MixMonitorStart", "OriginateResponse",
    "UserEvent",
    "HangupRequest", "SoftHangupRequest", "Hangup", "Shutdown", "DeviceStateChange",
    "QueueMemberAdded", "QueueMemberPause", "QueueMemberRemoved",
]  # fmt: skip


def frame(event: str, *headers: str, arrived: datetime | None = None) -> Frame:
    """An event with these header lines."""
    lines = [f"Event: {event}", "Privilege: call,all", *headers]
    return Frame("\r\n".join(lines).encode(), arrived)


def channel(prefix: str = "", leg: str = "1.1", **facts: str) -> list[str]:
    """The headers of one channel, as Asterisk writes them."""
    told = {
        "Channel": "PJSIP/6001-00000001", "ChannelState": "0", "ChannelStateDesc": "Down",
        "CallerIDNum": "13800138000", "CallerIDName": "<unknown>", "ConnectedLineNum": "<unknown>",
        "Exten": "4000", "Uniqueid": leg, "Linkedid": "1.0",
    } | facts  # fmt: skip
    return [f"{prefix}{name}: {value}" for name, value in told.items()]


def told(event: str, *headers: str) -> Any:
    """What an event is in our words."""
    return translate(frame(event, f"Timestamp: {STAMP}", *headers))


PHONE = e.Sight(e.LegId("1.1"), "1.0", "PJSIP/6001-00000001", "13800138000", None, "4000", 0)
OTHER = PHONE._replace(leg=e.LegId("1.2"))
TWO = [*channel(), *channel("Dest", "1.2")]


class TestText:
    """Texts of the caller."""

    @pytest.mark.parametrize(
        ("sent", "meant"),
        [
            ("May", "May"),
            ("王小明", "王小明"),
            (r"\"Bo\"", '"Bo"'),
            (r"a\\b", r"a\b"),
            (r"a\\nb", r"a\nb"),
            (r"line\nbreak", "line\nbreak"),
            (r"\t\r\a\b\f\v", "\t\r\a\b\f\v"),
            (r"\?\'", "?'"),
            ("ends with \\", "ends with \\"),
            (r"\王", "王"),
            ("", ""),
        ],
    )
    def test_names_are_unescaped_once(self, sent: str, meant: str) -> None:
        assert unescape(sent) == meant

    @given(st.text())
    def test_what_asterisk_escapes_comes_back(self, text: str) -> None:
        signs = {"\a": r"\a", "\b": r"\b", "\f": r"\f", "\n": r"\n", "\r": r"\r", "\t": r"\t"}
        signs |= {"\v": r"\v", "\\": "\\\\", "'": r"\'", '"': r"\"", "?": r"\?"}
        escaped = "".join(signs.get(sign, sign) for sign in text)

        assert unescape(escaped) == text

    def test_an_empty_caller_id_is_none(self) -> None:
        unknown = channel(CallerIDNum="<unknown>", CallerIDName="<unknown>", Exten="")

        who = told("Newchannel", *unknown).who

        assert (who.number, who.name, who.exten) == (None, None, None)

    def test_a_withheld_number_stays_as_it_was_sent(self) -> None:
        assert told("Newchannel", *channel(CallerIDNum="anonymous")).who.number == "anonymous"

    def test_a_chinese_name_comes_through_bytes_and_all(self) -> None:
        assert told("Newchannel", *channel(CallerIDName=r"王\"小\"明")).who.name == '王"小"明'

    def test_a_number_is_not_unescaped(self) -> None:
        assert told("Newchannel", *channel(CallerIDNum=r"1\n2")).who.number == r"1\n2"

    def test_bytes_that_are_no_text_are_replaced(self) -> None:
        sent = (
            b"Event: Newchannel\r\nUniqueid: 1\r\nLinkedid: 1\r\nCallerIDName: a\xff\xed\xa0\x80b"
        )

        event = translate(Frame(sent))

        assert isinstance(event, e.LegBorn)
        assert event.who.name is not None
        assert event.who.name.encode() == ("a" + "\ufffd" * 4 + "b").encode()


class TestWhen:
    """The PBX's stamp, else our own time."""

    def test_the_pbxs_stamp_is_exact_to_the_microsecond(self) -> None:
        event = told("Newchannel", *channel())

        assert (event.at, event.exact) == (AT, True)

    def test_without_a_stamp_it_is_when_it_came_and_not_exact(self) -> None:
        event = translate(frame("Newchannel", *channel(), arrived=ARRIVED))

        assert event is not None
        assert (event.at, event.exact) == (ARRIVED, False)

    def test_on_a_tape_without_times_there_is_none(self) -> None:
        event = translate(frame("Newchannel", *channel()))

        assert event is not None
        assert (event.at, event.exact) == (None, True)

    @pytest.mark.parametrize(
        "stamp",
        [
            "",
            "x",
            "nan",
            "inf",
            "-inf",
            "1e400",
            "-1",
            "0",
            "253402300799.9",
            "99999999999999",
        ],
    )
    def test_a_stamp_that_cannot_be_is_none(self, stamp: str) -> None:
        event = translate(frame("Newchannel", f"Timestamp: {stamp}", *channel(), arrived=ARRIVED))

        assert event is not None
        assert (event.at, event.exact) == (ARRIVED, False)


class TestEvents:
    """Each kind of event."""

    def test_a_channel_begins(self) -> None:
        assert told("Newchannel", *channel()) == e.LegBorn(at=AT, who=PHONE)

    @pytest.mark.parametrize(
        ("state", "kind"), [("5", e.LegRang), ("6", e.LegUp), ("4", e.LegSeen), ("99", e.LegSeen)]
    )
    def test_a_channel_changes_its_state(self, state: str, kind: type) -> None:
        assert type(told("Newstate", *channel(ChannelState=state))) is kind

    def test_a_channel_gets_another_name(self) -> None:
        assert type(told("NewCallerid", *channel(CallerIDName="May"))) is e.LegNamed

    def test_a_channel_is_dialled(self) -> None:
        event = told("DialBegin", *TWO, "DialString: 6001")

        assert event == e.DialBegun(at=AT, caller=PHONE, dest=OTHER, dialled="6001")

    def test_what_is_originated_has_no_caller(self) -> None:
        event = told("DialBegin", *channel("Dest", "1.2"), "DialString: 6001")

        assert (event.caller, event.dest.leg) == (None, "1.2")

    @pytest.mark.parametrize(
        ("status", "kind"),
        [("RINGING", e.DialRang), ("PROGRESS", e.DialMoved), ("PROCEEDING", e.LegSeen)],
    )
    def test_dialling_comes_on(self, status: str, kind: type) -> None:
        assert type(told("DialState", *TWO, f"DialStatus: {status}")) is kind

    def test_dialling_ends(self) -> None:
        event = told("DialEnd", *TWO, "DialStatus: CANCEL", "Forward: Local/6002@agents")

        assert (event.status, event.forward) == ("CANCEL", "Local/6002@agents")

    @pytest.mark.parametrize(
        ("name", "kind"),
        [
            ("QueueCallerJoin", e.QueueJoined),
            ("QueueCallerLeave", e.QueueLeft),
            ("QueueCallerAbandon", e.QueueAbandoned),
        ],
    )
    def test_a_caller_visits_a_queue(self, name: str, kind: type) -> None:
        assert told(name, *channel(), "Queue: support") == kind(at=AT, who=PHONE, queue="support")

    @pytest.mark.parametrize(
        ("name", "kind"),
        [
            ("AgentCalled", e.AgentCalled),
            ("AgentRingNoAnswer", e.AgentRangOut),
            ("AgentConnect", e.AgentConnected),
        ],
    )
    def test_a_queue_speaks_of_a_members_phone(self, name: str, kind: type) -> None:
        event = told(name, *TWO, "Queue: support", "Interface: PJSIP/6001")

        assert event == kind(at=AT, who=PHONE, dest=OTHER, queue="support", interface="PJSIP/6001")

    def test_an_agents_part_is_over(self) -> None:
        assert told("AgentComplete", *TWO, "Queue: support", "Reason: agent").reason == "agent"

    @pytest.mark.parametrize(
        ("technology", "type_", "kind"),
        [
            ("simple_bridge", "basic", "basic"),
            ("holding_bridge", "parking", "holding"),
            ("softmix", "conference", "conference"),
            ("", "", "basic"),
        ],
    )
    def test_a_channel_enters_a_bridge(self, technology: str, type_: str, kind: str) -> None:
        event = told(
            "BridgeEnter",
            "BridgeUniqueid: b",
            f"BridgeTechnology: {technology}",
            f"BridgeType: {type_}",
            *channel(),
            "SwapUniqueid: 1.9",
        )

        assert event == e.BridgeEntered(at=AT, who=PHONE, bridge="b", kind=kind, swapped="1.9")

    def test_a_channel_leaves_a_bridge(self) -> None:
        assert told("BridgeLeave", "BridgeUniqueid: b", *channel()).bridge == "b"

    def test_a_transfer_that_failed_joins_nobody(self) -> None:
        parties = [*channel("Transferer"), *channel("Transferee", "1.2")]

        assert told("BlindTransfer", "Result: Fail", *parties) is None
        assert len(told("BlindTransfer", "Result: Success", *parties).parties) == 2

    @pytest.mark.parametrize(
        ("name", "prefixes"),
        [
            ("AttendedTransfer", "OrigTransferer SecondTransferer Transferee TransferTarget"),
            ("LocalBridge", "LocalOne LocalTwo"),
            ("LocalOptimizationBegin", "LocalOne LocalTwo Source"),
            ("LocalOptimizationEnd", "LocalOne LocalTwo"),
            ("UnParkedCall", "Parkee Retriever"),
            ("ParkedCallSwap", "Parkee Parker"),
            ("ParkedCall", "Parkee"),
            ("ParkedCallTimeOut", "Parkee"),
            ("ParkedCallGiveUp", "Parkee"),
        ],
    )
    def test_channels_are_joined(self, name: str, prefixes: str) -> None:
        lines = [
            line for n, prefix in enumerate(prefixes.split()) for line in channel(prefix, f"2.{n}")
        ]

        event = told(name, "Result: Success", *lines)

        assert [who.leg for who in event.parties] == [
            f"2.{n}" for n in range(len(prefixes.split()))
        ]

    def test_a_call_is_picked_up_by_a_colleague(self) -> None:
        event = told("Pickup", *channel(), *channel("Target", "1.2"))

        assert event == e.PickedUp(at=AT, picker=PHONE, target=OTHER)

    def test_a_recording_is_named_by_a_variable(self) -> None:
        event = told(
            "VarSet", *channel(), "Variable: MIXMONITOR_FILENAME", r"Value: /a\\b\"王\".wav"
        )

        assert event == e.RecordingNamed(at=AT, who=PHONE, file='/a\\b"王".wav')

    def test_another_variable_says_nothing(self) -> None:
        assert told("VarSet", *channel(), "Variable: RINGTIME", "Value: 4") is None

    def test_a_recording_is_named_by_a_channel_variable(self) -> None:
        event = told(
            "MixMonitorStart", *channel(), "ChanVariable: A=1",
            "ChanVariable: MIXMONITOR_FILENAME=/x=y.wav",
        )  # fmt: skip

        assert event == e.RecordingNamed(at=AT, who=PHONE, file="/x=y.wav")

    def test_a_recording_without_a_name_only_shows_its_channel(self) -> None:
        assert told("MixMonitorStart", *channel()) == e.LegSeen(at=AT, who=PHONE)

    def test_our_own_dialling_says_what_became_of_its_first_leg(self) -> None:
        event = told(
            "OriginateResponse", "ActionID: cti-1", "Response: Failure", "Reason: 5",
            "Uniqueid: cti-1-a",
        )  # fmt: skip

        assert event == e.Originated(at=AT, leg="cti-1-a", action="cti-1", ok=False, reason=5)

    @pytest.mark.parametrize(
        ("name", "topic", "words", "code"),
        [
            ("CtiDial", "dial", ["Attempt: cti-1", "Result: refused"], ""),
            ("CtiLineTest", "line_test", ["Result: refused", "Code: 483920"], "483920"),
        ],
    )
    def test_our_part_of_the_dialplan_speaks(
        self, name: str, topic: str, words: list[str], code: str
    ) -> None:
        event = told("UserEvent", *channel(), f"UserEvent: {name}", *words)

        assert event == e.Said(at=AT, who=PHONE, topic=topic, word="refused", code=code)

    @pytest.mark.parametrize(
        "words", [["UserEvent: Other", "Result: x"], ["UserEvent: CtiDial"], ["Result: dial"]]
    )
    def test_what_other_parts_of_a_dialplan_say_is_nothing_to_us(self, words: list[str]) -> None:
        assert told("UserEvent", *channel(), *words) is None

    @pytest.mark.parametrize(
        ("name", "soft"), [("HangupRequest", False), ("SoftHangupRequest", True)]
    )
    def test_a_hang_up_is_asked_for(self, name: str, soft: bool) -> None:
        event = told(name, *channel(), "Cause: 17")

        assert event == e.HangupAsked(at=AT, who=PHONE, cause=17, soft=soft)

    @pytest.mark.parametrize("cause", ["", "x", "-1", "99999999999", "٣"])
    def test_a_cause_that_is_no_number_is_none(self, cause: str) -> None:
        assert told("Hangup", *channel(), f"Cause: {cause}").cause is None

    def test_a_device_changes(self) -> None:
        event = told("DeviceStateChange", "Device: PJSIP/6001", "State: INUSE")

        assert event == e.DeviceChanged(at=AT, device="PJSIP/6001", state="INUSE")

    def test_a_pause_is_told_of_the_phone_that_a_snapshot_would_name(self) -> None:
        event = told(
            "QueueMemberPause", "Queue: support", "Interface: Local/6001@agents/n",
            "StateInterface: PJSIP/6001", "Paused: 1", "PausedReason: lunch",
        )  # fmt: skip

        assert event == e.MemberChanged(
            at=AT, queue="support", interface="PJSIP/6001", paused=True, reason="lunch"
        )

    def test_a_member_is_taken_out_of_a_queue(self) -> None:
        event = told("QueueMemberRemoved", "Queue: support", "Interface: PJSIP/6001", "Paused: 0")

        assert (event.present, event.interface) == (False, "PJSIP/6001")

    def test_a_phone_is_registered_somewhere(self) -> None:
        event = told(
            "ContactStatus", "EndpointName: 6001", "URI: sip:6001@h", "ContactStatus: Removed"
        )

        assert event == e.ContactChanged(
            at=AT, device="PJSIP/6001", contact="sip:6001@h", status="Removed"
        )
        assert told("ContactStatus", "ContactStatus: Removed") is None

    @pytest.mark.parametrize("name", sorted({*NAMES} - {"Shutdown", "OriginateResponse"}))
    def test_an_event_without_its_channel_is_nothing(self, name: str) -> None:
        assert told(name) is None

    def test_what_means_nothing_to_us_is_not_wanted(self) -> None:
        assert not wanted("RTCPSent")
        assert translate(frame("RTCPSent", *channel())) is None
        assert all(wanted(name) for name in NAMES)

    def test_a_reply_is_no_event(self) -> None:
        assert translate(Frame(b"Response: Success\r\nUniqueid: 1")) is None

    def test_every_word_of_ours_is_said_by_the_pbx_by_the_clock_or_by_the_link(self) -> None:
        said = {type(event) for event in self.everything()}

        ours = {e.Passed, e.LinkLost, e.Resynced}
        assert said == set(get_args(e.Event)) - ours

    @staticmethod
    def everything() -> Iterable[e.Event]:
        """Every event on every tape, and those that no tape has."""
        for path in [*TAPES, *sorted((TRACES / "lab").glob("*.ami"))]:
            yield from events_of(path.read_bytes())
        yield told("QueueMemberPause", "Queue: support", "Interface: PJSIP/6001", "Paused: 1")
        yield told("ContactStatus", "EndpointName: 6001", "ContactStatus: Removed")
        yield told("MixMonitorStop", *channel())


HEADERS = st.sampled_from(
    [line.partition(":")[0] for line in [*channel(), *channel("Dest"), *channel("Target")]]
    + [
        "Timestamp", "Queue", "BridgeUniqueid", "DialStatus", "Variable", "ChanVariable", "Value",
        "Cause", "Paused", "Interface", "Device", "State", "Result", "Response", "Reason", "Event",
        "transfererUniqueid", "PARKEEUNIQUEID", "Duration", "SwapUniqueid", "", "X Y", "名",
    ]
)  # fmt: skip
VALUES = (
    st.text(max_size=12)
    | st.sampled_from(["", "1.1", "5", "6", "<unknown>", "MIXMONITOR_FILENAME", "Success", "\\"])
    | st.text(st.characters(categories=["Cs", "Cc"]), max_size=4)
)


def _as_bytes(sign: str) -> bytes:
    """A sign as the wire may bear it, be it half of a character."""
    return sign.encode("utf-8", "surrogatepass")


def sights(event: e.Event) -> Iterable[e.Sight]:
    """Every channel that an event shows."""
    for field in fields(event):
        fact = getattr(event, field.name)
        if isinstance(fact, e.Sight):
            yield fact
        elif isinstance(fact, tuple):
            yield from (part for part in fact if isinstance(part, e.Sight))


class TestRings:
    """What an inbox hands on at once, by a look at the bytes."""

    @pytest.mark.parametrize("state", ["0", "4", "6"])
    def test_a_phone_in_another_state_does_not_ring(self, state: str) -> None:
        assert not rings(frame("Newstate", *channel(ChannelState=state)))
        assert not rings(frame("Newchannel", *channel(ChannelState="5")))

    def test_every_ring_of_the_tapes_is_told_by_its_bytes(self) -> None:
        seen = 0
        for path in TAPES:
            for one in frames_of_file(path):
                if isinstance(translate(one), (e.LegRang, e.DialRang, e.DialMoved)):
                    seen += 1
                    assert rings(one)
        assert seen > 20


class TestHostile:
    """No frame raises, whatever it holds."""

    @settings(max_examples=400, deadline=None)
    @given(
        st.sampled_from(NAMES),
        st.lists(st.tuples(HEADERS, VALUES), max_size=14),
        st.sampled_from([None, ARRIVED]),
    )
    def test_odd_headers_never_raise(
        self, name: str, headers: list[tuple[str, str]], arrived: datetime | None
    ) -> None:
        text = "\r\n".join([f"Event: {name}", *(f"{key}: {value}" for key, value in headers)])
        sent = b"".join(_as_bytes(sign) for sign in text)

        event = translate(Frame(sent, arrived))

        for who in sights(event) if event else ():
            assert who.leg
            for fact in who[:6]:
                str(fact).encode()  # half a character cannot be stored

    @settings(max_examples=200, deadline=None)
    @given(st.sampled_from(NAMES), st.binary(max_size=200))
    def test_bytes_never_raise(self, name: str, rest: bytes) -> None:
        translate(Frame(f"Event: {name}\r\n".encode() + rest))
