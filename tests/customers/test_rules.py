"""One normal form per number, however it was written."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from cti.customers.rules import Number, masked, normal, read_entry, seen_by
from cti.house import CustomerRules, Tier
from cti.people.rules import Person, Role

REGIONS = st.sampled_from(["CN", "TW", "HK", "US", "SG", "MO", "DE", "IT", "XX", ""])


@pytest.mark.parametrize(
    "written",
    [
        "13800138000",
        "138 0013 8000",
        "138-0013-8000",
        "+86 138 0013 8000",
        "8613800138000",
        "008613800138000",
        "013800138000",
        "１３８００１３８０００",
        "+８６ １３８ ００１３ ８０００",
        "١٣٨٠٠١٣٨٠٠٠",
        "'13800138000",
        '="13800138000"',
        "tel:+86-138-0013-8000",
        "sip:13800138000@192.0.2.1;user=phone",
        "<sip:+8613800138000@192.0.2.1>",
        "13800138000,,123",
        "138 0013 8000 ext. 12",
        "138 0013 8000 x12",
        "13800138000转12",
        "\u200e138\u00a00013\u20118000\u202c",
    ],
)
def test_one_mobile_number_has_one_normal_form(written: str) -> None:
    assert normal(written, "CN") == Number("number", written, "+8613800138000", "138 0013 8000")


@pytest.mark.parametrize(
    ("region", "written", "expected", "shown"),
    [
        ("CN", "021-6234 5678", "+862162345678", "021 6234 5678"),
        ("CN", "(021)62345678", "+862162345678", "021 6234 5678"),
        ("CN", "021-62345678-802", "+862162345678", "021 6234 5678"),
        ("CN", "400-800-1234", "+864008001234", "400 800 1234"),
        ("CN", "+886 2 2345 6789", "+886223456789", "+886 2 2345 6789"),
        ("CN", "00852 2345 6789", "+85223456789", "+852 2345 6789"),
        ("TW", "02-2345-6789", "+886223456789", "02 2345 6789"),
        ("TW", "0912345678", "+886912345678", "0912 345 678"),
        ("TW", "033456789", "+88633456789", "03 345 6789"),
        ("HK", "2345 6789", "+85223456789", "2345 6789"),
        ("US", "(212) 555-1234", "+12125551234", "(212) 555-1234"),
    ],
)
def test_a_full_number_is_e164(region: str, written: str, expected: str, shown: str) -> None:
    number = normal(written, region)

    assert (number.kind, number.normal, number.shown) == ("number", expected, shown)


@pytest.mark.parametrize(
    ("region", "written", "expected"),
    [
        ("CN", "62345678", "62345678"),  # a local number
        ("CN", "6234-5678", "62345678"),
        ("TW", "33456789", "33456789"),  # in Taipei; with a 0 before it, it is in Taoyuan
        ("US", "555-1234", "5551234"),
        ("CN", "12345678901", "12345678901"),  # no number, but its digits are known
        ("CN", "+86 62345678", "62345678"),  # as at home
        ("CN", "+86 10086", "10086"),
        ("CN", "+1 380 013 8000", "+13800138000"),  # not the mobile number 13800138000
        ("CN", "+999 123 456", "+999123456"),
        ("CN", "12", "12"),
        ("CN", "9" * 50, "9" * 32),
    ],
)
def test_what_is_no_full_number_keeps_its_digits(region: str, written: str, expected: str) -> None:
    number = normal(written, region)

    assert (number.kind, number.normal, number.shown) == ("number", expected, expected)


@pytest.mark.parametrize("written", ["6001", "601", "10086", "95588", "123456", "６００１", "*97"])
def test_extensions_and_service_codes_are_short(written: str) -> None:
    number = normal(written, "CN")

    assert number.kind == "extension"
    assert number.normal == number.shown == written.replace("６００１", "6001")


@pytest.mark.parametrize(
    "written", ["anonymous", "Anonymous", "sip:anonymous@anonymous.invalid", "Restricted", "匿名"]
)
def test_who_hides_his_number_is_anonymous(written: str) -> None:
    assert normal(written, "CN") == Number("anonymous", written)


@pytest.mark.parametrize("written", [None, "", " ", "<unknown>", "unknown", "s", "\x00", "未知"])
def test_no_number_is_unknown(written: str | None) -> None:
    assert normal(written, "CN") == Number("unknown", written or "")


@pytest.mark.parametrize("written", ["alice", "1.38E+10", "DROP TABLE", "138/139"])
def test_a_text_is_no_number_and_is_shown_as_it_is(written: str) -> None:
    assert normal(written, "CN") == Number("unknown", written, None, written)


@given(st.text(max_size=200) | st.from_regex(r"\+?[0-9 ()x;-]{1,40}", fullmatch=True), REGIONS)
@example("+868613800138000", "CN")
@example("021-62345678-802", "CN")
@settings(max_examples=600)
def test_nothing_raises_and_the_normal_form_of_a_normal_form_is_itself(
    written: str, region: str
) -> None:
    number = normal(written, region)
    again = normal(number.normal, region)

    assert number.normal == again.normal
    assert number.shown.isprintable()
    assert len(number.normal or "") <= 33
    assert (number.normal is None) == (number.kind in ("anonymous", "unknown"))


def test_an_entry_is_cleaned_and_never_cut() -> None:
    entry, reasons = read_entry(
        {
            "name": " 王\x07小明\n ",
            "external_id": "C-1",
            "phones": "13800138000; 021-62345678/13800138000",
            "note": "<script>alert(1)</script>=1+1",
            "care_flags": "elderly;speak_slowly;elderly",
            "do_not_call": "是",
        },
        "CN",
    )

    assert reasons == []
    assert entry is not None
    assert entry.name == "王 小明"
    assert entry.phones == (("+8613800138000", "13800138000"), ("+862162345678", "021-62345678"))
    assert entry.note == "<script>alert(1)</script>=1+1"  # kept as text; pages escape it
    assert entry.care_flags == ("elderly", "speak_slowly")
    assert entry.do_not_call is True
    assert entry.tier is None


@pytest.mark.parametrize(
    ("said", "reasons"),
    [
        ({"name": "", "phones": "6001"}, ["it has no name"]),
        ({"name": "\x00", "phones": "6001"}, ["it has no name"]),
        ({"name": "x" * 121, "phones": "6001"}, ["name is longer than 120 characters"]),
        ({"name": "May", "phones": "abc"}, ["phone 'abc' is no number"]),
        ({"name": "May", "phones": "anonymous"}, ["phone 'anonymous' is no number"]),
        (
            {"name": "May", "phones": "1.38E+10"},
            ["phone '1.38E+10' was spoilt by a spreadsheet: format the column as text"],
        ),
        (
            {"name": "May", "phones": ";".join(str(n) for n in range(60000, 60021))},
            ["it has more than 20 phones"],
        ),
        (
            {"name": "May"},
            ["it has neither external_id nor phone: nothing tells it apart"],
        ),
        (
            {"name": "May", "phones": "6001", "do_not_call": "perhaps"},
            ["do_not_call is 'perhaps': write yes or no"],
        ),
        (
            {"name": "May", "phones": "6001", "tier": "platin", "care_flags": "deaf"},
            [
                "care flag 'deaf' is none of the house's: elderly, speak_slowly, hearing",
                "tier 'platin' is none of the house's: gold, vip, normal",
            ],
        ),
        (
            {"name": "", "phones": "abc", "note": "x" * 2001},
            ["note is longer than 2000 characters", "phone 'abc' is no number", "it has no name"],
        ),
    ],
)
def test_every_reason_is_told(said: dict[str, str], reasons: list[str]) -> None:
    assert read_entry(said, "CN") == (None, reasons)


FIELDS = st.dictionaries(
    st.sampled_from(["external_id", "name", "phones", "tier", "note", "care_flags", "do_not_call"]),
    st.text(max_size=150),
)


@given(FIELDS)
def test_no_field_raises_and_what_is_kept_is_clean(said: dict[str, str]) -> None:
    entry, reasons = read_entry(said, "CN")

    assert (entry is None) == bool(reasons)
    if entry:
        for text in (
            entry.name,
            entry.note or "",
            *(written for _n, written in entry.phones or ()),
        ):
            assert "\x00" not in text
            assert text.encode() is not None  # no lone surrogates


RULES = CustomerRules(
    tiers={"gold": Tier(id="gold", labels=dict.fromkeys(("en", "zh-Hant", "zh-Hans"), "金卡"))},
    care_flags=("elderly", "輪椅"),
)


@pytest.mark.parametrize("tier", ["gold", "GOLD", "金卡"])
def test_tiers_and_care_flags_are_read_as_the_house_calls_them(tier: str) -> None:
    said = {"name": "May", "phones": "6001", "tier": tier, "care_flags": "Elderly; 輪椅"}

    entry, reasons = read_entry(said, "CN", rules=RULES)

    assert entry, reasons
    assert ("gold", ("elderly", "輪椅")) == (entry.tier, entry.care_flags)


def test_a_house_may_have_no_tiers_and_mind_nothing() -> None:
    rules = CustomerRules(tiers={}, care_flags=())

    _entry, reasons = read_entry(
        {"name": "May", "phones": "6001", "tier": "vip", "care_flags": "hearing"}, "CN", rules=rules
    )

    assert [
        "care flag 'hearing' is none of the house's: there are none",
        "tier 'vip' is none of the house's: there are none",
    ] == reasons


@pytest.mark.parametrize(
    ("shown", "hidden"),
    [
        ("138 0013 8000", "138 **** 8000"),
        ("+886 912 345 678", "+886 9** **5 678"),
        ("021 6234 5678", "021 **** 5678"),
        ("62345678", "****5678"),
        ("6001", "**01"),
        ("95588", "***88"),
        ("*12", "*12"),
        ("12", "12"),
        ("", ""),
    ],
)
def test_the_middle_of_a_number_is_hidden(shown: str, hidden: str) -> None:
    assert hidden == masked(shown)


@given(st.text(alphabet="0123456789 +-()", max_size=20))
def test_what_is_hidden_is_never_more_than_four_figures_and_the_length_stays(text: str) -> None:
    hidden = masked(text)

    assert len(text) == len(hidden)
    assert hidden.count("*") <= 4
    assert all(new in (old, "*") for old, new in zip(text, hidden, strict=True))


@pytest.mark.parametrize(
    ("role", "at_work", "masks", "whole"),
    [
        (Role.AGENT, False, True, False),
        (Role.AUDITOR, False, True, False),
        (Role.AGENT, True, True, True),
        (Role.SUPERVISOR, False, True, True),
        (Role.AGENT, False, False, True),
    ],
)
def test_who_need_not_see_a_number_does_not(
    role: Role, at_work: bool, masks: bool, whole: bool
) -> None:
    person = Person(id="p", number="1", name="X", role=role)

    seen = seen_by(person, "138 0013 8000", CustomerRules(mask_numbers=masks), at_work=at_work)

    assert ("138 0013 8000" if whole else "138 **** 8000") == seen
