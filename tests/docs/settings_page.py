"""docs/settings.md and config/cti.toml, made from cti/settings.py."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, Literal, get_args, get_origin

from annotated_types import Ge, Gt, Le
from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from cti.settings import PbxSettings, Settings

ROOT: Final = Path(__file__).parents[2]
PAGE: Final = ROOT / "docs" / "settings.md"
TOML: Final = ROOT / "config" / "cti.toml"
PBX_VARIABLE: Final = "CTI_PBX"

_TOML_BEFORE = """\
# Every setting of cti at its default, made from cti/settings.py by `make docs`.
# Keep what you change; leave the rest out. An unknown key is an error.
# The environment wins over this file: CTI_WEB__PORT=8081. See docs/settings.md.
"""


def sections() -> Iterator[tuple[str, str, type[BaseModel]]]:
    """Give the sections: name as TOML writes it, what it is, its keys."""
    yield "", "What concerns all rooms.", Settings
    for name, field in Settings.model_fields.items():
        if kind := _section(field):
            yield f"[[{name}]]" if kind is PbxSettings else f"[{name}]", _first(kind), kind


def page() -> str:
    """Give what is made of docs/settings.md."""
    return "\n".join(line for name, what, kind in sections() for line in _table(name, what, kind))


def toml() -> str:
    """Give config/cti.toml."""
    lines = [_TOML_BEFORE]
    for name, what, kind in sections():
        if name:
            lines += [f"{name} # {what}"]
        for key, field in keys(kind):
            lines += [f"# {field.description}", f"{key} = {written(field)}"]
        lines += [""]
    return "\n".join(lines[:-1]) + "\n"


def keys(kind: type[BaseModel]) -> Iterator[tuple[str, FieldInfo]]:
    """Give the keys of a section; a section within is none."""
    return ((key, field) for key, field in kind.model_fields.items() if not _section(field))


def variable(name: str, key: str) -> str:
    """Name the environment variable of a key."""
    if name.startswith("[["):
        return PBX_VARIABLE
    section = name.strip("[]")
    return "CTI_" + (f"{section}__{key}" if section else key).upper()


def written(field: FieldInfo) -> str:
    """Write a default as TOML does."""
    value = field.get_default(call_default_factory=True)
    if isinstance(value, SecretStr):
        value = value.get_secret_value()
    return json.dumps("" if value is None else str(value) if isinstance(value, Path) else value)


def _table(name: str, what: str, kind: type[BaseModel]) -> Iterator[str]:
    yield f"## `{name}`" if name else "## At the top of the file"
    yield ""
    yield what
    if name.startswith("[["):
        yield "Write the section once for each PBX; each has its own `name`."
    yield ""
    yield "| key | default | may be | what it is | environment |"
    yield "|---|---|---|---|---|"
    for key, field in keys(kind):
        cells = (f"`{key}`", f"`{written(field)}`", may_be(field), field.description)
        yield f"| {' | '.join(map(str, cells))} | `{variable(name, key)}` |"
    yield ""


def may_be(field: FieldInfo) -> str:
    """Say which values a key takes, as far as its type says so."""
    if get_origin(field.annotation) is Literal:
        return ", ".join(f"`{one}`" for one in get_args(field.annotation))
    least = next((str(m.ge) for m in field.metadata if isinstance(m, Ge)), "")
    above = next((f"more than {m.gt}" for m in field.metadata if isinstance(m, Gt)), "")
    most = next((str(m.le) for m in field.metadata if isinstance(m, Le)), "")
    unit = " seconds" if field.annotation is float else ""
    if above and most:
        return f"{above}, up to {most}{unit}"
    if least and most:
        return f"{least} to {most}"
    pattern = next((m.pattern for m in field.metadata if getattr(m, "pattern", None)), None)
    if pattern:
        return f"`{pattern.strip('^$')}`"
    if "SecretStr" in str(field.annotation):
        return "text, never shown"
    return _KINDS.get(str(field.annotation), "text")


_KINDS: Final = {
    "<class 'bool'>": "true, false",
    "list[str]": "list of texts",
    "<class 'pathlib.Path'>": "path",
    "pathlib.Path | None": "path, or empty",
    "typing.Optional[pathlib.Path]": "path, or empty",
}


def _section(field: FieldInfo) -> type[BaseModel] | None:
    kinds: tuple[Any, ...] = (field.annotation, *get_args(field.annotation))
    return next((k for k in kinds if isinstance(k, type) and issubclass(k, BaseModel)), None)


def _first(kind: type[BaseModel]) -> str:
    return (kind.__doc__ or "").strip().splitlines()[0]
