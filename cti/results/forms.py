"""What does a return visit ask, and what does the agent say? Forms and scripts. Pure.

    form      fields in an order; the house's file `forms/NAME.toml`     CB-03, CB-33
    script    parts by step and branch, in languages: `scripts/NAME.md`  CB-20, CB-30, SCRIPT-06

Answers are kept as JSON: texts, true or false, lists of choices; a number as it is written, a
date as 2025-01-31. The file of a script, its languages and steps under headings:

    # en
    ## introduce
    This is {agent}, number {number}, of {house}.
    ## closing (dissatisfied)
    I am sorry, and I shall tell my supervisor today.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Final

from cti.house_visits import SEATED

LOCALES: Final = ("en", "zh-Hant", "zh-Hans")
TYPES: Final = ("satisfaction", "choice", "choices", "text", "number", "date", "flag", "seating")
"""What a field asks for; `choices` are any number of them, `flag` is yes or no; `seating` is what
became of a table that was booked, and is noted on the order."""
SATISFACTION: Final = ("satisfied", "neutral", "dissatisfied")
"""How content a customer is; also the branches of a script that follow from it (CB-30)."""
STEPS: Final = (
    "identify",
    "introduce",
    "convenient",
    "answer",
    "accepted",
    "not_accepted",
    "new_need",
    "follow_up",
    "questions",
    "closing",
)
"""The order of a proactive call: the nine steps of CB-20, and the closing phrase (INB-23)."""
VARIABLES: Final = (
    "customer",
    "title",
    "house",
    "agent",
    "number",
    "phone",
    "day",
    "department",
)
"""What a script may name in braces: the customer's name and title, the house, the agent and his
number, the house's telephone number, the day of the event, the department."""
TEXT_LIMIT: Final = 2000
NUMBER_LIMIT: Final = 20
SCRIPT_LIMIT: Final = 40_000
LINES_LIMIT: Final = 1000
UNTOLD: Final = "……"
"""Stands in a script for what is not known."""

_HEADING = re.compile(r"(#{1,2}) +(.*?) *")
_STEP = re.compile(r"([a-z_]+)(?: +\(([a-z][a-z0-9_]{0,31})\))?")
_VARIABLE = re.compile(r"\{([^{}]*)\}")

Labels = Mapping[str, str]
"""A text by language: all of `LOCALES`."""
Answer = str | bool | tuple[str, ...]
Answers = Mapping[str, Answer]
"""By the id of the field; what was not answered is not there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One of several answers."""

    id: str
    labels: Labels


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One question of a form."""

    id: str
    type: str
    labels: Labels
    required: bool = False
    choices: tuple[Choice, ...] = ()
    staff: str = ""
    """The role of the person whom the answer is about: it is his score (CB-STUDIO-08)."""
    event: str = ""
    """A date that the customer names is the day of this event of his (CB-STUDIO-09)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """What is asked and written down in a visit, in its order."""

    id: str
    labels: Labels
    fields: tuple[Field, ...]

    def field(self, name: str) -> Field | None:
        """Find a question by its id."""
        return next((one for one in self.fields if one.id == name), None)

    @property
    def seating(self) -> Field | None:
        """The question what became of a table, if it asks that."""
        return next((one for one in self.fields if one.type == "seating"), None)

    def asking(self, required: Iterable[str]) -> "Form":
        """Give the form with these fields required; those of `STANDARD` are added if need be.

        A form about a seating asks what it says, and nothing else (CB-REST-02).
        """
        if self.seating is not None:
            return self
        wanted = tuple(required)
        known = {one.id for one in self.fields}
        added = [STANDARD[name] for name in wanted if name not in known and name in STANDARD]
        fields = (*self.fields, *added)
        return replace(
            self,
            fields=tuple(
                replace(one, required=True) if one.id in wanted else one for one in fields
            ),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Wrong:
    """What is wrong with an answer: the field, and why (a code)."""

    field: str
    code: str  # required | choice | text | number | date


def _labels(en: str, hant: str, hans: str) -> Labels:
    return {"en": en, "zh-Hant": hant, "zh-Hans": hans}


CONTENT: Final = (
    Choice(id="satisfied", labels=_labels("satisfied", "滿意", "满意")),
    Choice(id="neutral", labels=_labels("neutral", "一般", "一般")),
    Choice(id="dissatisfied", labels=_labels("dissatisfied", "不滿意", "不满意")),
)
"""The choices of a field of the type `satisfaction`."""

STANDARD: Final[Mapping[str, Field]] = {
    one.id: one
    for one in (
        Field(
            id="satisfaction",
            type="satisfaction",
            labels=_labels("Satisfaction", "滿意度", "满意度"),
            choices=CONTENT,
        ),
        Field(
            id="opinion",
            type="text",
            labels=_labels("Opinions and suggestions", "意見與建議", "意见与建议"),
        ),
        Field(
            id="result",
            type="choice",
            labels=_labels("Result", "結果", "结果"),
            choices=(
                Choice(id="settled", labels=_labels("settled", "已解決", "已解决")),
                Choice(
                    id="promised", labels=_labels("answer promised", "已約定答覆", "已约定答复")
                ),
                Choice(id="passed_on", labels=_labels("passed on", "已轉交", "已转交")),
                Choice(id="nothing", labels=_labels("nothing to do", "無須處理", "无须处理")),
            ),
        ),
    )
}
"""Questions that every form can have: a record without them is not whole (CB-03, V9)."""
SEATING: Final = Field(
    id="seating",
    type="seating",
    labels=_labels("What became of the table", "入席情況", "入席情况"),
    required=True,
    choices=tuple(
        Choice(id=name, labels=labels)
        for name, labels in zip(
            SEATED,
            (
                _labels("seated", "已入席", "已入席"),
                _labels("comes later", "晚到", "晚到"),
                _labels("cancelled", "已取消", "已取消"),
                _labels("did not come", "未到", "未到"),
            ),
            strict=True,
        )
    ),
)
"""What is asked of a restaurant, then of its guest (CB-REST-02, ORDER-16)."""
PLAIN: Final = Form(
    id="",
    labels=_labels("Return visit", "回訪", "回访"),
    fields=tuple(STANDARD.values()),
)
"""What is asked where a rule names no form."""


def check(form: Form, said: Mapping[str, Sequence[str]]) -> tuple[Answers, tuple[Wrong, ...]]:
    """Read the answers to a form, as a page sends them; give them, and all that is wrong.

    A `flag` is yes if anything was sent for it. What belongs to no field is left out.
    """
    answers, wrong = dict[str, Answer](), list[Wrong]()
    for one in form.fields:
        texts = tuple(text.strip() for text in said.get(one.id, ()) if text.strip())
        answer, fault = _answer(one, texts)
        if fault:
            wrong.append(Wrong(field=one.id, code=fault))
        elif answer is not None:
            answers[one.id] = answer
    refused = {one.field for one in wrong}
    empty = (name for name in missing(form, answers) if name not in refused)
    return answers, (*wrong, *(Wrong(field=name, code="required") for name in empty))


def missing(form: Form, answers: Answers) -> tuple[str, ...]:
    """Give the required fields that have no answer: until then the visit is not done (V9)."""
    return tuple(one.id for one in form.fields if one.required and one.id not in answers)


def satisfaction(form: Form, answers: Answers) -> str | None:
    """Tell how content a customer is: the worst of all that he said about it."""
    said = [
        SATISFACTION.index(answer)
        for one in form.fields
        if one.type == "satisfaction"
        and isinstance(answer := answers.get(one.id), str)
        and answer in SATISFACTION
    ]
    return SATISFACTION[max(said)] if said else None


def at_restaurant(form: Form) -> Form:
    """Give what a restaurant is asked: the form's question what became of the table."""
    return Form(
        id="",
        labels=_labels("Asked at the restaurant", "向餐館查詢", "向餐馆查询"),
        fields=(form.seating or SEATING,),
    )


def seating(form: Form, answers: Answers) -> str:
    """Tell what became of the table; empty: that was not asked, or nobody knows it."""
    said = answers.get(form.seating.id) if form.seating else None
    return said if isinstance(said, str) else ""


def scores(
    form: Form, answers: Answers, staff: Mapping[str, str]
) -> tuple[tuple[str, str, str], ...]:
    """Give (role, person, score) of each person whom an answer is about and who is known."""
    return tuple(
        (one.staff, staff[one.staff], answer)
        for one in form.fields
        if one.staff in staff and isinstance(answer := answers.get(one.id), str)
    )


def _answer(one: Field, texts: tuple[str, ...]) -> tuple[Answer | None, str]:
    """Give the answer to one question, and what is wrong with it."""
    if one.type == "flag":
        return bool(texts), ""
    if not texts:
        return None, ""
    if one.type == "choices":
        known = [choice.id for choice in one.choices if choice.id in texts]
        return tuple(known), "" if len(known) == len(set(texts)) else "choice"
    text = texts[0]
    if one.type in ("satisfaction", "choice", "seating"):
        return text, "" if any(text == choice.id for choice in one.choices) else "choice"
    if one.type == "number":
        return text, "" if _is_number(text) else "number"
    if one.type == "date":
        return text, "" if _is_day(text) else "date"
    return text, "" if len(text) <= TEXT_LIMIT and "\0" not in text else "text"


def _is_number(text: str) -> bool:
    try:
        return len(text) <= NUMBER_LIMIT and Decimal(text).is_finite()
    except InvalidOperation:
        return False


def _is_day(text: str) -> bool:
    try:
        return len(text) == len("2025-01-31") and bool(date.fromisoformat(text))
    except ValueError:
        return False


# -- scripts


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What is said in one step, in one branch of it if it has any."""

    step: str
    branch: str = ""
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """What an agent says, by language; parts stand in the order of `STEPS`."""

    id: str
    parts: Mapping[str, tuple[Part, ...]] = field(default_factory=dict)

    def language(self, locale: str) -> str:
        """Name the language in which it is told to whoever reads another: that, or its first."""
        return locale if locale in self.parts else next(iter(self.parts), locale)

    def told(
        self, locale: str, facts: Mapping[str, str], content: str | None = None
    ) -> tuple[Part, ...]:
        """Give its parts in a language, or the first it has, with their variables filled in.

        `content` is how content the customer is (`SATISFACTION`): then the branches of the two
        others are left out. Branches of other names are for the agent to choose.
        """
        parts = self.parts.get(self.language(locale), ())
        return tuple(
            replace(part, text=_filled(part.text, facts))
            for part in parts
            if content is None or part.branch not in SATISFACTION or part.branch == content
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What is wrong with a script's file: the line, why (a code), and what stands there."""

    line: int
    code: str
    said: str


def read_script(name: str, text: str) -> tuple[Script, tuple[Fault, ...]]:
    """Read the file of a script; give it, and all that is wrong with it."""
    lines = text.replace("\r\n", "\n").split("\n")
    if len(text) > SCRIPT_LIMIT or len(lines) > LINES_LIMIT:
        return Script(id=name), (Fault(line=1, code="script_long", said=""),)
    reader = _Reader()
    for n, line in enumerate(lines, start=1):
        reader.take(n, line)
    parts, faults = reader.end()
    return Script(id=name, parts=parts), faults


class _Reader:
    """Reads a script line by line."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []
        self._found: dict[str, list[tuple[int, str, str, list[str]]]] = {}
        self._locale = ""
        self._open: list[str] | None = None

    def take(self, n: int, line: str) -> None:
        heading = _HEADING.fullmatch(line)
        if heading is None:
            self._text(n, line)
        elif heading[1] == "#":
            self._language(n, heading[2])
        else:
            self._step(n, heading[2])

    def _language(self, n: int, said: str) -> None:
        self._open = None
        self._locale = said
        if said not in LOCALES:
            self._wrong(n, "script_language", said)
        elif said in self._found:
            self._wrong(n, "script_twice", said)
        self._found.setdefault(said, [])

    def _step(self, n: int, said: str) -> None:
        match = _STEP.fullmatch(said)
        self._open = []
        if not self._locale:
            self._wrong(n, "script_no_language", said)
            return
        parts = self._found[self._locale]
        if match is None or match[1] not in STEPS:
            self._wrong(n, "script_step", said)
            return
        step, branch = match[1], match[2] or ""
        if parts and STEPS.index(step) < STEPS.index(parts[-1][1]):
            self._wrong(n, "script_order", said)
        if any((step, branch) == one[1:3] for one in parts):
            self._wrong(n, "script_twice", said)
        parts.append((n, step, branch, self._open))

    def _text(self, n: int, line: str) -> None:
        if self._open is not None:
            self._open.append(line.rstrip())
        elif line.strip():
            self._wrong(n, "script_outside", line)
        for name in _VARIABLE.findall(line):
            if name not in VARIABLES:
                self._wrong(n, "script_variable", name)

    def end(self) -> tuple[Mapping[str, tuple[Part, ...]], tuple[Fault, ...]]:
        found = {locale: tuple(self._parts(some)) for locale, some in self._found.items()}
        if not any(found.values()) and not self._faults:
            self._wrong(1, "script_empty", "")
        return found, tuple(self._faults)

    def _parts(self, some: Iterable[tuple[int, str, str, list[str]]]) -> Iterator[Part]:
        for n, step, branch, lines in some:
            text = "\n".join(lines).strip()
            if not text:
                self._wrong(n, "script_empty", step)
            yield Part(step=step, branch=branch, text=text)

    def _wrong(self, n: int, code: str, said: str) -> None:
        self._faults.append(Fault(line=n, code=code, said=said))


def spoken_day(day: date, locale: str) -> str:
    """Write a day as it is said: `7 March`, `3月7日`."""
    return f"{day.day} {day:%B}" if locale == "en" else f"{day.month}月{day.day}日"


def _filled(text: str, facts: Mapping[str, str]) -> str:
    return _VARIABLE.sub(lambda found: facts.get(found[1]) or UNTOLD, text)
