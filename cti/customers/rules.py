"""Who is it that calls? One normal form of every number, and what a customer is. Pure."""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, time
from functools import lru_cache
from typing import Any, Final, Literal
from zoneinfo import ZoneInfo

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumberFormat, PhoneNumberType

from cti.calendar import Span
from cti.house import CustomerRules
from cti.people.rules import Person, Right

RAW_LIMIT: Final = 128
DIGITS_LIMIT: Final = 32

LIMITS: Final[Mapping[str, int]] = {
    "external_id": 64,
    "name": 120,
    "tier": 32,
    "company": 120,
    "area": 80,
    "note": 2000,
    "title": 32,
    "email": 254,
    "member_no": 64,
    "zone": 64,
}
"""The longest text of each field."""
PHONES_LIMIT: Final = 20
WRITTEN_LIMIT: Final = 64
CARE_FLAGS_LIMIT: Final = 10
CARE_FLAG_LIMIT: Final = 32
MARKS: Final = ("do_not_call", "do_not_sms", "merchant")
"""Fields that are yes or no."""
CONSENTS: Final = ("service", "care", "marketing")
"""To what a customer says yes or no (requirement 21.6)."""
HOURS_LIMIT: Final = 4
SPREAD: Final = 10_000
"""Customers are spread over a cycle by a number below this that stays."""
_YES: Final = frozenset({"1", "yes", "y", "true", "x", "是", "对", "對"})
_NO: Final = frozenset({"", "0", "no", "n", "false", "否"})
MARKS_SAID: Final[Mapping[str, bool]] = {word: word in _YES for word in _YES | _NO}
"""How yes and no are written."""

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
_EMAIL = re.compile(r"[^@\s]{1,64}@[^@\s]{1,189}")
_BIRTHDAY = re.compile(
    r"(?P<lunar>(?:lunar|农历|農曆)\s*)?(?:(?P<year>(?:19|20)\d\d)-)?(?P<month>\d\d)-(?P<day>\d\d)"
)
_SPAN = re.compile(r"([0-9:]{5})\s*[-–]\s*([0-9:]{5})")
_CLOCK = re.compile(r"[0-9]{2}:[0-9]{2}")
_LEAP_YEAR: Final = 2000
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
class Birthday:
    """When somebody was born; the year may be unknown, the calendar the lunar one."""

    month: int
    day: int
    year: int | None = None
    lunar: bool = False


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
    title: str = ""
    email: str = ""
    birthday: Birthday | None = None
    owner: str = ""
    """The person who looks after him, by our id; empty: nobody."""
    member_no: str = ""
    member_since: date | None = None
    consent: Mapping[str, bool] = field(default_factory=dict)
    """To which classes of calls he said yes or no."""
    do_not_sms: bool = False
    hours: tuple[Span, ...] = ()
    """When he likes to be called, by his own clock; none: he did not say."""
    zone: str = ""
    """His time zone; empty: the house's."""
    merchant: bool = False
    """A restaurant: it has its own quiet times."""
    spread: int = 0
    """His place in every cycle."""

    @property
    def is_member(self) -> bool:
        """Whether he is a member: with a number, or since a day."""
        return bool(self.member_no or self.member_since)


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
    title: str | None = None
    email: str | None = None
    birthday: Birthday | None = None
    owner: str | None = None
    member_no: str | None = None
    member_since: date | None = None
    consent: Mapping[str, bool] | None = None
    do_not_sms: bool | None = None
    hours: tuple[Span, ...] | None = None
    zone: str | None = None
    merchant: bool | None = None


def read_entry(
    said: Mapping[str, str],
    region: str,
    owners: Mapping[str, str] | None = None,
    rules: CustomerRules | None = None,
) -> tuple[Entry | None, list[str]]:
    """Read the fields of a customer; give the entry, or every reason why it is none.

    Fields: those of `Entry`; phones and care flags are parted by `;` or `/`. A birthday is
    1980-05-01 or 05-01, with `lunar` before it one of the lunar calendar; hours are 09:00-12:00,
    consent is marketing=no, both parted by `;`; the owner is a person's number, of which `owners`
    gives the ids. The tier is one of the house's, by id or name, care flags are those of the
    house; without `rules` those of the reference. Control characters become blanks; nothing is
    cut short silently.
    """
    reasons: list[str] = []
    texts = {
        field: _text(field, said[field], limit, reasons)
        for field, limit in LIMITS.items()
        if field in said
    }
    phones = _phones(said["phones"], region, reasons) if "phones" in said else None
    rules = rules or CustomerRules()
    flags = _flags(said["care_flags"], rules, reasons) if "care_flags" in said else None
    more: dict[str, Any] = {
        name: _mark(name, said[name], reasons) for name in MARKS if name in said
    }
    more |= {
        name: read(said[name], reasons)
        for name, read in _READ.items()
        if said.get(name, "").strip()
    }
    if "owner" in said:
        more["owner"] = _owner(said["owner"], owners or {}, reasons)
    if texts.get("tier"):
        texts["tier"] = _tier(texts["tier"], rules, reasons)
    _check_texts(texts, reasons)
    if not texts.get("name"):
        reasons.append("it has no name")
    if not texts.get("external_id") and not phones and not reasons:
        reasons.append("it has neither external_id nor phone: nothing tells it apart")
    if reasons:
        return None, reasons
    more |= {"external_id": "", **texts}
    return Entry(**more, phones=phones, care_flags=flags), []


def clean(text: str) -> str:
    """Give a text without control characters, in one line."""
    if not text.isprintable():
        text = "".join(
            " " if unicodedata.category(sign) in ("Cc", "Zl", "Zp") else sign
            for sign in text
            if unicodedata.category(sign) != "Cs" and sign not in _DIRECTIONS
        )
    return " ".join(text.split())


def _text(field: str, text: str, limit: int, reasons: list[str]) -> str:
    text = clean(text)
    if len(text) > limit:
        reasons.append(f"{field} is longer than {limit} characters")
    return text


def _parts(text: str) -> list[str]:
    return [part.strip() for part in re.split(r"[;/；]", clean(text)) if part.strip()]


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


def _tier(said: str, rules: CustomerRules, reasons: list[str]) -> str:
    found = rules.tier(said)
    if found is None:
        known = ", ".join(rules.tiers) or "there are none"
        reasons.append(f"tier {said[:32]!r} is none of the house's: {known}")
    return found or ""


def _flags(text: str, rules: CustomerRules, reasons: list[str]) -> tuple[str, ...]:
    known = {flag.casefold(): flag for flag in rules.care_flags}
    flags = tuple(dict.fromkeys(known.get(one.casefold(), one) for one in _parts(text)))
    strange = [flag for flag in flags if flag not in rules.care_flags]
    reasons += [
        f"care flag {flag[:32]!r} is none of the house's: "
        f"{', '.join(rules.care_flags) or 'there are none'}"
        for flag in strange
    ]
    if len(flags) > CARE_FLAGS_LIMIT or any(len(flag) > CARE_FLAG_LIMIT for flag in flags):
        reasons.append(
            f"care_flags holds at most {CARE_FLAGS_LIMIT} words of {CARE_FLAG_LIMIT} characters"
        )
    return flags


def _mark(name: str, text: str, reasons: list[str]) -> bool:
    word = text.strip().casefold()
    if word not in _YES | _NO:
        reasons.append(f"{name} is {text.strip()[:20]!r}: write yes or no")
    return word in _YES


def _check_texts(texts: Mapping[str, str], reasons: list[str]) -> None:
    email, zone = texts.get("email", ""), texts.get("zone", "")
    if email and not _EMAIL.fullmatch(email):
        reasons.append(f"email {email[:40]!r} is no address")
    if zone and not is_zone(zone):
        reasons.append(f"zone {zone[:40]!r} is no time zone as Asia/Taipei")


@lru_cache(maxsize=256)
def is_zone(text: str) -> bool:
    """Tell whether a text names a time zone."""
    try:
        return bool(ZoneInfo(text).key)
    except (KeyError, ValueError, OSError):  # a name that is a folder, or none at all
        return False


def _owner(text: str, owners: Mapping[str, str], reasons: list[str]) -> str:
    number = text.strip()
    if number and number not in owners:
        reasons.append(f"owner {number[:32]!r} is nobody's number")
    return owners.get(number, "")


def _birthday(text: str, reasons: list[str]) -> Birthday | None:
    found = _BIRTHDAY.fullmatch(text.strip())
    if found is None:
        reasons.append(
            f"birthday is {text.strip()[:20]!r}: write 1980-05-01 or 05-01, or lunar 05-01"
        )
        return None
    lunar, year = bool(found["lunar"]), int(found["year"]) if found["year"] else None
    month, day = int(found["month"]), int(found["day"])
    if not _is_day(year, month, day, lunar=lunar):
        reasons.append(f"birthday {text.strip()[:20]!r} is no day")
        return None
    return Birthday(month=month, day=day, year=year, lunar=lunar)


def _is_day(year: int | None, month: int, day: int, *, lunar: bool) -> bool:
    if lunar:
        return 1 <= month <= 12 and 1 <= day <= 30
    try:
        return bool(date(year or _LEAP_YEAR, month, day))
    except ValueError:
        return False


def _since(text: str, reasons: list[str]) -> date | None:
    found = read_day(text)
    if found is None:
        reasons.append(f"member_since is {text.strip()[:20]!r}: write 2020-05-01")
    return found


def read_day(text: str) -> date | None:
    """Read a day as 2025-03-07; None if it is none."""
    try:
        return date.fromisoformat(text.strip()) if len(text.strip()) == 10 else None
    except ValueError:
        return None


def _hours(text: str, reasons: list[str]) -> tuple[Span, ...]:
    found = list[Span]()
    for part in _parts(text):
        match = _SPAN.fullmatch(part)
        span = (read_time(match[1]), read_time(match[2])) if match else (None, None)
        if span[0] is None or span[1] is None or span[0] >= span[1]:
            reasons.append(f"hours {part[:20]!r} are none as 09:00-12:00")
        else:
            found.append((span[0], span[1]))
    if len(found) > HOURS_LIMIT:
        reasons.append(f"it has more than {HOURS_LIMIT} preferred hours")
    return tuple(sorted(found))


def read_time(text: str) -> time | None:
    """Read a time of day as 09:30; None if it is none."""
    try:
        return time.fromisoformat(text) if _CLOCK.fullmatch(text) else None
    except ValueError:
        return None


def _consent(text: str, reasons: list[str]) -> Mapping[str, bool]:
    found = dict[str, bool]()
    for part in _parts(text):
        name, _, word = part.partition("=")
        name, word = name.strip().casefold(), word.strip().casefold()
        if name not in CONSENTS or not word or word not in _YES | _NO:
            reasons.append(f"consent {part[:30]!r} is none as marketing=no")
        else:
            found[name] = word in _YES
    return found


_READ: Final = {
    "birthday": _birthday,
    "member_since": _since,
    "hours": _hours,
    "consent": _consent,
}
"""How fields that are no plain texts are read; an empty one says nothing."""


def masked(number: str) -> str:
    """Hide the middle of a number as people read it: 138 **** 8000.

    The last four figures stay, the four before them go; of a short one only the last two stay.
    """
    places = [n for n, sign in enumerate(number) if sign.isdigit()]
    kept = 4 if len(places) > _SHORT.stop - 1 else 2
    hidden = set(places[-kept - 4 : -kept] if len(places) > kept else ())
    return "".join("*" if n in hidden else sign for n, sign in enumerate(number))


def seen_by(person: Person, number: str, rules: CustomerRules, *, at_work: bool = False) -> str:
    """Give a customer's number as somebody may see it (CUST-13).

    `at_work`: he is the one who works with this customer now.
    """
    whole = at_work or not rules.mask_numbers or person.may(Right.REVIEW)
    return number if whole else masked(number)


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
