"""What a form takes, and what a script says."""

from datetime import date

import pytest

from cti.results.forms import (
    CONTENT,
    LOCALES,
    PLAIN,
    STEPS,
    Choice,
    Fault,
    Field,
    Form,
    Part,
    Wrong,
    check,
    missing,
    read_script,
    satisfaction,
    scores,
    spoken_day,
)

SAME = dict.fromkeys(LOCALES, "?")
COLOURS = tuple(Choice(id=one, labels=SAME) for one in ("red", "green", "blue"))
WHOLE = Form(
    id="whole",
    labels=SAME,
    fields=(
        Field(id="photographer", type="satisfaction", labels=SAME, choices=CONTENT),
        Field(id="stylist", type="satisfaction", labels=SAME, choices=CONTENT),
        Field(id="colour", type="choice", labels=SAME, choices=COLOURS, required=True),
        Field(id="colours", type="choices", labels=SAME, choices=COLOURS),
        Field(id="miles", type="number", labels=SAME),
        Field(id="viewing", type="date", labels=SAME, event="viewing"),
        Field(id="fixed", type="flag", labels=SAME),
        Field(id="opinion", type="text", labels=SAME),
    ),
)
SCRIPT = """# en
## introduce
This is {agent}, number {number}, of {house}.

## closing (satisfied)
Thank you, {customer}.
## closing (dissatisfied)
I am sorry.
# zh-Hans
## closing
谢谢，再见。
"""


def test_answers_are_read_by_the_kind_of_their_field() -> None:
    said = {
        "photographer": ["satisfied"],
        "colour": ["red"],
        "colours": ["blue", "red"],
        "miles": [" 12000.5 "],
        "viewing": ["2025-03-10"],
        "fixed": ["on"],
        "opinion": ["  The room was cold.\n"],
        "nobody": ["asked"],
    }

    answers, wrong = check(WHOLE, said)

    assert () == wrong
    assert answers == {
        "photographer": "satisfied",
        "colour": "red",
        "colours": ("red", "blue"),
        "miles": "12000.5",
        "viewing": "2025-03-10",
        "fixed": True,
        "opinion": "The room was cold.",
    }


def test_everything_that_is_wrong_is_told_at_once() -> None:
    said = {
        "stylist": ["delighted"],
        "colours": ["red", "pink"],
        "miles": ["NaN"],
        "viewing": ["2025-02-30"],
        "opinion": ["x" * 2001],
    }

    answers, wrong = check(WHOLE, said)

    assert answers == {"fixed": False}
    assert [(one.field, one.code) for one in wrong] == [
        ("stylist", "choice"),
        ("colours", "choice"),
        ("miles", "number"),
        ("viewing", "date"),
        ("opinion", "text"),
        ("colour", "required"),
    ]


def test_a_record_without_the_required_fields_is_not_whole() -> None:
    form = PLAIN.asking(("satisfaction", "opinion", "result"))

    answers, wrong = check(form, {"opinion": [" "], "satisfaction": ["neutral"]})

    assert answers == {"satisfaction": "neutral"}
    assert wrong == (
        Wrong(field="opinion", code="required"),
        Wrong(field="result", code="required"),
    )
    assert missing(form, answers) == ("opinion", "result")


def test_a_form_gets_the_standard_fields_that_the_house_requires() -> None:
    form = WHOLE.asking(("opinion", "result"))

    assert [one.id for one in form.fields] == [*(one.id for one in WHOLE.fields), "result"]
    assert [one.id for one in form.fields if one.required] == ["colour", "opinion", "result"]


def test_the_worst_that_a_customer_says_tells_how_content_he_is() -> None:
    answers = {"photographer": "satisfied", "stylist": "dissatisfied", "colour": "red"}

    assert satisfaction(WHOLE, answers) == "dissatisfied"
    assert satisfaction(WHOLE, {"photographer": "neutral"}) == "neutral"
    assert satisfaction(WHOLE, {}) is None


def test_a_script_is_told_with_names_and_in_the_branch_that_fits() -> None:
    script, faults = read_script("may", SCRIPT)
    facts = {"agent": "May", "number": "6001", "house": "{agent}"}

    told = script.told("en", facts, "dissatisfied")

    assert () == faults
    assert told == (
        Part(step="introduce", text="This is May, number 6001, of {agent}."),
        Part(step="closing", branch="dissatisfied", text="I am sorry."),
    )
    assert [part.branch for part in script.told("en", facts)] == ["", "satisfied", "dissatisfied"]
    assert script.told("en", {})[1].text == "Thank you, ……."


def test_a_language_that_a_script_lacks_is_told_in_its_first() -> None:
    script, _faults = read_script("may", SCRIPT)

    assert script.told("zh-Hans", {}) == (Part(step="closing", text="谢谢，再见。"),)
    assert script.told("zh-Hant", {}) == script.told("en", {})


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", Fault(line=1, code="script_empty", said="")),
        ("Hello", Fault(line=1, code="script_outside", said="Hello")),
        ("## closing\nBye", Fault(line=1, code="script_no_language", said="closing")),
        ("# fr\n## closing\nBye", Fault(line=1, code="script_language", said="fr")),
        ("# en\n## bye\nBye", Fault(line=2, code="script_step", said="bye")),
        ("# en\n## closing\n\n", Fault(line=2, code="script_empty", said="closing")),
        ("# en\n## closing\nBye, {nick}", Fault(line=3, code="script_variable", said="nick")),
        (
            "# en\n## closing\nBye\n## identify\nYou?",
            Fault(line=4, code="script_order", said="identify"),
        ),
        (
            "# en\n## closing\nBye\n## closing\nBye",
            Fault(line=4, code="script_twice", said="closing"),
        ),
        ("# en\n## closing\n" + "Bye" * 20_000, Fault(line=1, code="script_long", said="")),
    ],
)
def test_what_is_wrong_with_a_script_is_told_with_its_line(text: str, fault: Fault) -> None:
    assert read_script("may", text)[1] == (fault,)


def test_a_script_keeps_to_the_nine_steps_and_the_closing() -> None:
    text = "# en\n" + "".join(f"## {step}\n.\n" for step in STEPS)

    script, faults = read_script("may", text)

    assert () == faults
    assert [part.step for part in script.parts["en"]] == list(STEPS)


def test_an_answer_about_a_person_is_the_score_of_whom_the_event_names() -> None:
    asked = [
        Field(id=one, type="satisfaction", labels=SAME, choices=CONTENT, staff=role)
        for one, role in (("a", "stylist"), ("b", "photographer"), ("c", "driver"), ("d", ""))
    ]
    form = Form(id="x", labels=SAME, fields=tuple(asked))
    answers = {"a": "satisfied", "c": "neutral", "d": "dissatisfied"}

    found = scores(form, answers, {"stylist": "Anna", "photographer": "Ben"})

    assert (("stylist", "Anna", "satisfied"),) == found


def test_a_day_is_written_as_it_is_said() -> None:
    said = [spoken_day(date(2026, 3, 7), locale) for locale in LOCALES]

    assert ["7 March", "3月7日", "3月7日"] == said
