"""What does each Asterisk find when it starts? A tree of its own, written afresh.

The PBX runs on the very files of `config/asterisk`: only what an operator must set there
(secret, systemname, addresses) is filled in. So whatever they promise is tested.
"""

import re
import secrets
import shutil
from dataclasses import dataclass, field
from pathlib import Path

from tests.pbx.lab.place import Place

HERE = Path(__file__).parent / "etc"
SHIPPED = Path(__file__).parents[3] / "config" / "asterisk"
PACKAGED = ("indications", "musiconhold", "codecs", "sorcery", "stasis", "udptl", "acl", "ccss")
FOLDERS = (
    "etc/cti",
    "run",
    "db",
    "log/cdr-custom",
    "log/cdr-csv",
    "log/cel-custom",
    "spool/monitor",
    "spool/tmp",
    "spool/voicemail",
    "spool/voices",
)
STAFF = range(6001, 6010)  # desk phones that the world plays; 6010 may register itself
REGISTERS = (
    "max_contacts = 1",
    "remove_existing = yes",
    "qualify_frequency = 1",
    "qualify_timeout = 0.5",
)
CROWD = range(6101, 6201)  # the 100 phones of the load queue, played by sip.py
CROWD_PORT = 5070


@dataclass(frozen=True, slots=True, kw_only=True)
class Secrets:
    """Made at each start; no account of the lab has a password that anybody knows."""

    cti: str = field(default_factory=lambda: secrets.token_hex(24))
    tracer: str = field(default_factory=lambda: secrets.token_hex(24))
    world: str = field(default_factory=lambda: secrets.token_hex(24))
    systemname: str = field(default_factory=lambda: secrets.token_hex(24))


def write_trees(root: Path, inside: str, place: Place, secret: Secrets) -> None:
    """Write both trees under `root`/`inside`; whatever was there goes."""
    shutil.rmtree(root / inside.lstrip("/"), ignore_errors=True)
    modules = next((root / "usr/lib").glob("*/asterisk/modules"))
    words = {
        "PBX": place.pbx,
        "CARRIER": place.carrier,
        "PHONES": place.phones,
        "WORLD_SECRET": secret.world,
        "MODULES": "/" + str(modules.relative_to(root)),
        "PHONES_OF_THE_HOUSE": _phones(place),
        "LOAD_MEMBERS": "\n".join(_member(number) for number in CROWD),
    }
    for side in ("pbx", "world"):
        tree = root / inside.lstrip("/") / side
        for folder in FOLDERS:
            (tree / folder).mkdir(parents=True)
        for name in PACKAGED:
            shutil.copy(root / f"etc/asterisk/{name}.conf", tree / "etc")
        own = {**words, "TREE": f"{inside}/{side}"}
        for source in (*HERE.glob("*.conf"), *(HERE / side).glob("*.conf")):
            _write(tree / "etc" / source.name, _fill(source.read_text(encoding="utf-8"), own))
        _records(tree)
    _ours(root / inside.lstrip("/") / "pbx/etc", place, secret)


def _records(tree: Path) -> None:
    """Let both sides write down what they saw in the same columns."""
    for name in ("cdr", "cdr_custom", "cel", "cel_custom"):
        target = tree / "etc" / f"{name}.conf"
        if not target.exists():
            shutil.copy(SHIPPED / f"{name}.conf", target)


def _ours(etc: Path, place: Place, secret: Secrets) -> None:
    """Fill in what the operator must, and add the lab's own account."""
    for name in ("queues", "extensions"):
        shutil.copy(SHIPPED / f"{name}.conf", etc / "cti")
    options = _set(_shipped("asterisk"), "systemname", secret.systemname)
    with (etc / "asterisk.conf").open("a", encoding="utf-8") as conf:
        conf.write(options)
    manager = _set(_shipped("manager"), "secret", secret.cti)
    lines = [
        manager,
        "[general](+)",
        f"bindaddr = {place.pbx}",
        "[tracer]",
        f"secret = {secret.tracer}",
        "read = all",
        "write = system,call,originate,reporting",
        "writetimeout = 5000",
        "",
    ]
    _write(etc / "manager.conf", "\n".join(lines))


def _shipped(name: str) -> str:
    return (SHIPPED / f"{name}.conf").read_text(encoding="utf-8")


def _set(text: str, key: str, value: str) -> str:
    """Set the one line that the shipped file leaves to the operator."""
    done, count = re.subn(rf"^;{key} =$", f"{key} = {value}", text, flags=re.MULTILINE)
    if count != 1:
        raise ValueError(f"config/asterisk: no line `;{key} =` to be set by the operator")
    return done


def _fill(text: str, words: dict[str, str]) -> str:
    for word, value in words.items():
        text = text.replace(f"@{word}@", value)
    return text


def _phones(place: Place) -> str:
    parts = [_phone(number, f"sip:{number}@{place.phones}:5060") for number in STAFF]
    parts.append(_phone(6010, None))
    parts += [_phone(number, f"sip:{number}@{place.phones}:{CROWD_PORT}") for number in CROWD]
    return "\n".join(parts)


def _phone(number: int, contact: str | None) -> str:
    lines = [
        f"[{number}](phone)",
        f"aors = {number}",
        f"callerid = Agent {number} <{number}>",
        f"[{number}]",
        "type = aor",
    ]
    return "\n".join([*lines, *([f"contact = {contact}"] if contact else REGISTERS), ""])


def _member(number: int) -> str:
    return f"member => PJSIP/{number},0,Agent {number},PJSIP/{number}"


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")
    path.chmod(0o600)
