"""What does manager.conf say of AMI, and of cti's account? Its secret is never shown."""

import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from cti.log import clean
from cti.pbx.check import asked
from cti.pbx.check.heard import COSTS, NEEDED
from cti.pbx.check.point import Point, State, good, unseen
from cti.pbx.conf import Conf, Section
from cti.settings import PbxSettings

WRITE: Final[Mapping[str, str]] = {
    "originate": "no click-to-call, no callbacks",
    "call": "no transfer and no hang-up from the desk",
    "agent": "no agent can be paused from the desk",
    "reporting": "no snapshot after a lost link, so that open calls end as unknown",
}
WRITE_TIMEOUT_MS: Final = 5000
WIDEST: Final = {4: 24, 6: 64}
"""The shortest prefix of a permitted network, by the version of IP."""
PLACEHOLDERS: Final = ("change", "secret", "password", "amp111", "xxx", "example", "<", "@", "…")
IN_FILES: Final[Sequence[tuple[str, str]]] = (
    ("conf.secret", "manager.conf secret"),
    ("conf.acl", "manager.conf deny, permit"),
    ("conf.write", "manager.conf write"),
    ("conf.writetimeout", "manager.conf writetimeout"),
    ("conf.bindaddr", "manager.conf bindaddr"),
    ("conf.others", "manager.conf, other accounts"),
    ("conf.eventfilter", "manager.conf eventfilter"),
)
_WHAT: Final = dict(IN_FILES)


def points(manager: Conf, settings: PbxSettings) -> list[Point]:
    """Judge manager.conf."""
    general, name = manager.section("general"), settings.user
    found = [_channelvars(general), _bindaddr(general), _others(manager, name)]
    if name not in manager.sections:
        lost = Point(
            key="conf.account",
            what="manager.conf, account",
            state="missing",
            found=f"there is no section [{clean(name, 40)}]",
            why="cti cannot log in",
            todo="take over the section [cti] of config/asterisk/manager.conf",
        )
        return [lost, *found]
    own = manager.section(name)
    return [
        _secret(own, settings),
        _acl(own, general),
        *_read(own),
        _write(own),
        _write_timeout(own),
        _two(own, general),
        *found,
        _filters(own),
    ]


def _bad(key: str, found: str, why: str, todo: str, *, missing: bool = False) -> Point:
    state: State = "missing" if missing else "wrong"
    return Point(key=key, what=_WHAT[key], state=state, found=found, why=why, todo=todo)


def _secret(own: Section, settings: PbxSettings) -> Point:
    key, secret = "conf.secret", own.last("secret")
    why = "cti cannot log in"
    if not secret:
        todo = "make one with: openssl rand -hex 24; then `manager reload`"
        return _bad(key, "none is set", why, todo, missing=True)
    if secret != settings.read_secret():
        return _bad(
            key,
            "another one than in cti's settings",
            why,
            "write the same secret into manager.conf and cti's secret_file; `manager reload`",
        )
    if len(secret) < 40 and any(word in secret.lower() for word in PLACEHOLDERS):
        found = "it looks like a placeholder"
        why = "whoever guesses it can dial at your cost, hear who calls, and end calls"
        return _bad(key, found, why, "make one with: openssl rand -hex 24; then `manager reload`")
    return replace(asked.secret(len(secret)), key=key, what=_WHAT[key])


def _acl(own: Section, general: Section) -> Point:
    key = "conf.acl"
    why = "whoever learns the secret can dial at your cost from there"
    todo = "manager.conf: deny = 0.0.0.0/0.0.0.0, then permit = the address of cti's machine"
    if names := own.all("acl"):
        shown = clean(", ".join(names), 60)
        return unseen(key, _WHAT[key], f"by acl.conf ({shown}): not judged")
    denied = [net for text in own.all("deny") if (net := _network(text))]
    if not any(net.prefixlen == 0 for net in denied):
        return _bad(key, "no address is denied", why, todo, missing=True)
    if ":" in general.last("bindaddr") and not any(net.version == 6 for net in denied):
        return _bad(key, "no IPv6 address is denied", why, f"{todo}; and deny = ::/0")
    permitted = own.all("permit")
    nets = [_network(text) for text in permitted]
    if any(net is None or net.prefixlen < WIDEST[net.version] for net in nets):
        shown = clean(", ".join(permitted), 80)
        return _bad(key, f"permits whole networks: {shown}", why, todo)
    return good(key, _WHAT[key], f"permits {clean(', '.join(permitted), 80) or 'nobody'}")


def _network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    try:
        return ipaddress.ip_network(text.strip(), strict=False)
    except ValueError:
        return None


def _classes(text: str) -> set[str]:
    return {word.strip().lower() for word in text.split(",") if word.strip()}


def _read(own: Section) -> list[Point]:
    """Judge the classes that are read. The same keys as what is heard."""
    has = _classes(own.last("read"))
    found = [
        good(f"read.{name}", f"class {name}", "in manager.conf")
        if has & {name, "all"}
        else Point(
            key=f"read.{name}",
            what=f"class {name}",
            state="missing",
            found="not in manager.conf",
            why=needed.brings,
            todo=f"manager.conf: add `{name}` to read, then `manager reload`",
        )
        for name, needed in NEEDED.items()
    ]
    more = sorted(has - set(NEEDED))
    if not more:
        return [*found, good("read.more", "no other class", "none in manager.conf")]
    costs = [
        f"{name}: {COSTS.get(name, 'events that nobody reads')}"
        for name in ([*COSTS] if "all" in more else more)
    ]
    return [
        *found,
        Point(
            key="read.more",
            what="no other class",
            state="wrong",
            found=f"manager.conf has {clean(', '.join(more), 80)} besides",
            why="costs, of " + "; of ".join(costs[:3]),
            todo="manager.conf: read = system,call,agent,user, then `manager reload`",
        ),
    ]


def _write(own: Section) -> Point:
    key, has = "conf.write", _classes(own.last("write"))
    todo = "manager.conf: write = originate,call,agent,reporting, then `manager reload`"
    if more := sorted(has - set(WRITE)):
        dangers = [why for name, _, why in asked.FORBIDDEN if name in more or "all" in more]
        why = dangers[0] if dangers else "cti does not need it; whoever has the secret may use it"
        return _bad(key, f"has {clean(', '.join(more), 80)} besides", why, todo)
    if lost := [name for name in WRITE if name not in has]:
        why = "; ".join(WRITE[name] for name in lost)
        return _bad(key, f"lacks {', '.join(lost)}", why, todo, missing=True)
    return good(key, _WHAT[key], ",".join(WRITE))


def _write_timeout(own: Section) -> Point:
    key, text = "conf.writetimeout", own.last("writetimeout")
    ms = int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 100
    if ms >= WRITE_TIMEOUT_MS:
        return good(key, _WHAT[key], f"{ms} ms")
    return _bad(
        key,
        f"{ms} ms" if text else f"{ms} ms, by default",
        "a busy moment on either side cuts the link; what was said meanwhile is not repeated",
        f"manager.conf: writetimeout = {WRITE_TIMEOUT_MS} in the account, then `manager reload`",
    )


def _two(own: Section, general: Section) -> Point:
    key, what = "link.two", "two sessions at once"
    if own.on("allowmultiplelogin", general.on("allowmultiplelogin", True)):
        return good(key, what, "allowed in manager.conf")
    return Point(
        key=key,
        what=what,
        state="wrong",
        found="allowmultiplelogin = no in manager.conf",
        why=asked.ONE_SESSION,
        todo="manager.conf: allowmultiplelogin = yes in the account itself, then `manager reload`",
    )


def _channelvars(general: Section) -> Point:
    key, what = "read.channelvars", "channelvars"
    names = {word.strip() for text in general.all("channelvars")[-1:] for word in text.split(",")}
    if "MIXMONITOR_FILENAME" in names:
        return good(key, what, "MIXMONITOR_FILENAME, in manager.conf")
    return Point(
        key=key,
        what=what,
        state="missing",
        found="no MIXMONITOR_FILENAME in manager.conf",
        why="recordings are matched to calls by time alone",
        todo="manager.conf: channelvars = MIXMONITOR_FILENAME in [general], then `manager reload`",
    )


def _bindaddr(general: Section) -> Point:
    key = "conf.bindaddr"
    bound = general.last("bindaddr", "0.0.0.0")  # noqa: S104  judged, not bound
    shown = clean(bound, 60)
    if general.on("tlsenable") or asked.is_near(bound, unspecified=False):
        return good(key, _WHAT[key], f"{shown}{', TLS' if general.on('tlsenable') else ''}")
    return _bad(
        key,
        f"{shown}, without TLS",
        "anybody who reaches the machine may try passwords, and read along",
        "manager.conf: bindaddr = 127.0.0.1 or an address of a private network; else tlsenable",
    )


def _others(manager: Conf, name: str) -> Point:
    key = "conf.others"
    forgers = [
        section.name
        for section in manager.real("general", name)
        if section.last("secret") and _classes(section.last("write")) & {"user", "all"}
    ]
    if not forgers:
        return good(key, _WHAT[key], "none may send user events")
    return _bad(
        key,
        f"may send user events: {clean(', '.join(forgers), 120)}",
        "they can forge the guard's word that an attempt was dialled, or was not",
        "manager.conf: take `user` (or `all`) from their write",
    )


def _filters(own: Section) -> Point:
    key, count = "conf.eventfilter", sum(name.startswith("eventfilter") for name, _ in own.lines)
    if count:
        return unseen(key, _WHAT[key], f"{count} filters: not judged; see that no call is hidden")
    return good(key, _WHAT[key], "none")
