"""Which situations does the lab play for the tapes, and what really happens in each?"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from tests.pbx.lab.desk import DeskPhone
from tests.pbx.lab.lab import Lab
from tests.pbx.lab.sip import Manner, Phones
from tests.pbx.lab.trees import CROWD_PORT

CHEN, LIU = "13800138000", "02161234567"
SILENT = "ring,60"

Play = Callable[[Lab], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """One situation: its name, what happens in plain words, and how it is played."""

    name: str
    what: str
    play: Play
    came_true: Callable[[Lab], bool] = lambda _: True  # else it is played again


def customer(
    to: str, *, talk: float = 3, patience: float = 60, name: str = "", **numbers: str
) -> Play:
    """Let a customer call once while phones behave so; the scene ends with the call."""

    async def play(lab: Lab) -> None:
        await lab.behave_all(**numbers)
        call = await lab.customer_calls(CHEN, to=to, name=name, talk=talk, patience=patience)
        await call.over()

    return play


async def _anonymous(lab: Lab) -> None:
    await lab.behave_all(p6001="answer,2,30", p6002=SILENT, p6003=SILENT)
    await (await lab.anonymous_calls(to="4000", talk=3)).over()


async def _pickup(lab: Lab) -> None:
    await lab.behave("6001", SILENT)
    call = await lab.customer_calls(CHEN, to="4001", talk=3)
    await lab.phone_rings("6001")
    await asyncio.sleep(4)  # the length of this ring is the scene's own
    await lab.phone_calls("6002", to="*8", talk=30)
    await call.over()


async def _pickup_in_queue(lab: Lab) -> None:
    await lab.behave_all(p6001=SILENT, p6002=SILENT, p6003=SILENT)
    call = await lab.customer_calls(CHEN, to="4000", talk=3)
    await lab.phone_rings("6001")
    await asyncio.sleep(4)  # the length of this ring is the scene's own
    await lab.phone_calls("6005", to="**6001", talk=30)
    await call.over()


async def _parking(lab: Lab) -> None:
    await lab.behave("6001", "answer,1,30,##,2,700,1")
    call = await lab.customer_calls(CHEN, to="4001", talk=14)
    await lab.pbx.until(lambda m: m.is_event("ParkedCall"), within=30)
    await asyncio.sleep(3)  # the customer is parked for so long
    await lab.phone_calls("6002", to="701", talk=30)
    await call.over()


async def _parking_timeout(lab: Lab) -> None:
    await lab.behave("6001", "answer,1,30,##,2,700,1")
    call = await lab.customer_calls(CHEN, to="4001", talk=30)
    await lab.pbx.until(lambda m: m.is_event("ParkedCall"), within=30)
    await lab.behave("6001", "answer,2,4")
    await call.over()


async def _parked_gives_up(lab: Lab) -> None:
    await lab.behave("6001", "answer,1,30,##,2,700,1")
    call = await lab.customer_calls(CHEN, to="4001", talk=9)
    await call.over()


async def _outbound(lab: Lab) -> None:
    await lab.behave(CHEN, "answer,3,30")
    await (await lab.phone_calls("6001", to=CHEN, talk=3)).over()


async def _internal(lab: Lab) -> None:
    await lab.behave("6002", "answer,3,30")
    await (await lab.phone_calls("6001", to="6002", talk=3)).over()


def _click(agent: str, mobile: str) -> Play:
    async def play(lab: Lab) -> None:
        await lab.behave("6001", agent)
        await lab.behave(CHEN, mobile)
        since = len(lab.pbx.heard)
        attempt = await lab.click_to_call("6001", CHEN, ring=8, answer_within=6)
        await lab.pbx.until(
            lambda m: m.is_event("Hangup", Uniqueid=attempt), since=since, within=60
        )

    return play


async def _customer_first(lab: Lab) -> None:
    await lab.behave_all(p13800138000="answer,3,30", p6001="answer,2,4")
    attempt = await lab.click_customer_first("6001", CHEN)
    await lab.pbx.until(lambda m: m.is_event("Hangup", Uniqueid=attempt), within=60)


async def _two_calls(lab: Lab) -> None:
    await lab.behave_all(p6001="answer,2,30", p6002="answer,3,30", p6003=SILENT)
    first = await lab.customer_calls(CHEN, to="4002", talk=6)
    await lab.phone_rings("6001")
    second = await lab.customer_calls(LIU, to="4002", talk=4)
    await asyncio.gather(first.over(), second.over())


async def _twins(lab: Lab) -> None:
    """Both phones answer in the same turn of our loop: a race that the PBX must decide."""
    together: list[float] = []

    def manner(_: str) -> Manner:
        at = asyncio.get_running_loop().time()
        together.append(at + 2)
        return Manner(ring=together[0] - at)

    phones = Phones((lab.pair.place.phones, CROWD_PORT), (lab.pair.place.pbx, 5060), manner)
    await phones.open()
    await (await lab.customer_calls(CHEN, to="4009", talk=2)).over()
    await lab.records_quiet()
    lab.played += phones.sides()
    phones.close()


def _both_up(lab: Lab) -> bool:
    up = {m["Channel"] for m in lab.pbx.heard if m.is_event("Newstate", ChannelState="6")}
    return len([channel for channel in up if channel.startswith("PJSIP/610")]) == 2


def _refers(to: str, *, until: int, consults: float) -> Play:
    async def play(lab: Lab) -> None:
        place = lab.pair.place
        await lab.behave_all(p6002="answer,3,30", p6004="answer,3,30")
        phone = DeskPhone("6101", (place.phones, CROWD_PORT), (place.pbx, 5060), ring=1)
        await phone.open()
        call = await lab.customer_calls(CHEN, to="4019", talk=12)
        first = await phone.takes()
        await asyncio.sleep(2)  # the first talk
        await phone.holds(first)
        second = await phone.dials(to, until=until)
        await asyncio.sleep(consults)
        await phone.refers(first, to, replaces=second)
        await call.over()
        await lab.records_quiet()
        lab.played += phone.sides()
        phone.close()

    return play


async def _live_calls(lab: Lab) -> None:
    """One customer talks with 6004, one hears the phones of the queue ring."""
    rings = "ring,15"  # and no longer: who was cut off must fall silent by himself
    await lab.behave_all(p6001=rings, p6002=rings, p6003=rings, p6004="answer,1,15")
    talking = await lab.customer_calls(CHEN, to="4004", talk=15)
    await talking.answered()
    since = len(lab.pbx.heard)
    await lab.customer_calls(LIU, to="4000", talk=5, patience=12)
    for number in ("6001", "6002", "6003"):
        await lab.phone_rings(number, since=since)
    await asyncio.sleep(2)  # both have lasted a while


async def _again(lab: Lab) -> None:
    """After the restart a customer calls as if nothing had been."""
    await lab.behave("6005", "answer,2,30")
    await (await lab.customer_calls("13700137000", to="4018", talk=2)).over()


async def _killed(lab: Lab) -> None:
    await _live_calls(lab)
    lab.cut_pbx()
    await lab.restart_pbx()
    await _again(lab)


async def _restarted(lab: Lab) -> None:
    await _live_calls(lab)
    await lab.restart_pbx(gracefully=True)
    await _again(lab)


def _scenes() -> list[Scene]:
    listed: list[tuple[str, str, Play]] = [
        (
            "queue-answered",
            "Ring-all queue of 6001, 6002, 6003; 6001 answers in the 4th second; the customer "
            "hangs up after 3 s of talk. The call is recorded.",
            customer("4000", p6001="answer,4,30", p6002=SILENT, p6003=SILENT),
        ),
        (
            "queue-agent-hangs-up",
            "Ring-all queue; 6002 answers after 2 s and hangs up first, after 3 s of talk.",
            customer("4000", talk=30, p6001=SILENT, p6002="answer,2,3", p6003=SILENT),
        ),
        (
            "queue-abandoned",
            "Ring-all queue; all three phones ring; the customer gives up after 7 s.",
            customer("4000", patience=7, p6001=SILENT, p6002=SILENT, p6003=SILENT),
        ),
        (
            "queue-timeout",
            "Ring-all queue with an overall time of 7 s; nobody answers; the PBX ends the call.",
            customer("4006", p6001=SILENT, p6002=SILENT, p6003=SILENT),
        ),
        (
            "queue-rounds-then-timeout",
            "Ring-all queue: 10 s a round, 30 s in all; nobody answers; each phone rings in each "
            "round; the PBX ends the call.",
            customer("4000", p6001=SILENT, p6002=SILENT, p6003=SILENT),
        ),
        (
            "queue-one-declines",
            "Ring-all queue: 6001 declines after 2 s of ringing (403, Cause 21), 6003 declines "
            "after 3 s by its busy key (486, Cause 17), 6002 answers after 5 s.",
            customer("4000", p6001="reject,2", p6002="answer,5,30", p6003="busy,3"),
        ),
        (
            "queue-one-unregistered",
            "Ring-all queue of 6007 and 6010; 6010 is not registered; 6007 answers after 3 s.",
            customer("4008", p6007="answer,3,30"),
        ),
        (
            "queue-locals",
            "Ring-all queue whose members are Local channels to 6004, 6005, 6006; 6005 answers "
            "after 3 s.",
            customer("4007", p6004=SILENT, p6005="answer,3,30", p6006=SILENT),
        ),
        (
            "queue-linear-two-calls",
            "Linear queue, two customers at once: 6001 takes the first after 2 s; the second is "
            "offered to 6002, who answers after 3 s.",
            _two_calls,
        ),
        (
            "queue-forwarded-to-mobile",
            "Ring-all queue: 6001 answers every call by 302 to the mobile 13900139000, which "
            "answers after 4 s through the trunk; 6002 and 6003 ring meanwhile.",
            customer(
                "4000",
                p6001="redirect,13900139000",
                p6002=SILENT,
                p6003=SILENT,
                p13900139000="answer,4,30",
            ),
        ),
        (
            "menu-then-hang-up",
            "The PBX answers with a menu of 3 s; the customer hangs up after 2 s, before any "
            "queue.",
            customer("4017", talk=2),
        ),
        (
            "caller-name-chinese",
            "A customer named 王小明 calls the ring-all queue; 6001 answers after 2 s.",
            customer("4000", name="王小明", p6001="answer,2,30", p6002=SILENT, p6003=SILENT),
        ),
        (
            "caller-anonymous",
            "A customer who withholds the number calls the ring-all queue; 6001 answers after 2 s.",
            _anonymous,
        ),
        (
            "blind-transfer-from-queue",
            "Ring-all queue; 6001 answers after 1 s, presses ##6004 and is out; 6004 rings 3 s "
            "and answers; the customer hangs up at last.",
            customer(
                "4000",
                talk=14,
                p6001="answer,1,30,##,2,6004,1",
                p6002=SILENT,
                p6003=SILENT,
                p6004="answer,3,60",
            ),
        ),
        (
            "blind-transfer-by-refer",
            "Dialled to 6001, who answers after 1 s and after 3 s sends the customer to 6004 by "
            "REFER; 6004 rings 3 s and answers; the customer hangs up at last.",
            customer("4001", talk=12, p6001="refer,1,3,6004", p6004="answer,3,60"),
        ),
        (
            "blind-transfer-nobody-answers",
            "Dialled to 6001, who answers after 1 s and presses ##6004; 6004 rings, nobody "
            "answers, and the customer gives up while it rings.",
            customer("4001", talk=12, p6001="answer,1,30,##,2,6004,1", p6004=SILENT),
        ),
        (
            "blind-transfer-to-queue",
            "Dialled to 6004, who answers after 1 s and presses ##4000: the customer enters the "
            "ring-all queue, where 6002 answers after 3 s.",
            customer(
                "4004",
                talk=14,
                p6004="answer,1,30,##,2,4000,1",
                p6001=SILENT,
                p6002="answer,3,60",
                p6003=SILENT,
            ),
        ),
        (
            "attended-transfer",
            "Dialled to 6001, who answers after 1 s, presses *2 6004, speaks with 6004 (rang 2 s) "
            "and hangs up: the customer now speaks with 6004 and hangs up at last.",
            customer("4001", talk=16, p6001="answer,1,11,*2,2,6004,1", p6004="answer,2,60"),
        ),
        (
            "attended-transfer-from-queue",
            "Ring-all queue; 6001 answers after 1 s, presses *2 6004, speaks with 6004 (rang 2 s) "
            "and hangs up: the customer now speaks with 6004 and hangs up at last.",
            customer(
                "4000",
                talk=16,
                p6001="answer,1,11,*2,2,6004,1",
                p6002=SILENT,
                p6003=SILENT,
                p6004="answer,2,60",
            ),
        ),
        (
            "attended-transfer-blonde",
            "Dialled to 6001, who answers after 1 s, presses *2 6004 and hangs up while 6004 still "
            "rings: 6004 answers after 9 s of ringing and has the customer.",
            customer("4001", talk=20, p6001="answer,1,8,*2,2,6004,1", p6004="answer,9,60"),
        ),
        (
            "attended-transfer-by-refer",
            "Dialled to 6101, who answers after 1 s, holds the customer, dials 6004 on a second "
            "line (it rings 3 s and answers), and joins both by REFER with Replaces.",
            _refers("6004", until=200, consults=2),
        ),
        (
            "attended-transfer-by-refer-blonde",
            "Dialled to 6101, who answers after 1 s, holds the customer, dials 6004 on a second "
            "line and sends REFER with Replaces while it still rings; 6004 answers after 3 s of "
            "ringing.",
            _refers("6004", until=180, consults=1),
        ),
        (
            "attended-transfer-taken-back",
            "Dialled to 6001, who answers after 1 s and presses *2 6004; 6004 declines after 2 s; "
            "the customer is with 6001 again and hangs up at last.",
            customer("4001", talk=14, p6001="answer,1,30,*2,2,6004,1", p6004="reject,2"),
        ),
        (
            "pickup",
            "Dialled to 6001, which rings; after 4 s 6002 dials *8 and has the customer.",
            _pickup,
        ),
        (
            "pickup-in-queue",
            "Ring-all queue; after 4 s 6005, who is no member, dials **6001 and has the customer.",
            _pickup_in_queue,
        ),
        (
            "parking-retrieved",
            "Dialled to 6001, who answers after 1 s and parks the customer by ##700 on 701; 3 s "
            "later 6002 dials 701 and has the customer, who hangs up at last.",
            _parking,
        ),
        (
            "parking-timeout",
            "Dialled to 6001, who answers after 1 s and parks the customer on 701; nobody fetches "
            "the customer; after 15 s 6001 rings again, answers after 2 s and hangs up after 4 s.",
            _parking_timeout,
        ),
        (
            "parking-gives-up",
            "Dialled to 6001, who answers after 1 s and parks the customer on 701; the customer "
            "hangs up while parked.",
            _parked_gives_up,
        ),
        (
            "forwarded",
            "Dialled to 6001, whose phone answers 302 to 6004; 6004 rings 3 s and answers.",
            customer("4001", p6001="redirect,6004", p6004="answer,3,30"),
        ),
        (
            "dial-phone-and-mobile",
            "Dialled to 6001 and the mobile 13900139000 at once; the mobile answers after 4 s.",
            customer("4016", p6001=SILENT, p13900139000="answer,4,30"),
        ),
        (
            "dial-through-local",
            "Dialled to Local/6001@internal; 6001 answers after 3 s.",
            customer("4011", p6001="answer,3,30"),
        ),
        (
            "dial-early-media",
            "Dialled to 6001, which sends early media (183) and never a 180; it answers after 3 s.",
            customer("4001", p6001="early,3,30"),
        ),
        (
            "dial-nobody-answers",
            "Dialled to 6001 for 20 s; nobody answers; the PBX ends the call.",
            customer("4001", p6001=SILENT),
        ),
        (
            "dial-busy",
            "Dialled to 6001, which is busy (486) at once.",
            customer("4001", p6001="busy"),
        ),
        (
            "dial-declined",
            "Dialled to 6001, which rings 2 s and is declined (403, Cause 21).",
            customer("4001", p6001="reject,2"),
        ),
        (
            "dial-out-of-order",
            "Dialled to 6001, which answers 502 at once (Cause 27).",
            customer("4001", p6001="dead"),
        ),
        (
            "dial-unregistered",
            "Dialled to 6010, which is not registered: CHANUNAVAIL.",
            customer("4015"),
        ),
        (
            "dial-voicemail",
            "Dialled to 6001 for 6 s; nobody answers; a machine takes the call and records; the "
            "customer hangs up.",
            customer("4012", talk=5, p6001=SILENT),
        ),
        ("number-busy", "The number 4013 is the application Busy.", customer("4013")),
        ("number-congested", "The number 4014 is the application Congestion.", customer("4014")),
        (
            "outbound",
            "6001 dials 13800138000 by hand; the mobile rings 3 s and answers; 6001 hangs up.",
            _outbound,
        ),
        (
            "internal",
            "6001 dials 6002, which rings 3 s and answers; 6001 hangs up.",
            _internal,
        ),
        (
            "click-to-call",
            "Originate: 6001's phone rings 1 s and is answered; the guard dials 13800138000, "
            "which rings 3 s, answers, and hangs up after 4 s.",
            _click("answer,1,60", "answer,3,4"),
        ),
        (
            "click-to-call-customer-first",
            "Originate to a Local channel: the guard dials 13800138000, which rings 3 s and "
            "answers; then 6001's phone rings 2 s, answers, and hangs up after 4 s.",
            _customer_first,
        ),
        (
            "click-to-call-busy",
            "Originate: 6001's phone rings 1 s and is answered; 13800138000 is busy.",
            _click("answer,1,60", "busy"),
        ),
        (
            "click-to-call-customer-silent",
            "Originate: 6001's phone rings 1 s and is answered; 13800138000 rings 8 s, and the "
            "guard's Dial ends.",
            _click("answer,1,60", SILENT),
        ),
        (
            "click-to-call-agent-silent",
            "Originate with a Timeout of 6 s: 6001's phone rings and nobody answers; the customer "
            "is never dialled.",
            _click(SILENT, "answer,1,5"),
        ),
        (
            "click-to-call-agent-declines",
            "Originate: 6001's phone rings 2 s and is declined; the customer is never dialled.",
            _click("reject,2", "answer,1,5"),
        ),
        (
            "pbx-killed",
            "13800138000 talks with 6004, 02161234567 hears 6001, 6002 and 6003 ring: then the "
            "PBX is killed. It starts again; 13700137000 calls 6005, who answers after 2 s.",
            _killed,
        ),
        (
            "pbx-restarted",
            "13800138000 talks with 6004, 02161234567 hears 6001, 6002 and 6003 ring: then the "
            "PBX restarts (core restart now). 13700137000 calls 6005, who answers after 2 s.",
            _restarted,
        ),
    ]
    twins = Scene(
        name="queue-two-answer-at-once",
        what="Ring-all queue of 6101 and 6102 behind Local channels: both answer 2 s after the "
        "first was rung, within less than a millisecond; both are Up, one gets the customer, the "
        "other is hung up.",
        play=_twins,
        came_true=_both_up,
    )
    return [*(Scene(name=name, what=what, play=play) for name, what, play in listed), twins]


SCENES = _scenes()
