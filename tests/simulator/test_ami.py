"""The answers here were taken from Asterisk 22.10.1, action by action."""

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cti.pbx.simulator import Account, Simulator
from tests.kit.tiny_ami import TinyClient, Told, told
from tests.simulator.conftest import Connect
from tests.simulator.stories import CHEN

SECRET_NAME = "u3Yh0pQ7sVwX2ZbC4dEf6gHj8kLmNoPqRsTuVwXyZa1B3c5D"


async def exchange(client: TinyClient, sent: bytes) -> str:
    """Send bytes; give what came back, as far as one Ping later."""
    client.forget()
    client.writer.write(sent)
    await client.act("Ping", ActionID="mark")
    return bytes(client.raw).decode().partition("Response: Success\r\nActionID: mark\r\n")[0]


async def test_a_client_is_greeted_as_by_asterisk(connect: Connect) -> None:
    client = await connect()

    assert bytes(client.raw) == b"Asterisk Call Manager/11.0.0\r\n"


async def test_login_is_answered_and_followed_by_fully_booted(
    sim: Simulator, connect: Connect
) -> None:
    client = await connect()
    await sim.passes(9)
    client.forget()

    await client.login(ActionID="2")
    await client.act("Ping")

    assert bytes(client.raw).startswith(
        b"Response: Success\r\nActionID: 2\r\nMessage: Authentication accepted\r\n\r\n"
        b"Event: FullyBooted\r\nPrivilege: system,all\r\nUptime: 9\r\nLastReload: 9\r\n"
        b"Status: Fully Booted\r\n\r\n"
    )


@pytest.mark.parametrize("wrong", [{"Secret": "no"}, {"Username": "nobody"}, {"Secret": ""}])
async def test_a_wrong_password_is_refused_and_the_link_closed(
    connect: Connect, wrong: dict[str, str]
) -> None:
    client = await connect()
    client.forget()

    client.send(
        **({"Action": "Login", "Username": "cti", "Secret": "cti", "ActionID": "2"} | wrong)
    )

    expected = b"Response: Error\r\nActionID: 2\r\nMessage: Authentication failed\r\n\r\n"
    assert expected == await client.ended()


async def test_a_refusal_takes_its_time() -> None:
    sim = Simulator(speed=0, refuse_after_s=0.2)
    loop = asyncio.get_running_loop()
    async with sim.running() as (host, port):
        client = await TinyClient.open(host, port)
        began = loop.time()
        client.send(Action="Login", Username="cti", Secret="no")
        await client.ended()
        await client.close()

        assert loop.time() - began >= 0.19


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        (b"Foo: bar\r\n\r\n", "Response: Error\r\nMessage: Missing action in request\r\n\r\n"),
        (b"\r\n", "Response: Error\r\nMessage: Missing action in request\r\n\r\n"),
        (
            b"Action: Nonsense\r\nActionID: 7\r\n\r\n",
            "Response: Error\r\nActionID: 7\r\nMessage: Invalid/unknown command: Nonsense. "
            "Use Action: ListCommands to show available commands.\r\n\r\n",
        ),
        (
            b"Action: Command\r\nCommand: core show version\r\nActionID: 7\r\n\r\n",
            "Response: Error\r\nActionID: 7\r\nMessage: Permission denied\r\n\r\n",
        ),
        (
            b"Action: Login\r\nUsername: x\r\nActionID: 2\r\n\r\n",
            "Response: Success\r\nActionID: 2\r\nMessage: Already authenticated\r\n\r\n",
        ),
        (
            b"Action: Ping\r\nFoo: " + b"x" * 1100 + b"\r\nActionID: 9\r\n\r\n",
            "Response: Error\r\nActionID: 9\r\n"
            "Message: Failed to parse message: line too long\r\n\r\n",
        ),
        (
            b"Action: Ping\r\n" + b"H: x\r\n" * 140 + b"\r\n",
            "Response: Error\r\nMessage: Too many lines in message or allocation failure\r\n\r\n",
        ),
        (
            b"Action: Events\r\nEventMask: call,agent\r\nActionID: 8\r\n\r\n",
            "Response: Success\r\nActionID: 8\r\nEvents: On\r\n\r\n",
        ),
        (
            b"Action: Events\r\nEventMask: off\r\nActionID: 8\r\n\r\n",
            "Response: Success\r\nActionID: 8\r\nEvents: Off\r\n\r\n",
        ),
        (
            b"Action: Events\r\nEventMask: junk\r\nActionID: 8\r\n\r\n",
            "Response: Success\r\nActionID: 8\r\nEvents: Off\r\n\r\n",
        ),
        (
            b"Action: Events\r\nActionID: 8\r\n\r\n",
            "Response: Error\r\nActionID: 8\r\nMessage: Invalid event mask\r\n\r\n",
        ),
        (
            b"Action: DBGet\r\nFamily: cti\r\nKey: x\r\nActionID: 1\r\n\r\n",
            "Response: Error\r\nActionID: 1\r\nMessage: Database entry not found\r\n\r\n",
        ),
        (
            b"Action: DBGet\r\nFamily: cti\r\nActionID: 1\r\n\r\n",
            "Response: Error\r\nActionID: 1\r\nMessage: No key specified.\r\n\r\n",
        ),
        (
            b"Action: Hangup\r\nChannel: PJSIP/nope-1\r\nActionID: 1\r\n\r\n",
            "Response: Error\r\nActionID: 1\r\nMessage: No such channel\r\n\r\n",
        ),
        (
            b"Action: Hangup\r\nActionID: 1\r\n\r\n",
            "Response: Error\r\nActionID: 1\r\nMessage: No channel specified\r\n\r\n",
        ),
        (
            b"Action: Originate\r\nActionID: 1\r\n\r\n",
            "Response: Error\r\nActionID: 1\r\nMessage: Channel not specified\r\n\r\n",
        ),
        (
            b"Action: Originate\r\nChannel: junk\r\nActionID: 1\r\n\r\n",
            "Response: Error\r\nActionID: 1\r\nMessage: Invalid channel\r\n\r\n",
        ),
        (
            b"Action: Originate\r\nChannel: PJSIP/6001\r\nApplication: System\r\nData: ls\r\n\r\n",
            "Response: Error\r\n"
            "Message: Originate Access Forbidden: app or data blacklisted\r\n\r\n",
        ),
        (
            b"Action: Redirect\r\nChannel: nope\r\nActionID: 1\r\n\r\n",
            "Response: Error\r\nActionID: 1\r\nMessage: Channel does not exist: nope\r\n\r\n",
        ),
        (
            b"Action: BlindTransfer\r\nChannel: nope\r\nActionID: 1\r\n\r\n",
            "Response: Error\r\nActionID: 1\r\nMessage: Channel specified does not exist\r\n\r\n",
        ),
        (
            b"Action: MixMonitorMute\r\nState: 1\r\nActionID: 1\r\n\r\n",
            "Response: Error\r\nActionID: 1\r\nMessage: No channel specified\r\n\r\n",
        ),
        (
            b"Action: MixMonitorMute\r\nChannel: nope\r\nState: 1\r\nActionID: 1\r\n\r\n",
            "Response: Error\r\nActionID: 1\r\nMessage: No such channel\r\n\r\n",
        ),
        (
            b"Action: QueuePause\r\nPaused: true\r\nActionID: 1\r\n\r\n",
            "Response: Error\r\nActionID: 1\r\n"
            "Message: Need 'Interface' and 'Paused' parameters.\r\n\r\n",
        ),
        (
            b"Action: QueuePause\r\nInterface: PJSIP/7777\r\nPaused: true\r\nActionID: 1\r\n\r\n",
            "Response: Error\r\nActionID: 1\r\nMessage: Interface not found\r\n\r\n",
        ),
        (
            b"Action: ParkedCalls\r\nActionID: 1\r\n\r\n",
            "Response: Success\r\nActionID: 1\r\nEventList: start\r\n"
            "Message: Parked calls will follow\r\n\r\n"
            "Event: ParkedCallsComplete\r\nActionID: 1\r\nEventList: Complete\r\n"
            "ListItems: 0\r\nTotal: 0\r\n\r\n",
        ),
        (
            b"Action: CoreShowChannels\r\nActionID: 1\r\n\r\n",
            "Response: Success\r\nActionID: 1\r\nEventList: start\r\n"
            "Message: Channels will follow\r\n\r\n"
            "Event: CoreShowChannelsComplete\r\nActionID: 1\r\nEventList: Complete\r\n"
            "ListItems: 0\r\n\r\n",
        ),
        (
            b"Action: CoreSettings\r\nActionID: 1\r\n\r\n",
            "Response: Success\r\nActionID: 1\r\nAMIversion: 11.0.0\r\n"
            "AsteriskVersion: 22.10.1\r\nSystemName: \r\nCoreMaxCalls: 0\r\n"
            "CoreMaxLoadAvg: 0.000000\r\nCoreRunUser: \r\nCoreRunGroup: \r\n"
            "CoreMaxFilehandles: 0\r\nCoreRealTimeEnabled: No\r\nCoreCDRenabled: Yes\r\n"
            "CoreHTTPenabled: No\r\nSoundsSearchCustomDir: No\r\n\r\n",
        ),
        (
            b"action: COREstatus\nactionid: x y\n\n",
            "Response: Success\r\nActionID: x y\r\nCoreStartupDate: 2026-11-22\r\n"
            "CoreStartupTime: 02:28:09\r\nCoreReloadDate: 2026-11-22\r\n"
            "CoreReloadTime: 02:28:09\r\nCoreCurrentCalls: 0\r\nCoreProcessedCalls: 0\r\n\r\n",
        ),
    ],
)
async def test_an_action_is_answered_as_asterisk_answers(
    client: TinyClient, sent: bytes, expected: str
) -> None:
    assert expected == await exchange(client, sent)


async def test_nothing_is_done_before_the_login(connect: Connect) -> None:
    client = await connect()

    answer = await client.act("CoreStatus")

    assert [(a["Response"], a["Message"]) for a in answer] == [("Error", "Permission denied")]


async def test_an_unknown_client_is_asked_for_nothing_after_its_goodbye(
    client: TinyClient,
) -> None:
    client.forget()
    client.send(Action="Logoff", ActionID="11")
    client.send(Action="Ping", ActionID="12")

    expected = b"Response: Goodbye\r\nActionID: 11\r\nMessage: Thanks for all the fish.\r\n\r\n"
    assert expected == await client.ended()


@pytest.mark.parametrize(
    ("mask", "classes"),
    [
        ("off", set()),
        ("call", {"call,all"}),
        ("agent,system", {"agent,all", "system,all"}),
        ("on", {"call,all", "agent,all", "system,all"}),
        ("dialplan,cdr", set()),
    ],
)
async def test_a_session_hears_the_classes_of_its_mask(
    sim: Simulator, connect: Connect, mask: str, classes: set[str]
) -> None:
    client = await connect()
    await client.login(Events=mask)

    await sim.customer_calls(number=CHEN, to="4000", patience=3)
    await sim.passes(10)

    assert classes == {frame["Privilege"] for frame in await client.heard()}


async def test_a_session_without_events_still_gets_lists(sim: Simulator, connect: Connect) -> None:
    client = await connect()
    await client.login(Events="off")
    await sim.customer_calls(number=CHEN, to="4001")

    shown = await client.act("CoreShowChannels")

    assert [frame.event for frame in shown] == [
        "",
        "CoreShowChannel",
        "CoreShowChannel",
        "CoreShowChannelsComplete",
    ]


async def test_the_first_four_lines_prove_an_event_genuine() -> None:
    sim = Simulator(speed=0, systemname=SECRET_NAME)
    async with sim.running() as (host, port):
        client = await TinyClient.open(host, port)
        await client.login(Events="call,agent")
        await sim.customer_calls(number=CHEN, to="4000", patience=3)
        await sim.passes(10)
        heard = await client.heard()
        (known,) = await client.act("CoreSettings")
        await client.close()

    assert {("Event", "Privilege", "Timestamp", "SystemName")} == {
        tuple(name for name, _ in frame.headers[:4]) for frame in heard
    }
    assert {SECRET_NAME} == {frame["SystemName"] for frame in [*heard, known]}
    assert all(f["Uniqueid"].startswith(f"{SECRET_NAME}-") for f in heard if f["Uniqueid"])


async def test_without_timestampevents_there_are_no_times() -> None:
    sim = Simulator(speed=0, timestamps=False)
    async with sim.running() as (host, port):
        client = await TinyClient.open(host, port)
        await client.login()
        await sim.customer_calls(number=CHEN, to="4001", patience=3)
        await sim.passes(10)
        heard = await client.heard()
        await client.close()

    assert {""} == {frame["Timestamp"] for frame in heard}


async def test_only_permitted_actions_are_listed(client: TinyClient) -> None:
    (listed,) = await client.act("ListCommands")

    assert listed["CoreStatus"].endswith("  (Priv: system,reporting,all)")
    assert listed["Originate"] == "Originate a call.  (Priv: originate,all)"
    assert listed["Ping"] == "Keepalive command.  (Priv: <none>)"
    assert (
        not {"Command", "DBDel", "Filter", "MixMonitor", "UserEvent"} & dict(listed.headers).keys()
    )


async def test_an_account_with_too_many_rights_shows_it() -> None:
    everything = frozenset({"system", "call", "command", "user", "originate", "reporting"})
    account = Account(user="root", secret="cti", read=everything, write=everything)
    sim = Simulator(speed=0, accounts=[account])
    async with sim.running() as (host, port):
        client = await TinyClient.open(host, port)
        await client.login("root")
        (listed,) = await client.act("ListCommands")
        await client.close()

    assert {"Command", "DBDel", "Filter", "UserEvent"} <= dict(listed.headers).keys()


def values(frame: Told, *names: str) -> list[str]:
    return [frame[name] for name in names]


async def test_a_talk_is_listed_with_its_channels_and_its_bridge(
    sim: Simulator, client: TinyClient
) -> None:
    sim.phone("6001").answers_after(1)
    await sim.customer_calls(number=CHEN, name="王小明", to="4001", talk=60)
    await sim.passes(3.5)

    shown = await client.act("CoreShowChannels")
    bridges = await client.act("BridgeList")

    _, trunk, phone, _ = shown
    what = ("Application", "ApplicationData", "Duration", "ChannelStateDesc", "CallerIDName")
    assert values(trunk, *what) == ["Dial", "PJSIP/6001,20,tT", "00:00:03", "Up", "王小明"]
    assert values(phone, *what) == ["AppDial", "(Outgoing Line)", "00:00:03", "Up", "Agent 6001"]
    names = [name for name, _ in trunk.headers]
    assert names[:5] == ["Event", "ActionID", "Channel", "ChannelState", "ChannelStateDesc"]
    assert names[-5:] == ["ChanVariable", "Application", "ApplicationData", "Duration", "BridgeId"]
    assert [trunk["BridgeId"]] * 2 == [phone["BridgeId"], bridges[1]["BridgeUniqueid"]]
    assert values(bridges[1], "BridgeNumChannels", "BridgeType") == ["2", "basic"]


async def test_a_queue_is_listed_with_who_waits_and_who_works(
    sim: Simulator, client: TinyClient
) -> None:
    await sim.customer_calls(number=CHEN, to="4000")
    await sim.passes(3.2)

    listed = await client.act("QueueStatus", Queue="support")
    devices = await client.act("DeviceStateList")

    kinds = [frame.event for frame in listed]
    assert ["", "QueueParams", *["QueueMember"] * 3, "QueueEntry", "QueueStatusComplete"] == kinds
    assert values(listed[1], "Queue", "Strategy", "Calls") == ["support", "ringall", "1"]
    assert values(listed[2], "Location", "Status") == ["PJSIP/6001", "6"]
    assert values(listed[5], "Position", "CallerIDNum", "CallerIDName", "Wait") == [
        "1",
        CHEN,
        "unknown",
        "3",
    ]
    assert listed[6]["ListItems"] == "5"
    assert ("PJSIP/6001", "RINGING") in [(d["Device"], d["State"]) for d in devices]
    assert ("PJSIP/6009", "UNAVAILABLE") not in [(d["Device"], d["State"]) for d in devices]


async def test_the_state_of_one_channel_can_be_asked(sim: Simulator, client: TinyClient) -> None:
    call = await sim.customer_calls(number=CHEN, to="4001")
    await sim.passes(2.1)

    _, status, complete = await client.act("Status", Channel=call.channel)

    assert values(status, "CallerIDNum", "ChannelStateDesc", "DNID", "Application", "Seconds") == [
        CHEN,
        "Ring",
        "4001",
        "Dial",
        "2",
    ]
    assert values(complete, "ListItems", "Items") == ["1", "1"]


async def test_a_paused_member_is_not_called_and_everybody_hears_of_it(
    sim: Simulator, client: TinyClient
) -> None:
    (answer,) = await client.act(
        "QueuePause", Interface="PJSIP/6001", Paused="true", Reason="lunch"
    )
    await sim.customer_calls(number=CHEN, to="4000", patience=3)
    await sim.passes(5)
    heard = await client.heard()

    assert answer["Message"] == "Interface paused successfully"
    pauses = [f for f in heard if f.event == "QueueMemberPause"]
    assert [values(f, "Paused", "PausedReason") for f in pauses] == [["1", "lunch"]] * 3
    assert {"PJSIP/6002", "PJSIP/6003"} == {
        f["Interface"] for f in heard if f.event == "AgentCalled"
    }


async def test_the_guard_keeps_what_it_dialled(sim: Simulator, client: TinyClient) -> None:
    sim.phone("6001").answers_after(1)
    await client.act(
        "Originate",
        Channel="PJSIP/6001",
        Context="cti-dial",
        Exten=CHEN,
        Priority="1",
        Async="true",
        Variable="CTI_ATTEMPT=cti-7,CTI_DEADLINE=99999999999,CTI_TRUNK=trunk,CTI_RING=20",
    )
    await sim.passes(3)

    _, found, _ = await client.act("DBGet", Family="cti", Key="cti-7")

    assert [found["Family"], found["Key"], found["Val"].isdecimal()] == ["cti", "cti-7", True]


async def test_an_id_that_lives_is_not_dialled_again(sim: Simulator, client: TinyClient) -> None:
    sim.phone("6001").answers_after(1)
    sim.outside(CHEN).answers_after(2, talk=5)
    order = {"Channel": "PJSIP/6001", "Context": "internal", "Exten": CHEN, "ChannelId": "cti-8"}
    await client.act("Originate", **order, ActionID="first")
    await sim.passes(0.5)
    await client.act("Originate", **order, ActionID="second")
    await sim.passes(60)

    answers = [f for f in await client.heard() if f.event == "OriginateResponse"]

    assert [(f["ActionID"], f["Response"], f["Reason"]) for f in answers] == [
        ("second", "Failure", "0"),
        ("first", "Success", "4"),
    ]


async def test_a_channel_that_the_simulator_does_not_play_fails_as_an_unknown_one(
    sim: Simulator, client: TinyClient
) -> None:
    for channel in ("Local/1@cti-dial/n", "PJSIP/7777", "DAHDI/1"):
        await client.act("Originate", Channel=channel, Context="internal", Exten="6001")
    await sim.passes(1)

    heard = [f for f in await client.heard() if f.event]

    assert ["FullyBooted", *["OriginateResponse"] * 3] == [frame.event for frame in heard]
    assert [f["Response"] for f in heard[1:]] == ["Failure"] * 3


LINES = st.lists(
    st.one_of(
        st.binary(max_size=40),
        st.sampled_from(
            [
                *(b"Action: Originate", b"Action: Status", b"Action: Hangup", b"Action: Redirect"),
                *(b"Action: QueuePause", b"Action: Login", b"Channel: PJSIP/6001", b"Timeout: -1"),
                *(b"Context: cti-dial", b"Exten: 4000", b"Interface: PJSIP/6001", b"Paused: 1"),
                *(b"Variable: CTI_ATTEMPT=1,CTI_DEADLINE=9e9", b"Cause: 99999999999", b"", b""),
            ]
        ),
    ),
    max_size=30,
)


@settings(max_examples=60, deadline=None)
@given(LINES, st.integers(1, 50))
def test_whatever_a_client_sends_the_next_client_is_served(lines: list[bytes], piece: int) -> None:
    sent = b"\r\n".join(lines) + b"\r\n\r\n"

    async def scenario() -> list[Told]:
        sim = Simulator(speed=0, refuse_after_s=0)
        async with sim.running() as (host, port):
            odd, fair = await TinyClient.open(host, port), await TinyClient.open(host, port)
            await odd.login()
            for place in range(0, len(sent), piece):
                odd.writer.write(sent[place : place + piece])
            await sim.passes(100)
            await fair.login()
            answer = await fair.act("Ping")
            await sim.passes(100)
            await odd.close()
            await fair.close()
        return answer

    assert [frame["Ping"] for frame in asyncio.run(scenario())] == ["Pong"]


async def test_a_client_that_never_reads_is_dropped_and_harms_nobody(
    sim: Simulator, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cti.pbx.simulator.ami.MOST_UNREAD", 100_000)
    lazy, fair = await connect(), await connect()
    await lazy.login()
    await fair.login()
    lazy.writer.transport.pause_reading()  # type: ignore[attr-defined]

    for _ in range(400):
        await sim.customer_calls(number=CHEN, to="4000", patience=3)
        await sim.passes(5)
        await fair.heard()
        fair.forget()

    assert sim.logged_in == 1


async def test_names_are_escaped_once_and_numbers_are_not(
    sim: Simulator, client: TinyClient
) -> None:
    hostile = "1\r\n\r\nEvent: Hangup\r\nUniqueid: 1"

    await sim.customer_calls(number=hostile, name="O'\"\\\r\n?", to="4001", patience=1)
    await sim.passes(5)

    raw = (await client.heard(), bytes(client.raw))[1]
    assert b"CallerIDName: O\\'\\\"\\\\\\r\\n\\?\r\n" in raw
    assert b"CallerIDNum: 1\r\n\r\nEvent: Hangup\r\nUniqueid: 1\r\n" in raw
    assert [f["Uniqueid"] for f in told(raw) if f.event == "Hangup"][:3] == ["1"] * 3
