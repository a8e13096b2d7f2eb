"""What may we ask of the PBX, and in which bytes? One encoder; nothing reaches the wire around it.

A builder gives an action as headers; a list makes repeated lines. No action is ever sent a
second time by the link, and an Originate least of all: it may have dialled.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import timedelta

from cti.errors import UnsafeAction

Action = Mapping[str, str | Sequence[str]]
Built = dict[str, str | list[str]]

LONGEST_LINE = 1000
"""Asterisk refuses an action with a line of more than 1,024 bytes."""
MOST_LINES = 128
MOST_VARIABLES = 64

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_HEADER = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,63}")
_VARIABLE = re.compile(r"_{0,2}[A-Za-z][A-Za-z0-9_]{0,63}")


def encode(action: Action, action_id: str) -> bytes:
    """Give an action's bytes, with our own ActionID.

    Raises `UnsafeAction`, which names the header and never its value, when a name or a value
    could break the line, when it is too long for Asterisk, or when an Originate would block the
    session for as long as it rings.
    """
    lines = [_line("Action", name_of(action)), _line("ActionID", action_id)]
    for name, value in action.items():
        if name.lower() in ("action", "actionid"):
            continue
        values = (value,) if isinstance(value, str) else value
        lines += [_line(name, text) for text in values]
    if len(lines) > MOST_LINES:
        raise UnsafeAction(f"more than {MOST_LINES} headers")
    _be_asynchronous(action)
    return b"\r\n".join((*lines, b"", b""))


def name_of(action: Action) -> str:
    """Give the action's name. Raises `UnsafeAction` if it has none."""
    for name, value in action.items():
        if name.lower() == "action" and isinstance(value, str) and value:
            return value
    raise UnsafeAction("Action")


def _line(name: str, text: str) -> bytes:
    if not _HEADER.fullmatch(name):
        raise UnsafeAction("a header whose name is not letters, digits and hyphens")
    if _CONTROL.search(text):
        raise UnsafeAction(name)
    try:
        line = f"{name}: {text}".encode()
    except UnicodeEncodeError:
        raise UnsafeAction(name) from None
    if len(line) > LONGEST_LINE:
        raise UnsafeAction(name)
    return line


def _be_asynchronous(action: Action) -> None:
    if name_of(action).lower() != "originate":
        return
    for name, value in action.items():
        if name.lower() == "async" and value == "true":
            return
    raise UnsafeAction("Async")


def login(user: str, secret: str, events: str = "on") -> Built:
    """Log in. `events` is `on`, `off` or a list of classes."""
    return {"Action": "Login", "Username": user, "Secret": secret, "Events": events}


def logoff() -> Built:
    """End the session; the PBX answers Goodbye."""
    return {"Action": "Logoff"}


def ping() -> Built:
    """Ask whether the PBX is there."""
    return {"Action": "Ping"}


def core_settings() -> Built:
    """Ask for version and systemname. Needs write `system` or `reporting`."""
    return {"Action": "CoreSettings"}


def core_status() -> Built:
    """Ask when Asterisk was started and last reloaded. Needs write `system` or `reporting`."""
    return {"Action": "CoreStatus"}


def core_show_channels() -> Built:
    """List the channels that live now. Needs write `system` or `reporting`."""
    return {"Action": "CoreShowChannels"}


def bridge_list() -> Built:
    """List the bridges."""
    return {"Action": "BridgeList"}


def bridge_info(bridge: str) -> Built:
    """List the channels in one bridge."""
    return {"Action": "BridgeInfo", "BridgeUniqueid": bridge}


def queue_status(queue: str | None = None) -> Built:
    """List queues with their members and the callers who wait."""
    return {"Action": "QueueStatus", **({"Queue": queue} if queue else {})}


def device_state_list() -> Built:
    """List the state of every device. Needs write `call` or `reporting`."""
    return {"Action": "DeviceStateList"}


def parked_calls() -> Built:
    """List the parked calls. Needs write `call`; unknown to a PBX without res_parking."""
    return {"Action": "ParkedCalls"}


def list_commands() -> Built:
    """Ask which actions this account may send."""
    return {"Action": "ListCommands"}


def getvar(variable: str) -> Built:
    """Ask for a global variable, or for a function's value. Needs write `call` or `reporting`."""
    return {"Action": "Getvar", "Variable": variable}


def show_dialplan(context: str) -> Built:
    """List the lines of a context. Needs write `config` or `reporting`."""
    return {"Action": "ShowDialPlan", "Context": context}


def db_get(family: str, key: str) -> Built:
    """Ask for a note in AstDB. Needs write `system` or `reporting`; an Error: there is none."""
    return {"Action": "DBGet", "Family": family, "Key": key}


def hangup(channel: str, cause: int | None = None) -> Built:
    """Hang up a channel, by its name. Needs write `system` or `call`."""
    return {
        "Action": "Hangup",
        "Channel": channel,
        **({} if cause is None else {"Cause": str(cause)}),
    }


def mix_monitor_mute(channel: str, *, on: bool) -> Built:
    """Write silence in the place of both sides of a recorded channel, or no longer.

    To mute what is mute changes nothing. Needs write `system` or `call`.
    """
    return {
        "Action": "MixMonitorMute",
        "Channel": channel,
        "Direction": "both",
        "State": "1" if on else "0",
    }


def play_dtmf(channel: str, digit: str) -> Built:
    """Let one key be heard as if the channel's own phone had sent it. Needs write `call`."""
    return {"Action": "PlayDTMF", "Channel": channel, "Digit": digit, "Receive": "true"}


def originate(
    *,
    channel: str,
    channel_id: str,
    context: str,
    exten: str,
    ring: timedelta,
    priority: int = 1,
    other_channel_id: str | None = None,
    caller_id: str | None = None,
    variables: Mapping[str, str] | None = None,
) -> Built:
    """Dial `channel` and then run the dialplan at `context`, `exten`, `priority`.

    Always asynchronous: the answer says that it is queued, the event OriginateResponse what
    became of it. `channel_id` becomes the leg's Uniqueid. Variables stand one a line, since
    commas split them: a comma in one raises `UnsafeAction`.
    """
    built: Built = {
        "Action": "Originate",
        "Channel": channel,
        "ChannelId": channel_id,
        "Context": context,
        "Exten": exten,
        "Priority": str(priority),
        "Timeout": str(ring // timedelta(milliseconds=1)),
        "Async": "true",
    }
    if other_channel_id is not None:
        built["OtherChannelId"] = other_channel_id
    if caller_id is not None:
        built["CallerID"] = caller_id
    if variables:
        built["Variable"] = _variables(variables)
    return built


def _variables(variables: Mapping[str, str]) -> list[str]:
    if len(variables) > MOST_VARIABLES:
        raise UnsafeAction(f"Variable: more than {MOST_VARIABLES}")
    for name, value in variables.items():
        if not _VARIABLE.fullmatch(name) or "," in value:
            raise UnsafeAction("Variable")
    return [f"{name}={value}" for name, value in variables.items()]
