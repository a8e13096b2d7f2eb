"""Is the lab itself true? Each situation happens as it was asked for, by Asterisk's own records."""

from pathlib import Path

import pytest

from tests.pbx.lab import Lab, Pair
from tests.pbx.lab.ami import Ami, Refused
from tests.pbx.lab.load import Load, bear
from tests.pbx.lab.truth import CALLER, CHANNEL, TYPE, Side

pytestmark = pytest.mark.lab

CHEN = "13800138000"


def said(lab: Lab) -> list[str]:
    """Give the events of queue_log in their order."""
    return [line.split("|")[4] for line in lab.queue_log()]


def side(lab: Lab, number: str) -> Side:
    """Give what this number saw, the last time."""
    return [side for side in lab.sides() if side.number == number][-1]


def celled(lab: Lab, kind: str) -> list[str]:
    """Give the devices to which this happened."""
    return [row[CHANNEL].rpartition("-")[0] for row in lab.cel() if row[TYPE] == kind]


async def test_a_ring_all_call_is_in_queue_log_and_on_the_phones(lab: Lab) -> None:
    await lab.behave_all(p6001="answer,2,30", p6002="ring,30", p6003="ring,30")

    await (await lab.customer_calls(CHEN, to="4000", talk=1)).over()
    await lab.records_quiet()

    assert said(lab) == ["ENTERQUEUE", "CONNECT", "COMPLETECALLER"]
    assert {s.number: round((s.ring_ms or 0) / 100) for s in lab.sides() if s.rang} == {
        "6001": 20,
        "6002": 20,
        "6003": 20,
    }


async def test_a_customer_who_gives_up_is_abandoned_in_queue_log(lab: Lab) -> None:
    await lab.behave_all(p6001="ring,30", p6002="ring,30", p6003="ring,30")

    await (await lab.customer_calls(CHEN, to="4000", patience=2)).over()
    await lab.records_quiet()

    assert said(lab)[-1] == "ABANDON"
    assert side(lab, "6002").answered is None


@pytest.mark.parametrize(
    ("does", "cause"), [("busy", "17"), ("busy,1", "17"), ("reject,1", "21"), ("dead", "27")]
)
async def test_a_phone_refuses_as_it_was_told(lab: Lab, does: str, cause: str) -> None:
    await lab.behave("6001", does)

    await (await lab.customer_calls(CHEN, to="4001")).over()

    await lab.pbx.until(lambda m: m.is_event("HangupRequest", Cause=cause))


@pytest.mark.parametrize("to", ["4013", "4014", "4015"])
async def test_a_number_that_leads_nowhere_rings_no_phone(lab: Lab, to: str) -> None:
    await (await lab.customer_calls(CHEN, to=to)).over()
    await lab.records_quiet()

    assert [s for s in lab.sides() if s.rang] == []


async def test_a_blind_transfer_by_keys_reaches_the_colleague(lab: Lab) -> None:
    await lab.behave_all(p6001="answer,1,30,##,1,6004,1", p6004="answer,1,30")

    call = await lab.customer_calls(CHEN, to="4001", talk=9)
    await lab.pbx.until(lambda m: m.is_event("BlindTransfer", Result="Success"), within=20)
    await call.over()
    await lab.records_quiet()

    assert side(lab, "6004").answered is not None
    assert "BLINDTRANSFER" in [row[TYPE] for row in lab.cel()]


async def test_an_attended_transfer_by_keys_reaches_the_colleague(lab: Lab) -> None:
    await lab.behave_all(p6001="answer,1,9,*2,1,6004,1", p6004="answer,1,30")

    call = await lab.customer_calls(CHEN, to="4001", talk=13)
    await lab.pbx.until(lambda m: m.is_event("AttendedTransfer", Result="Success"), within=20)
    await call.over()
    await lab.records_quiet()

    assert side(lab, "6004").answered is not None
    assert "ATTENDEDTRANSFER" in [row[TYPE] for row in lab.cel()]


async def test_a_colleague_picks_up_what_rings_elsewhere(lab: Lab) -> None:
    await lab.behave("6001", "ring,30")

    call = await lab.customer_calls(CHEN, to="4001", talk=1)
    await lab.phone_rings("6001")
    await lab.phone_calls("6002", to="*8", talk=20)
    await call.over()
    await lab.records_quiet()

    assert "PICKUP" in [row[TYPE] for row in lab.cel()]
    assert "PJSIP/6002" in celled(lab, "ANSWER")


async def test_a_parked_customer_is_fetched_by_a_colleague(lab: Lab) -> None:
    await lab.behave("6001", "answer,1,30,##,1,700,1")

    call = await lab.customer_calls(CHEN, to="4001", talk=9)
    parked = await lab.pbx.until(lambda m: m.is_event("ParkedCall"), within=20)
    await lab.phone_calls("6002", to=parked["ParkingSpace"], talk=20)
    await call.over()
    await lab.records_quiet()

    kinds = [row[TYPE] for row in lab.cel()]
    assert ("PARK_START" in kinds, "PARK_END" in kinds) == (True, True)


async def test_a_phone_that_forwards_sends_the_call_on(lab: Lab) -> None:
    await lab.behave_all(p6001="redirect,6004", p6004="answer,1,30")

    await (await lab.customer_calls(CHEN, to="4001", talk=1)).over()
    await lab.records_quiet()

    assert side(lab, "6004").answered is not None


async def test_a_queue_reaches_its_phones_through_local_channels(lab: Lab) -> None:
    await lab.behave_all(p6004="answer,1,30", p6005="ring,30", p6006="ring,30")

    await (await lab.customer_calls(CHEN, to="4007", talk=1)).over()
    await lab.records_quiet()

    assert said(lab) == ["ENTERQUEUE", "CONNECT", "COMPLETECALLER"]
    assert any(row[CHANNEL].startswith("Local/6005@internal") for row in lab.cel())


async def test_a_withheld_number_arrives_as_the_word_anonymous(lab: Lab) -> None:
    await lab.behave("6001", "answer,1,30")

    await (await lab.anonymous_calls(to="4001", talk=1)).over()
    await lab.records_quiet()

    assert lab.cel()[0][CALLER] == "anonymous"


async def test_a_chinese_name_arrives_whole(lab: Lab) -> None:
    await lab.behave("6001", "answer,1,30")

    await (await lab.customer_calls(CHEN, to="4001", name="王小明", talk=1)).over()

    assert any(m.get("CallerIDName") == "王小明" for m in lab.pbx.heard)


@pytest.mark.parametrize(("to", "files"), [("4001", 1), ("4002", 3)])
async def test_a_recording_has_a_name_that_tells_nothing(lab: Lab, to: str, files: int) -> None:
    await lab.behave("6001", "answer,1,30")

    await (await lab.customer_calls(CHEN, to=to, talk=2)).over()
    await lab.records_quiet()

    started = await lab.pbx.until(lambda m: m.is_event("MixMonitorStart"))
    name = Path(started["ChanVariable"].removeprefix("MIXMONITOR_FILENAME="))
    here = lab.pair.pbx.folder / "spool/monitor"
    sizes = [file.stat().st_size for file in here.glob(f"{name.stem}*.wav")]
    assert (len(sizes), min(sizes) > 44) == (files, True)
    assert lab.pair.secret.systemname not in str(name)


async def test_the_guard_dials_an_attempt_once(lab: Lab) -> None:
    await lab.behave_all(p6001="answer,1,30", p13800138000="answer,1,2")

    attempt = await lab.click_to_call("6001", CHEN)

    await lab.pbx.until(
        lambda m: m.is_event("UserEvent", UserEvent="CtiDial", Attempt=attempt, Result="dial")
    )
    await lab.records_quiet()
    assert side(lab, CHEN).answered is not None


async def test_the_account_of_the_product_may_do_what_it_must_and_no_more(lab: Lab) -> None:
    product = await lab.listen("cti")
    for action in ("CoreStatus", "CoreSettings", "CoreShowChannels", "QueueStatus", "BridgeList"):
        await product.do(action)

    for action in ("Command", "UserEvent", "DBDel", "PJSIPShowEndpoints"):
        with pytest.raises(Refused):
            await product.do(action)

    await product.bye()


async def test_the_shipped_account_lets_nobody_in_until_a_secret_is_set(pair: Pair) -> None:
    conf = pair.pbx.folder / "etc/manager.conf"
    filled = conf.read_text(encoding="utf-8")
    conf.write_text(filled.replace(f"secret = {pair.secret.cti}\n", ";secret =\n"))
    pair.pbx.cli("manager reload")
    try:
        for guess in ("", "secret"):
            with pytest.raises(Refused):
                await Ami.login(pair.place.pbx, pair.place.ami, "cti", guess)
    finally:
        conf.write_text(filled, encoding="utf-8")
        pair.pbx.cli("manager reload")


async def test_a_killed_pbx_comes_back_and_takes_calls(lab: Lab) -> None:
    await lab.behave("6001", "answer,1,6")
    call = await lab.customer_calls(CHEN, to="4001", talk=6)
    await call.answered()

    lab.cut_pbx()
    await lab.restart_pbx()
    await (await lab.customer_calls("13700137000", to="4001", talk=1)).over()
    await lab.records_quiet()

    answered = [row[CALLER] for row in lab.cel() if row[TYPE] == "ANSWER"]
    assert (CHEN in answered, "13700137000" in answered) == (True, True)


async def test_under_load_every_customer_is_served_or_gave_up(lab: Lab) -> None:
    borne = await bear(lab, Load(calls=40, rate=20, mixed=True))

    ends = [customer.how for customer in borne.customers]
    assert set(ends) <= {"completed", "gave_up"}
    assert borne.queue_log["CONNECT"] == ends.count("completed")
    assert borne.queue_log.get("ABANDON", 0) == ends.count("gave_up")


async def test_two_pairs_stand_side_by_side(pair: Pair) -> None:
    other = Pair.start()
    try:
        async with Lab(other) as lab:
            assert await lab.pbx.ask("CoreShowChannels") == []
        assert other.place != pair.place
    finally:
        other.stop()
