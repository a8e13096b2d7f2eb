"""The situations of the recorded streams, told to the simulator."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any, Final

from cti.clock import SetClock
from cti.pbx.simulator import Line, QueueSetup, Simulator
from tests.kit.tiny_ami import TinyClient

CHEN: Final = "13800138000"
Story = Callable[[Simulator, TinyClient], Awaitable[None]]

LINES: Final = {
    "4000": Line(queue="support", within=60),
    "4001": Line(phones=("PJSIP/6001",), within=20),
    "4002": Line(queue="linear", within=60),
    "4003": Line(queue="rr", within=60),
    "4004": Line(queue="two", within=6),
    "4005": Line(phones=("PJSIP/6001", "PJSIP/6002", "PJSIP/6003"), within=20),
    "4009": Line(phones=("PJSIP/6009",), within=20),
}
PHONES: Final = {number: f"Agent {number}" for number in ("6001", "6002", "6003", "6009")}
GUARD: Final = "CTI_ATTEMPT=cti-g1,CTI_DEADLINE=99999999999,CTI_TRUNK=trunk,CTI_RING=20"


def lab(*, with_two: bool) -> Simulator:
    """Give a PBX set up as the one that was recorded; its time stands until a story moves it."""
    in_hash_order = ("6001", "6003", "6002")
    queues = [
        QueueSetup(name="linear", members=("6001", "6002", "6003"), strategy="linear", timeout=6),
        QueueSetup(name="support", members=in_hash_order, timeout=10),
        QueueSetup(name="rr", members=("6003", "6001", "6002"), strategy="rrmemory", timeout=6),
    ]
    if with_two:
        queues.append(QueueSetup(name="two", members=("6009", "6001"), timeout=4))
    sim = Simulator(
        phones=PHONES,
        queues=queues,
        lines=LINES,
        speed=0,
        clock=SetClock(datetime(2026, 11, 22, 2, 28, 9, tzinfo=UTC)),
        refuse_after_s=0.01,
    )
    sim.phone("6009").unregistered()
    return sim


def calls(to: str, *, passes: float = 90, **more: Any) -> Story:
    """A customer calls, and time passes."""

    async def story(sim: Simulator, _client: TinyClient) -> None:
        await sim.customer_calls(**({"number": CHEN, "to": to} | more))
        await sim.passes(passes)

    return story


def with_phones(story: Story, **habits: Callable[[Simulator], object]) -> Story:
    """Set phones up before a story."""

    async def told(sim: Simulator, client: TinyClient) -> None:
        for habit in habits.values():
            habit(sim)
        await story(sim, client)

    return told


def answering(
    number: str, after: float, talk: float | None = None
) -> Callable[[Simulator], object]:
    return lambda sim: sim.phone(number).answers_after(after, talk=talk)


def busy(number: str) -> Callable[[Simulator], object]:
    return lambda sim: sim.phone(number).busy()


def originates(*, passes: float = 60, **more: str) -> Story:
    """The agent's phone is ordered to call the customer."""

    async def story(sim: Simulator, client: TinyClient) -> None:
        order = {
            "Channel": "PJSIP/6001",
            "Context": "internal",
            "Exten": CHEN,
            "Priority": "1",
            "CallerID": "4000",
            "Timeout": "8000",
            "Async": "true",
            "ChannelId": "cti-9",
        }
        await client.act("Originate", **(order | more))
        await sim.passes(passes)

    return story


async def channel_of(client: TinyClient, device: str) -> str:
    """Find the channel of a device."""
    shown = await client.act("CoreShowChannels")
    return next(frame["Channel"] for frame in shown if frame["Channel"].startswith(device))


def then(first: Story, *others: Story) -> Story:
    """One after the other."""

    async def story(sim: Simulator, client: TinyClient) -> None:
        for part in (first, *others):
            await part(sim, client)

    return story


def by_ami(action: str, device: str, *, passes: float = 60, **headers: str) -> Story:
    """Something is done by AMI to a device's channel, and time passes."""

    async def story(sim: Simulator, client: TinyClient) -> None:
        await client.act(action, Channel=await channel_of(client, device), **headers)
        await sim.passes(passes)

    return story


async def forgotten(_sim: Simulator, client: TinyClient) -> None:
    """What was heard so far is not judged."""
    await client.heard()
    client.forget()


def _outside(after: float, talk: float) -> Callable[[Simulator], object]:
    return lambda sim: sim.outside(CHEN).answers_after(after, talk=talk)


TRACES: Final[dict[str, Story]] = {
    "answered-third-ring": with_phones(calls("4001", talk=4), a=answering("6001", 7)),
    "caller-gives-up": calls("4001", patience=6),
    "nobody-answers": calls("4001"),
    "agent-busy": with_phones(calls("4001"), a=busy("6001")),
    "queue-ringall-one-answers": with_phones(calls("4000", talk=4), a=answering("6001", 4)),
    "queue-abandoned": calls("4000", patience=7),
    "queue-linear-two-ring-out": calls("4002", patience=17),
    "queue-round-robin-second-answers": with_phones(calls("4003", talk=3), a=answering("6003", 1)),
    "caller-without-number": with_phones(
        calls("4001", number=None, talk=3), a=answering("6001", 2)
    ),
    "click-to-call": with_phones(
        originates(ChannelId="cti-1-a", ActionID="lab-2"),
        a=answering("6001", 1),
        b=_outside(2, 5),
    ),
    "click-to-call-customer-silent": with_phones(
        then(
            originates(ChannelId="cti-2-a", ActionID="lab-2", passes=9.1),
            by_ami("Hangup", "PJSIP/6001"),
        ),
        a=answering("6001", 1),
        b=lambda sim: sim.outside(CHEN).rings_on(),
    ),
}

TAPES: Final[dict[str, Story]] = {
    "queue-agent-hangs-up": with_phones(calls("4000", name="王小明"), a=answering("6001", 3, 5)),
    "dial-agent-hangs-up": with_phones(calls("4001", name="O'Brien"), a=answering("6001", 2, 4)),
    "dial-rejected": with_phones(calls("4001"), a=lambda sim: sim.phone("6001").rejects(after=2)),
    "dial-out-of-order": with_phones(calls("4001"), a=lambda sim: sim.phone("6001").out_of_order()),
    "dial-unregistered": calls("4009"),
    "dial-parallel-one-busy": with_phones(
        calls("4005", talk=2), a=answering("6001", 2), b=busy("6003")
    ),
    "dial-parallel-given-up": with_phones(calls("4005", patience=4), a=busy("6003")),
    "queue-times-out": calls("4004"),
    "queue-rejected": with_phones(
        calls("4004", patience=1.5), a=lambda sim: sim.phone("6001").rejects()
    ),
    "queue-two-callers": then(
        calls("4000", number="02161234567", patience=4.99, passes=1),
        calls("4000", number="886212345678", patience=2),
    ),
    "blind-transfer-dial": with_phones(
        then(
            calls("4001", talk=3, passes=3),
            by_ami("BlindTransfer", "PJSIP/6001", Context="internal", Exten="6003"),
        ),
        a=answering("6001", 1),
        b=answering("6003", 2),
    ),
    "blind-transfer-queue": with_phones(
        then(
            calls("4002", talk=3, passes=3),
            by_ami("BlindTransfer", "PJSIP/6001", Context="internal", Exten="6003"),
        ),
        a=answering("6001", 1),
        b=answering("6003", 2),
    ),
    "redirect-then-ami-hangup": with_phones(
        then(
            calls("4001", passes=2.4),
            by_ami(
                "Redirect", "PJSIP/trunk", Context="internal", Exten="6002", Priority="1", passes=2
            ),
            by_ami("Hangup", "PJSIP/trunk", Cause="16"),
        ),
        a=answering("6001", 1),
    ),
    "dial-ami-hangup-talking": with_phones(
        then(calls("4001", passes=2.4), by_ami("Hangup", "PJSIP/trunk")),
        a=answering("6001", 1),
    ),
    "queue-ami-hangup-agent-ringing": with_phones(
        then(calls("4002", talk=2, passes=2.4), by_ami("Hangup", "PJSIP/6001")),
        a=answering("6002", 1),
    ),
    "originate-agent-silent": originates(Timeout="3000"),
    "originate-agent-busy": with_phones(originates(), a=busy("6001")),
    "originate-agent-unregistered": originates(Channel="PJSIP/6009"),
    "originate-customer-busy": with_phones(
        originates(), a=answering("6001", 1), b=lambda sim: sim.outside(CHEN).busy()
    ),
    "originate-customer-rejects": with_phones(
        originates(), a=answering("6001", 1), b=lambda sim: sim.outside(CHEN).rejects()
    ),
    "originate-agent-hangs-up": with_phones(
        originates(), a=answering("6001", 1, 3.5), b=_outside(1, 20)
    ),
    "guard-dials": with_phones(
        originates(ChannelId="cti-g1", Context="cti-dial", Variable=GUARD),
        a=answering("6001", 1),
        b=_outside(1, 3),
    ),
    "guard-duplicate": with_phones(
        then(
            originates(ChannelId="cti-g1", Context="cti-dial", Variable=GUARD),
            forgotten,
            originates(ChannelId="cti-g2", Context="cti-dial", Variable=GUARD),
        ),
        a=answering("6001", 1),
        b=_outside(1, 3),
    ),
    "guard-late": with_phones(
        originates(
            ChannelId="cti-g3",
            Context="cti-dial",
            Variable="CTI_ATTEMPT=cti-g3,CTI_DEADLINE=1,CTI_TRUNK=trunk,CTI_RING=20",
        ),
        a=answering("6001", 1),
    ),
}
