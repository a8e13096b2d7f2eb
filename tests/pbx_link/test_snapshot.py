"""What the PBX says is going on now, as far as it says so."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest
from structlog.testing import capture_logs

from cti.errors import ActionUnknown, CtiError, PbxUnavailable
from cti.pbx import snapshot
from cti.pbx.actions import Action, name_of
from cti.pbx.frames import Frame
from cti.pbx.session import Answer

STATUS = {"Response": "Success", "CoreStartupDate": "2026-03-02", "CoreStartupTime": "08:00:00"}


def frame(headers: Mapping[str, str]) -> Frame:
    """A message of these headers."""
    return Frame("\r\n".join(f"{name}: {value}" for name, value in headers.items()).encode())


class Pbx:
    """Answers by name of action: headers of a reply, items of a list, or a fault."""

    def __init__(self, **said: Any) -> None:
        self.said = {"CoreStatus": STATUS, "CoreShowChannels": []} | said

    async def act(self, action: Action, within: timedelta = timedelta()) -> Answer:
        """Answer one action."""
        said = self.said.get(name_of(action), [])
        if isinstance(said, CtiError):
            raise said
        if isinstance(said, Answer):
            return said
        if isinstance(said, dict):
            return Answer(ok=said["Response"] == "Success", message="", headers=frame(said))
        return Answer(
            ok=True,
            message="",
            headers=frame({"Response": "Success"}),
            items=list(map(frame, said)),
        )


def channel(**facts: str) -> dict[str, str]:
    """One channel, as CoreShowChannels lists it."""
    told = {
        "Event": "CoreShowChannel", "Channel": "PJSIP/6001-1", "ChannelState": "6",
        "CallerIDNum": "6001", "CallerIDName": "<unknown>", "Exten": "4000", "Uniqueid": "1.1",
        "Linkedid": "1.0", "Duration": "00:01:05", "BridgeId": "b1",
    }  # fmt: skip
    return told | facts


async def test_a_pbx_is_told_whole() -> None:
    taken = await snapshot.take(
        Pbx(
            CoreShowChannels=[channel()],
            BridgeList=[
                {"Event": "BridgeListItem", "BridgeUniqueid": "b1", "BridgeType": "basic",
                 "BridgeTechnology": "holding_bridge"}
            ],
            QueueStatus=[
                {"Event": "QueueParams", "Queue": "support"},
                {"Event": "QueueMember", "Queue": "support", "Location": "Local/6001@agents",
                 "StateInterface": "PJSIP/6001", "Paused": "1", "PausedReason": "lunch"},
                {"Event": "QueueMember", "Queue": "support", "Location": "PJSIP/6002",
                 "Paused": "0"},
                {"Event": "QueueEntry", "Queue": "support", "Uniqueid": "1.0", "Wait": "12"},
            ],
            DeviceStateList=[
                {"Event": "DeviceStateChange", "Device": "PJSIP/6001", "State": "INUSE"}
            ],
        )
    )  # fmt: skip

    [leg] = taken.legs
    assert taken.boot == "2026-03-02 08:00:00"
    assert (leg.who.leg, leg.who.linked, leg.who.state) == ("1.1", "1.0", 6)
    assert (leg.lasted, leg.bridge, leg.kind) == (timedelta(seconds=65), "b1", "holding")
    assert taken.members == (
        ("support", "PJSIP/6001", True, "lunch"),
        ("support", "PJSIP/6002", False, ""),
    )
    assert taken.devices == (("PJSIP/6001", "INUSE"),)
    [visit] = taken.visits
    assert (visit.leg, visit.queue, visit.waited) == ("1.0", "support", timedelta(seconds=12))


@pytest.mark.parametrize(
    "said",
    [
        {"CoreStatus": {"Response": "Error"}},
        {"CoreStatus": {"Response": "Success"}},
        {"CoreShowChannels": {"Response": "Error"}},
        {"CoreShowChannels": ActionUnknown("the link broke")},
        {"CoreShowChannels": PbxUnavailable("the link is down")},
        {"QueueStatus": PbxUnavailable("the link is down")},
        {
            "CoreShowChannels": Answer(
                ok=True, message="", headers=frame({"Response": "Success"}), complete=False
            )
        },
    ],
)
async def test_without_boot_and_channels_there_is_no_snapshot(said: dict[str, Any]) -> None:
    with pytest.raises(CtiError):
        await snapshot.take(Pbx(**said))


@pytest.mark.parametrize("part", ["BridgeList", "QueueStatus", "DeviceStateList"])
@pytest.mark.parametrize("fault", [{"Response": "Error"}, ActionUnknown("no answer")])
async def test_any_other_part_may_be_missing(part: str, fault: Any) -> None:
    with capture_logs() as logs:
        taken = await snapshot.take(Pbx(CoreShowChannels=[channel()], **{part: fault}))

    assert len(taken.legs) == 1
    assert [log["action"] for log in logs] == [part]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("00:00:07", 7), ("100:00:00", 360_000), ("", 0), ("7", 0), ("a:b:c", 0), ("٣:0:0", 0),
     ("-1:00:00", 0), ("99999999:00:00", 999_999 * 3600)],
)  # fmt: skip
async def test_a_duration_that_is_none_is_no_time(text: str, seconds: int) -> None:
    taken = await snapshot.take(Pbx(CoreShowChannels=[channel(Duration=text)]))

    assert taken.legs[0].lasted == timedelta(seconds=seconds)


async def test_odd_items_are_left_out() -> None:
    taken = await snapshot.take(
        Pbx(
            CoreShowChannels=[channel(Uniqueid=""), {"Event": "CoreShowChannel"}, channel()],
            QueueStatus=[
                {"Event": "QueueEntry", "Queue": "support"},
                {"Event": "QueueEntry", "Queue": "support", "Uniqueid": "1.0", "Wait": "x"},
                {"Event": "QueueMember", "Queue": "support"},
            ],
            DeviceStateList=[{"Event": "DeviceStateChange", "State": "INUSE"}],
        )
    )

    assert len(taken.legs) == 1
    assert [visit.waited for visit in taken.visits] == [timedelta()]
    assert taken.members == taken.devices == ()
