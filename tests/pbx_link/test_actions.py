"""What reaches the wire, and what never does."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cti.errors import UnsafeAction
from cti.pbx import actions
from cti.pbx.actions import encode

WHOLE = [
    (actions.login("cti", "s3cret", "off"), "Login", ["Username: cti", "Secret: s3cret"]),
    (actions.logoff(), "Logoff", []),
    (actions.ping(), "Ping", []),
    (actions.core_settings(), "CoreSettings", []),
    (actions.core_status(), "CoreStatus", []),
    (actions.core_show_channels(), "CoreShowChannels", []),
    (actions.bridge_list(), "BridgeList", []),
    (actions.bridge_info("b-1"), "BridgeInfo", ["BridgeUniqueid: b-1"]),
    (actions.queue_status(), "QueueStatus", []),
    (actions.queue_status("support"), "QueueStatus", ["Queue: support"]),
    (actions.device_state_list(), "DeviceStateList", []),
    (actions.parked_calls(), "ParkedCalls", []),
    (actions.list_commands(), "ListCommands", []),
    (actions.hangup("PJSIP/6001-1"), "Hangup", ["Channel: PJSIP/6001-1"]),
    (actions.hangup("PJSIP/6001-1", cause=16), "Hangup", ["Cause: 16"]),
]


def originate(**variables: str) -> actions.Built:
    return actions.originate(
        channel="Local/13800138000@cti-dial/n",
        channel_id="cti-1",
        other_channel_id="cti-1b",
        context="cti-dial",
        exten="13800138000",
        ring=timedelta(seconds=30),
        caller_id="4000",
        variables=variables,
    )


@pytest.mark.parametrize(("action", "name", "lines"), WHOLE, ids=lambda part: str(part)[:40])
def test_an_action_is_its_name_our_id_and_its_headers(
    action: actions.Built, name: str, lines: list[str]
) -> None:
    wire = encode(action, "ab12")

    assert wire.startswith(f"Action: {name}\r\nActionID: ab12\r\n".encode())
    assert wire.endswith(b"\r\n\r\n")
    assert set(lines) <= set(wire.decode().split("\r\n"))


def test_an_originate_is_asynchronous_and_has_one_variable_a_line() -> None:
    wire = encode(originate(CTI_ATTEMPT="cti-1", CTI_DEADLINE="1795314600"), "ab12").decode()

    assert wire.split("\r\n")[2:-2] == [
        "Channel: Local/13800138000@cti-dial/n",
        "ChannelId: cti-1",
        "Context: cti-dial",
        "Exten: 13800138000",
        "Priority: 1",
        "Timeout: 30000",
        "Async: true",
        "OtherChannelId: cti-1b",
        "CallerID: 4000",
        "Variable: CTI_ATTEMPT=cti-1",
        "Variable: CTI_DEADLINE=1795314600",
    ]


@pytest.mark.parametrize("value", [None, "false", "no", "", "yes", "TRUE"])
def test_an_originate_that_would_block_the_session_is_refused(value: str | None) -> None:
    action = {**originate(), "Async": value or ""}
    if value is None:
        del action["Async"]

    with pytest.raises(UnsafeAction, match=r"^Async$"):
        encode(action, "ab12")


@pytest.mark.parametrize("variables", [{"A": "1,B=2"}, {"A,B": "1"}, {"A=B": "1"}, {"": "1"}])
def test_a_variable_that_asterisk_would_split_is_refused(variables: dict[str, str]) -> None:
    with pytest.raises(UnsafeAction, match=r"^Variable$"):
        originate(**variables)


def test_more_variables_than_asterisk_reads_are_refused() -> None:
    assert len(originate(**{f"V{n}": "1" for n in range(64)})["Variable"]) == 64
    with pytest.raises(UnsafeAction, match="64"):
        originate(**{f"V{n}": "1" for n in range(65)})


@pytest.mark.parametrize("bad", ["\r\nAction: Command", "\n", "\r", "\0", "\t", "\x7f", "\x85"])
def test_a_value_that_could_break_a_line_is_refused_and_not_shown(bad: str) -> None:
    with pytest.raises(UnsafeAction) as refused:
        encode({"Action": "Ping", "Secret": f"hush{bad}"}, "ab12")

    assert str(refused.value) == "Secret"


def test_what_is_longer_than_asterisk_reads_is_refused() -> None:
    assert encode({"Action": "Ping", "X": "王" * 332}, "ab12")
    for action in (
        {"Action": "Ping", "X": "王" * 333},
        {"Action": "Ping", "X": "x" * 998},
        {"Action": "x" * 1000},
    ):
        with pytest.raises(UnsafeAction):
            encode(action, "ab12")


def test_more_headers_than_asterisk_reads_are_refused() -> None:
    assert encode({"Action": "Ping", "X": ["1"] * 126}, "ab12")
    with pytest.raises(UnsafeAction, match="128"):
        encode({"Action": "Ping", "X": ["1"] * 127}, "ab12")


@pytest.mark.parametrize("action", [{}, {"Action": ""}, {"Actio": "Ping"}, {"Action": ["Ping"]}])
def test_an_action_without_a_name_is_refused(action: actions.Built) -> None:
    with pytest.raises(UnsafeAction, match=r"^Action$"):
        encode(action, "ab12")


@pytest.mark.parametrize("name", ["", "X: 1\r\nY", "X Y", "Ünicode", "X:", "-x", "x" * 65])
def test_a_header_with_an_odd_name_is_refused(name: str) -> None:
    with pytest.raises(UnsafeAction):
        encode({"Action": "Ping", name: "1"}, "ab12")


def test_an_id_given_by_somebody_else_is_not_sent() -> None:
    wire = encode({"Action": "Ping", "ActionID": "theirs", "actionid": "theirs"}, "ab12")

    assert wire == b"Action: Ping\r\nActionID: ab12\r\n\r\n"


TEXT = st.text(max_size=1100)


@given(st.dictionaries(TEXT, st.one_of(TEXT, st.lists(TEXT, max_size=140)), max_size=8), TEXT)
def test_no_control_character_ever_reaches_the_wire(
    headers: dict[str, str | list[str]], name: str
) -> None:
    try:
        wire = encode({"Action": name, **headers}, "ab12")
    except UnsafeAction:
        return
    lines = wire.split(b"\r\n")

    assert lines[-2:] == [b"", b""]
    assert len(lines) - 2 <= 128
    for line in lines[:-2]:
        assert 0 < len(line) <= 1000
        assert all(byte >= 32 and byte != 127 for byte in line)


@given(st.text(alphabet=st.characters(exclude_categories=("Cc", "Cs")), min_size=1, max_size=200))
def test_any_other_text_arrives_as_it_is(text: str) -> None:
    wire = encode({"Action": "Ping", "X": text}, "ab12")

    assert wire.decode().split("\r\n")[2] == f"X: {text}"
