"""Which forms and scripts do the rules name, and what do they say?

They stand beside the house file, in `forms/NAME.toml` and `scripts/NAME.md`; what is not there
is taken from those that come with the program. Their content belongs to the version of the rules.
"""

import tomllib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from cti import shipped
from cti.customers.events import ROLE
from cti.house import House
from cti.house_file.keys import Keys, Reading, show
from cti.house_file.visits import NAME, PATH
from cti.house_visits import EVENTS, RULES
from cti.results.forms import (
    CONTENT,
    LOCALES,
    SEATING,
    STANDARD,
    TYPES,
    Choice,
    Field,
    Form,
    Labels,
    Script,
    read_script,
)

SIZE_LIMIT: Final = 200_000
FIELDS: Final = 50
CHOICES: Final = 50
LABEL_LIMIT: Final = 120
_FIELD: Final = '[[fields]] with id = "room", type = "satisfaction", en = "How was the room?"'
_CHOICE: Final = '{ id = "price", en = "too dear" }'


def named(tables: Mapping[str, Any]) -> Iterator[str]:
    """Give the files of forms and scripts that a house file names, and the reference's."""
    visits = _table(tables.get("visits"))
    rules = visits.get("rules")
    rows = [_table(one) for one in rules] if isinstance(rules, list) else []
    defaults = _table(visits.get("rule_defaults"))
    forms = [row.get("form") for row in rows] + [rule.form for rule in RULES.values()]
    scripts = [one.get("script") for one in (visits, defaults, *rows)]
    for form in forms:
        if isinstance(form, str) and NAME.fullmatch(form):
            yield form_file(form)
    for script in scripts:
        if isinstance(script, str) and PATH.fullmatch(script):
            yield script_file(script)


def form_file(name: str) -> str:
    """Give where a form stands beside the house file."""
    return f"forms/{name}.toml"


def script_file(name: str) -> str:
    """Give where a script stands beside the house file."""
    return f"scripts/{name}.md"


def content(name: str, beside: Path | None = None) -> bytes | None:
    """Give the content of a file: beside a house file, or as shipped; None if there is none."""
    folders = [] if beside is None else [beside]
    for folder in (*folders, shipped.config() / "houses"):
        try:
            with (folder / name).open("rb") as file:
                return file.read(SIZE_LIMIT + 1)
        except OSError:
            continue
    return None


def read_texts(
    reading: Reading, house: House, texts: Mapping[str, bytes]
) -> tuple[Mapping[str, Form], Mapping[str, Script]]:
    """Give the forms and scripts of a house's rules; what is wrong is noted."""
    forms, scripts = dict[str, Form](), dict[str, Script]()
    rules = house.visits.rules
    wanted = [(f"visits.rules.{one.id}.form", one.form) for one in rules.values() if one.form]
    for key, name in wanted:
        _take(reading, key, name, forms, _form, form_file, texts)
    for one in RULES.values():
        if one.form:
            _take(reading, "visits.rules", one.form, forms, _form, form_file, texts)
    wanted = [(f"visits.rules.{one.id}.script", one.script) for one in rules.values()]
    for key, name in [("visits.script", house.visits.script), *wanted]:
        if name:
            _take(reading, key, name, scripts, _script, script_file, texts)
    _refuse_unasked(reading, house, forms)
    return forms, scripts


def _take(
    reading: Reading,
    key: str,
    name: str,
    found: dict[str, Any],
    read: Callable[[Reading, str, str], Any],
    file_of: Callable[[str], str],
    texts: Mapping[str, bytes],
) -> None:
    """Read one file, once; note that it is not there, and what is wrong with it."""
    if name in found:
        return
    file = file_of(name)
    said = texts.get(file)
    said = content(file) if said is None else said
    if said is None:
        reading.wrong(key, "no_text", file=file)
        return
    inner = Reading()
    try:
        if len(said) > SIZE_LIMIT:
            inner.wrong("", "large", most=SIZE_LIMIT)
        else:
            found[name] = read(inner, name, said.decode("utf-8-sig"))
    except UnicodeDecodeError as fault:
        inner.wrong("", "utf8", at=fault.start)
    for one in inner.findings:
        inside = f"{file}: {one.key.removeprefix('.')}" if one.key else file
        reading.wrong(inside, one.code, one.near, **one.facts)


def _refuse_unasked(reading: Reading, house: House, forms: Mapping[str, Form]) -> None:
    """Note what every record must say and a form does not ask."""
    for name in house.visits.required:
        if name in STANDARD:
            continue
        used = [forms[one.form] for one in house.visits.rules.values() if one.form in forms]
        lacking = [form.id for form in used if not (form.field(name) or form.seating)]
        if lacking or not used:
            facts = {"said": show(name), "forms": ", ".join(lacking)}
            reading.wrong("visits.required", "no_field", **facts)


def _form(reading: Reading, name: str, text: str) -> Form:
    try:
        tables = tomllib.loads(text)
    except RecursionError:
        tables = {}
        reading.wrong("", "deep")
    except ValueError as fault:
        tables = {}
        reading.wrong("", "toml", fault=str(fault))
    keys = Keys(reading, "", tables)
    fields = dict[str, Field]()
    if tables:
        for inner in keys.tables("fields", _FIELD) or ():
            one = _field(inner)
            if one.id in fields:
                inner.wrong("id", "twice", said=show(one.id))
            fields[one.id] = one
        if not 0 < len(fields) <= FIELDS:
            keys.wrong("fields", "no_fields", most=FIELDS)
    form = Form(
        id=name,
        labels=_labels(keys) if tables else dict.fromkeys(LOCALES, name),
        fields=tuple(fields.values()),
    )
    keys.refuse_unknown()
    return form


def _field(keys: Keys) -> Field:
    name = keys.id("id")
    standard = SEATING if name == SEATING.id else STANDARD.get(name)
    kind = keys.one_of("type", standard.type if standard else None, TYPES)
    found = Field(
        id=name,
        type=kind,
        labels=_labels(keys, standard.labels if standard else None),
        required=keys.flag("required", default=False),
        choices=_choices(keys, kind, standard),
        staff=keys.text("staff", "", _is_role, "role"),
        event=keys.one_of("event", "", ("", *EVENTS)),
    )
    if found.staff and kind != "satisfaction":
        keys.wrong("staff", "staff_satisfaction")
    if found.event and kind != "date":
        keys.wrong("event", "event_date")
    keys.refuse_unknown()
    return found


def _is_role(text: str) -> bool:
    return not text or ROLE.fullmatch(text) is not None


def _choices(keys: Keys, kind: str, standard: Field | None) -> tuple[Choice, ...]:
    found = dict[str, Choice]()
    for inner in keys.tables("choices", _CHOICE) or ():
        name = inner.id("id")
        if name in found:
            inner.wrong("id", "twice", said=show(name))
        found[name] = Choice(id=name, labels=_labels(inner))
        inner.refuse_unknown()
    fixed = {"satisfaction": CONTENT, "seating": SEATING.choices}.get(kind)
    if fixed is not None:
        if found:
            keys.wrong("choices", "own_choices")
        return fixed
    if not found and standard and standard.type == kind:
        return standard.choices
    if kind in ("choice", "choices") and not 2 <= len(found) <= CHOICES:
        keys.wrong("choices", "few_choices", most=CHOICES)
    return tuple(found.values())


def _labels(keys: Keys, plain: Labels | None = None) -> Labels:
    """Read a text by language; a language that is not said is told in one that is."""
    said = {one: keys.line(one, (plain or {}).get(one, ""), LABEL_LIMIT) for one in LOCALES}
    first = next(filter(None, said.values()), "")
    if not first:
        keys.wrong("en", "required")
    return {one: label or first for one, label in said.items()}


def _script(reading: Reading, name: str, text: str) -> Script:
    script, faults = read_script(name, text)
    for fault in faults:
        reading.wrong("", fault.code, line=fault.line, said=show(fault.said))
    return script


def _table(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
