"""Who is it that calls? One normal form of every number, and what a customer is. Pure."""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Literal

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumberFormat, PhoneNumberType

RAW_LIMIT: Final = 128
DIGITS_LIMIT: Final = 32

LIMITS: Final[Mapping[str, int]] = {
    "external_id": 64,
    "name": 120,
    "tier": 32,
    "company": 120,
    "area": 80,
    "note": 2000,
}
"""The longest text of each field."""
PHONES_LIMIT: Final = 20
WRITTEN_LIMIT: Final = 64
CARE_FLAGS_LIMIT: Final = 10
CARE_FLAG_LIMIT: Final = 32
_YES: Final = frozenset({"1", "yes", "y", "true", "x", "是", "对", "對"})
_NO: Final = frozenset({"", "0", "no", "n", "false", "否"})

Kind = Literal["number", "extension", "anonymous", "unknown"]

_ANONYMOUS: Final = frozenset(
    {
        "anonymous",
        "restricted",
        "private",
        "withheld",
        "blocked",
        "hidden",
        "匿名",
        "保密",
        "隐藏",
        "隱藏",
    }
)
_DROPPED = re.compile(r"[\s().\[\]\-‐-―−~·•'\"=]+")
_TRAILER = re.compile(
    r"(?:[;,@]|(?<=[\d\s)])(?:ext(?:ension)?|x)[.:\s]*(?=\d)|转|轉|分机|分機|内线|內線).*$",
    re.I | re.S,
)
_INNER = re.compile(r"(.*\d)-\d{1,6}", re.S)
"""A switchboard's number with an extension behind a dash: 021-62345678-802."""
_SCHEME = re.compile(r"^(?:sips?|tel):", re.I)
_DIALLED = re.compile(r"\+?[0-9]+")
_FEATURE = re.compile(r"[*#][0-9*#]{1,15}")
_SCIENTIFIC = re.compile(r"\d(?:[.,]\d+)?[eE]\+\d+")
_DIRECTIONS: Final = frozenset(
    "\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff"
)
_SHORT: Final = range(3, 7)
_LOCAL: Final = 8
"""No subscriber number without its area code is longer, where area codes are dialled with 0."""


@dataclass(frozen=True, slots=True)
class Number:
    """A number as it came, as we look it up, and as people read it.

    `normal` is E.164 (`+8613800138000`), or the bare digits of what is no full number
    (extensions, service codes, local numbers, invalid ones); None when there is no number.
    """

    kind: Kind
    raw: str
    normal: str | None = None
    shown: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Customer:
    """Somebody who calls. `phones` are normal forms, the first is the main one."""

    id: str
    name: str
    external_id: str = ""
    """Its id in the house's own records; empty: none."""
    tier: str = ""
    company: str = ""
    phones: tuple[str, ...] = ()
    area: str = ""
    note: str = ""
    care_flags: tuple[str, ...] = ()
    do_not_call: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What somebody, or a line of a file, says about one customer; checked.

    A field that is None was not said, and stays as it is kept. `phones` are normal form and
    number as written.
    """

    name: str
    external_id: str = ""
    phones: tuple[tuple[str, str], ...] | None = None
    tier: str | None = None
    company: str | None = None
    area: str | None = None
    note: str | None = None
    care_flags: tuple[str, ...] | None = None
    do_not_call: bool | None = None


def read_entry(said: Mapping[str, str], region: str) -> tuple[Entry | None, list[str]]:
    """Read the fields of a customer; give the entry, or every reason why it is none.

    Fields: those of `Entry`; phones and care flags are parted by `;` or `/`. Control
    characters become blanks; nothing is cut short silently.
    """
    reasons: list[str] = []
    texts = {
        field: _text(field, said[field], limit, reasons)
        for field, limit in LIMITS.items()
        if field in said
    }
    phones = _phones(said["phones"], region, reasons) if "phones" in said else None
    flags = _flags(said["care_flags"], reasons) if "care_flags" in said else None
    mark = _mark(said["do_not_call"], reasons) if "do_not_call" in said else None
    if not texts.get("name"):
        reasons.append("it has no name")
    if not texts.get("external_id") and not phones and not reasons:
        reasons.append("it has neither external_id nor phone: nothing tells it apart")
    if reasons:
        return None, reasons
    texts.setdefault("external_id", "")
    return Entry(**texts, phones=phones, care_flags=flags, do_not_call=mark), []


def _clean(text: str) -> str:
    if not text.isprintable():
        text = "".join(
            " " if unicodedata.category(sign) in ("Cc", "Zl", "Zp") else sign
            for sign in text
            if unicodedata.category(sign) != "Cs" and sign not in _DIRECTIONS
        )
    return " ".join(text.split())


def _text(field: str, text: str, limit: int, reasons: list[str]) -> str:
    text = _clean(text)
    if len(text) > limit:
        reasons.append(f"{field} is longer than {limit} characters")
    return text


def _parts(text: str) -> list[str]:
    return [part.strip() for part in re.split(r"[;/；]", _clean(text)) if part.strip()]


def _phones(text: str, region: str, reasons: list[str]) -> tuple[tuple[str, str], ...]:
    found: dict[str, str] = {}
    for written in _parts(text):
        number = normal(written, region)
        if _SCIENTIFIC.fullmatch(written):
            reasons.append(
                f"phone {written!r} was spoilt by a spreadsheet: format the column as text"
            )
        elif number.normal is None or len(written) > WRITTEN_LIMIT:
            reasons.append(f"phone {written[:WRITTEN_LIMIT]!r} is no number")
        else:
            found.setdefault(number.normal, written)
    if len(found) > PHONES_LIMIT:
        reasons.append(f"it has more than {PHONES_LIMIT} phones")
    return tuple(found.items())


def _flags(text: str, reasons: list[str]) -> tuple[str, ...]:
    flags = tuple(dict.fromkeys(_parts(text)))
    if len(flags) > CARE_FLAGS_LIMIT or any(len(flag) > CARE_FLAG_LIMIT for flag in flags):
        reasons.append(
            f"care_flags holds at most {CARE_FLAGS_LIMIT} words of {CARE_FLAG_LIMIT} characters"
        )
    return flags


def _mark(text: str, reasons: list[str]) -> bool:
    word = text.strip().casefold()
    if word not in _YES | _NO:
        reasons.append(f"do_not_call is {text.strip()[:20]!r}: write yes or no")
    return word in _YES


def normal(raw: str | None, region: str) -> Number:
    """Read a number as callers, trunks, people and spreadsheets write it.

    `region` is the house's country (`CN`, `TW`), for numbers without country code. Never
    raises; the normal form of a normal form is itself.
    """
    return _normal((raw or "")[:RAW_LIMIT], region)


@lru_cache(maxsize=16_384)
def _normal(raw: str, region: str) -> Number:
    text = unicodedata.normalize("NFKC", raw)
    text = "".join(sign for sign in text if unicodedata.category(sign) not in ("Cc", "Cf", "Cs"))
    text = _SCHEME.sub("", text.strip().strip("<>"))
    body = _DROPPED.sub("", _TRAILER.sub("", text))
    if body.casefold() in _ANONYMOUS:
        return Number("anonymous", raw)
    if not body.isascii():
        body = "".join(_digit(sign) for sign in body)
    if _DIALLED.fullmatch(body):
        return _dialled(raw, body, region, text)
    if _FEATURE.fullmatch(body):
        return Number("extension", raw, body, body)
    shown = "".join(sign for sign in text if sign.isprintable()).strip()
    return Number("unknown", raw, None, "" if _is_nobody(text) else shown)


def _digit(sign: str) -> str:
    value = unicodedata.decimal(sign, None)
    return sign if value is None else str(value)


def _is_nobody(text: str) -> bool:
    return text.casefold() in ("unknown", "unavailable", "null", "none", "s", "未知", "-")


def _dialled(raw: str, body: str, region: str, written: str) -> Number:
    full = _full(body, region)
    if full is None and (inner := _INNER.fullmatch(written)):
        full = _full(_DROPPED.sub("", inner[1]), region)
    if full is not None:
        e164 = phonenumbers.format_number(full, PhoneNumberFormat.E164)
        return Number("number", raw, e164, _shown(full, region))
    digits = _digits(body, region)
    short = body == digits and len(digits) in _SHORT
    return Number("extension" if short else "number", raw, digits, digits)


def _full(text: str, region: str) -> phonenumbers.PhoneNumber | None:
    """Read a number that can be dialled from anywhere; None for any other."""
    if len(text) in _SHORT or len(text) > DIGITS_LIMIT:
        return None
    try:
        parsed = phonenumbers.parse(text, region)
    except NumberParseException:
        return None
    if not phonenumbers.is_valid_number(parsed) or _is_local(text, parsed, region):
        return None
    return parsed


def _is_local(text: str, parsed: phonenumbers.PhoneNumber, region: str) -> bool:
    # Eight digits in Taipei look like an area code and seven: only a leading 0 makes them that.
    prefix = phonenumbers.ndd_prefix_for_region(region, True) or ""
    return (
        prefix != ""
        and len(text) <= _LOCAL
        and not text.startswith((prefix, "+"))
        and phonenumbers.number_type(parsed)
        in (PhoneNumberType.FIXED_LINE, PhoneNumberType.FIXED_LINE_OR_MOBILE)
    )


def _digits(text: str, region: str) -> str:
    """Give the normal form of what is no full number.

    With the code of our own country it is known by its digits, as when dialled at home; with
    another code it keeps its plus, lest it be taken for a number of ours.
    """
    code = f"+{phonenumbers.country_code_for_region(region)}"
    rest = text.removeprefix(code)[:DIGITS_LIMIT]
    if text.startswith(code) and len(rest) > 2 and _full(rest, region) is None:
        return rest
    return text[: DIGITS_LIMIT + text.startswith("+")]


def _shown(full: phonenumbers.PhoneNumber, region: str) -> str:
    home = phonenumbers.country_code_for_region(region) == full.country_code
    form = PhoneNumberFormat.NATIONAL if home else PhoneNumberFormat.INTERNATIONAL
    return str(phonenumbers.format_number(full, form))
