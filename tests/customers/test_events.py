"""What happened to customers: read, kept once, moved, cancelled; told by files and programs."""

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal

import pytest

from cti.clock import SetClock
from cti.customers.events import KINDS, EventEntry, read_event, staff_text
from cti.customers.happenings import Happenings
from cti.customers.rules import Birthday, Entry, read_entry
from cti.customers.store import CustomerStore, EventStore, Kept
from cti.db.engine import Database
from cti.errors import ConfigError

NOON = datetime(2025, 3, 7, 4, tzinfo=UTC)
DAY = date(2025, 3, 7)


class Records:
    """Customers and what happened to them."""

    def __init__(self, db: Database) -> None:
        self.db, self.clock = db, SetClock(NOON)
        self.customers, self.store = CustomerStore(db, self.clock), EventStore(db)
        self.takes = Happenings(db, self.customers, self.store, "CN")

    async def customer(self, name: str = "王小明", **said: str) -> str:
        entry, reasons = read_entry({"name": name, "external_id": f"C-{name}", **said}, "CN")
        assert entry, reasons
        return (await self.customers.add(entry)).id

    async def keep(self, customer: str, **said: object) -> Kept:
        entry = EventEntry(**{"kind": "booking", "day": DAY, "ref": "B1"} | said)  # type: ignore[arg-type]
        async with self.db.write() as conn:
            return await self.store.keep(
                conn, [(customer, entry)], now=NOON, source="form", who="p-may"
            )

    async def see(self) -> None:
        async with self.db.write() as conn:
            await self.store.seen(conn, await self.store.stale(100))


@pytest.fixture
def records(db: Database) -> Records:
    """A house without customers."""
    return Records(db)


# -- reading


def test_an_event_is_read_whole() -> None:
    said = {
        "kind": "Purchase",
        "day": "2025-03-07",
        "time": "09:30",
        "ref": "  R\t1 ",
        "amount": "1280.5",
        "department": "珠宝",
        "staff": "Stylist=李娜； photographer = Ben",
        "cancelled": "否",
        "merchant": "R-17",
    }

    entry, faults = read_event(said)

    assert faults == []
    assert entry == EventEntry(
        kind="purchase",
        day=DAY,
        ref="R 1",
        time=time(9, 30),
        staff={"stylist": "李娜", "photographer": "Ben"},
        amount=Decimal("1280.50"),
        department="珠宝",
        merchant="R-17",
    )


def test_without_a_reference_the_day_is_it() -> None:
    entry, _faults = read_event({"kind": "wedding", "day": "2025-03-07"})

    assert entry
    assert entry.ref == "2025-03-07"


def test_all_that_is_wrong_is_told() -> None:
    said = {"kind": "birthday", "day": "7.3.2025", "time": "9:30", "amount": "-1", "ref": "x" * 65}
    said |= {"cancelled": "perhaps", "department": "d" * 65, "merchant": "m" * 65}
    said |= {"staff": "Anna; a=b; a=c"}

    entry, faults = read_event(said)

    assert entry is None
    assert [name for name, _why in faults] == [
        "kind",
        "day",
        "time",
        "amount",
        "ref",
        "department",
        "merchant",
        "staff",
        "staff",
        "cancelled",
    ]
    assert faults[0][1] == f"'birthday' must be one of {', '.join(KINDS)}"


# -- keeping


async def test_the_same_again_changes_nothing(records: Records) -> None:
    customer = await records.customer()

    first, again = await records.keep(customer), await records.keep(customer)

    assert (first.added, again.same) == (1, 1)
    assert len(await records.store.of_customer(customer)) == 1


async def test_who_served_is_kept_in_whatever_order_and_changed(records: Records) -> None:
    customer = await records.customer()
    await records.keep(customer, staff={"stylist": "Anna", "photographer": "Ben"})

    same = await records.keep(customer, staff={"photographer": "Ben", "stylist": "Anna"})
    other = await records.keep(customer, staff={"stylist": "Cui"})

    assert (1, 1) == (same.same, other.changed)
    (found,) = await records.store.of_customer(customer)
    assert {"stylist": "Cui"} == found.staff


async def test_a_detail_that_is_not_told_again_stays_and_an_empty_one_goes(
    records: Records,
) -> None:
    customer = await records.customer()
    await records.keep(
        customer, staff={"stylist": "Anna"}, merchant="R-17", amount=Decimal("12.50"), time=time(9)
    )
    (one,) = await records.store.of_customer(customer)
    heading = f"customer,kind,day,ref\n{customer},{one.kind},{one.day},{one.ref}\n"

    same = await records.takes.take_file(heading, "e.csv", now=NOON, who="cti")

    assert (1, 0) == (same.same, same.changed)
    assert [one] == await records.store.of_customer(customer)

    emptied = f"customer,kind,day,ref,merchant\n{customer},{one.kind},{one.day},{one.ref},\n"
    await records.takes.take_file(emptied, "e.csv", now=NOON, who="cti")

    (now,) = await records.store.of_customer(customer)
    assert ("", {"stylist": "Anna"}) == (now.merchant, now.staff)


async def test_another_day_moves_it_and_a_plan_must_look_again(records: Records) -> None:
    customer = await records.customer()
    await records.keep(customer)
    await records.see()

    kept = await records.keep(customer, day=DAY + timedelta(days=3))

    (one,) = await records.store.stale(10)
    assert (kept.changed, one.day, one.moved) == (1, DAY + timedelta(days=3), 1)


async def test_what_became_of_a_table_stands_on_the_order_and_stays_when_it_is_moved(
    records: Records,
) -> None:
    customer = await records.customer()
    await records.keep(customer, merchant="R-17")
    (order,) = await records.store.of_customer(customer)
    await records.see()
    async with records.db.write() as conn:
        await records.store.seat(conn, order.id, "not_seated", "table 9")
        await records.store.seat(conn, order.id, "late", "")

    stale = await records.store.stale(10)
    await records.keep(customer, merchant="R-17", day=DAY + timedelta(days=1))

    (now,) = await records.store.of_customer(customer)
    assert [] == stale
    assert ("R-17", "late", "table 9", 1) == (now.merchant, now.seating, now.note, now.moved)


async def test_whatever_staff_is_read_can_be_kept(records: Records) -> None:
    names = {f"{'r' * 31}{n}": '"' * 64 for n in range(8)}
    entry, faults = read_event({"kind": "session", "day": "2025-03-07", "staff": staff_text(names)})

    if entry is not None:
        await records.keep(await records.customer(), staff=entry.staff)

    assert (None, ["staff"]) == (entry, [name for name, _why in faults])


@pytest.mark.parametrize(
    ("changed", "asked_again"),
    [
        ({"day": DAY + timedelta(days=1)}, True),
        ({"time": time(20, 15)}, True),
        ({"merchant": "R-18"}, True),
        ({"department": "hall"}, False),
    ],
)
async def test_of_a_booking_that_moved_the_restaurant_is_asked_again(
    records: Records, changed: dict[str, object], asked_again: bool
) -> None:
    customer = await records.customer()
    await records.keep(customer, merchant="R-17")
    (order,) = await records.store.of_customer(customer)
    async with records.db.write() as conn:
        await records.store.seat(conn, order.id, "not_seated", "nobody came")

    await records.keep(customer, **{"merchant": "R-17"} | changed)

    (now,) = await records.store.of_customer(customer)
    assert ("" if asked_again else "not_seated", "nobody came") == (now.seating, now.note)


async def test_cancelled_it_stays_known_and_can_come_back(records: Records) -> None:
    customer = await records.customer()
    await records.keep(customer)

    await records.keep(customer, cancelled=True)
    await records.keep(customer)

    (one,) = await records.store.of_customer(customer)
    assert (one.cancelled, one.moved) == (False, 0)


async def test_what_changes_while_a_plan_looks_stays_to_be_seen(records: Records) -> None:
    customer = await records.customer()
    await records.keep(customer)
    looked_at = await records.store.stale(10)
    await records.keep(customer, day=DAY + timedelta(days=1))

    async with records.db.write() as conn:
        await records.store.seen(conn, looked_at)

    assert len(await records.store.stale(10)) == 1


async def test_who_spent_most_in_each_department(records: Records) -> None:
    ids = {name: await records.customer(name) for name in ("a", "b", "c", "d")}
    for n, (name, amount, department, day) in enumerate(
        [
            ("a", "100", "shoes", DAY),
            ("a", "50", "shoes", DAY),
            ("b", "120", "shoes", DAY),
            ("c", "10", "shoes", DAY),
            ("c", "999", "shoes", DAY - timedelta(days=9)),
            ("d", "5", "", DAY),
        ]
    ):
        await records.keep(
            ids[name],
            kind="purchase",
            ref=f"P{n}",
            amount=Decimal(amount),
            department=department,
            day=day,
        )

    found = await records.store.spent_most(DAY - timedelta(days=1), DAY, 2)

    assert found == [("", ids["d"]), ("shoes", ids["a"]), ("shoes", ids["b"])]


# -- told by a file


async def test_a_file_names_customers_in_three_ways(records: Records) -> None:
    one = await records.customer("甲", phones="13800138000")
    text = (
        "customer,external_id,phone,kind,day,ref\n"
        f"{one},,,booking,2025-03-07,B1\n"
        ",C-甲,,session,2025-03-08,B1\n"
        ",,138 0013 8000,viewing,2025-03-09,B1\n"
        ",C-乙,,viewing,2025-03-09,B2\n"
        ",,13900139000,viewing,2025-03-09,B2\n"
        ",,,viewing,soon,B2\n"
    )

    told = await records.takes.take_file(text, "e.csv", now=NOON, who="cti")
    again = await records.takes.take_file(text, "e.csv", now=NOON, who="cti")

    assert told.lines("e.csv") == [
        "e.csv: 3 added, 0 changed, 0 the same, 3 broken",
        "  line 5: there is no customer with the external_id 'C-乙'",
        "  line 6: no customer has the phone '13900139000'",
        "  line 7: day: 'soon' is no day as 2025-03-07; "
        "it names no customer: external_id, customer or phone",
    ]
    assert (again.added, again.changed, again.same) == (0, 0, 3)


async def test_a_phone_that_several_share_names_nobody(records: Records) -> None:
    await records.customer("甲", phones="13800138000")
    await records.customer("乙", phones="13800138000")

    told = await records.takes.take(
        [{"phone": "13800138000", "kind": "booking", "day": "2025-03-07"}],
        now=NOON,
        source="api",
        who="machine:x",
    )

    assert told.broken[0].reasons == ("several customers have the phone '13800138000'",)


async def test_a_heading_without_day_or_kind_is_told(records: Records) -> None:
    with pytest.raises(ConfigError, match="the columns kind, day, and external_id"):
        await records.takes.take_file("external_id,day\n", "e.csv", now=NOON, who="cti")


# -- the customer's own record


async def test_what_rules_read_of_a_customer_is_kept(records: Records) -> None:
    customer = await records.customer(
        birthday="lunar 1980-08-15",
        member_no="M1",
        member_since="2020-05-01",
        consent="marketing=no; care=yes",
        hours="14:00-18:00/09:00-10:00",
        zone="America/New_York",
        merchant="yes",
        do_not_sms="是",
        title="先生",
        email="a@b.cn",
    )

    found = await records.customers.get(customer)

    assert found
    assert found.birthday == Birthday(month=8, day=15, year=1980, lunar=True)
    assert (found.member_no, found.member_since, found.is_member) == ("M1", date(2020, 5, 1), True)
    assert found.consent == {"marketing": False, "care": True}
    assert found.hours == ((time(9), time(10)), (time(14), time(18)))
    assert (found.zone, found.merchant, found.do_not_sms) == ("America/New_York", True, True)
    assert 0 <= found.spread < 10_000


async def test_a_second_file_changes_only_what_it_says(records: Records) -> None:
    customer = await records.customer(birthday="02-29", consent="care=no", member_no="M1")
    entry, _ = read_entry(
        {"name": "王小明", "external_id": "C-王小明", "consent": "care=yes"}, "CN"
    )
    assert entry

    kept = await records.customers.keep([entry])

    found = await records.customers.get(customer)
    assert found
    assert kept.changed == 1
    assert (found.birthday, found.consent) == (Birthday(month=2, day=29), {"care": True})
    assert found.is_member


@pytest.mark.parametrize(
    ("field", "text", "reason"),
    [
        ("birthday", "1.5.1980", "birthday is '1.5.1980': write 1980-05-01 or 05-01, or lunar"),
        ("birthday", "02-30", "birthday '02-30' is no day"),
        ("birthday", "lunar 13-01", "birthday 'lunar 13-01' is no day"),
        ("member_since", "2020", "member_since is '2020': write 2020-05-01"),
        ("consent", "spam=yes", "consent 'spam=yes' is none as marketing=no"),
        ("hours", "18:00-09:00", "hours '18:00-09:00' are none as 09:00-12:00"),
        ("hours", "9-12", "hours '9-12' are none as 09:00-12:00"),
        ("zone", "Mars/Phobos", "zone 'Mars/Phobos' is no time zone as Asia/Taipei"),
        ("zone", "Asia", "zone 'Asia' is no time zone as Asia/Taipei"),
        ("zone", "../etc/passwd", "zone '../etc/passwd' is no time zone as Asia/Taipei"),
        ("email", "nobody", "email 'nobody' is no address"),
        ("owner", "6099", "owner '6099' is nobody's number"),
        ("merchant", "maybe", "merchant is 'maybe': write yes or no"),
    ],
)
def test_what_is_wrong_with_a_field_is_told(field: str, text: str, reason: str) -> None:
    entry, reasons = read_entry({"name": "x", "external_id": "1", field: text}, "CN", {})

    assert entry is None
    assert reasons[0].startswith(reason)


async def test_customers_are_found_by_place_and_birthday_page_by_page(records: Records) -> None:
    born = {await records.customer(str(n), birthday="03-07", member_no="M") for n in range(5)}
    await records.customer("other", birthday="lunar 03-07")

    first = await records.customers.born_on(3, 7, lunar=False, after="", limit=3)
    rest = await records.customers.born_on(3, 7, lunar=False, after=first[-1].id, limit=3)
    found, after = [], (0, "")
    while page := await records.customers.spread_over(
        0, 10_000, of="members", after=after, limit=2
    ):
        found += page
        after = (page[-1].spread, page[-1].id)

    assert born == {one.id for one in first + rest}
    assert len(found) == 5
    assert found == sorted(found, key=lambda one: (one.spread, one.id))


def test_an_entry_that_says_nothing_leaves_everything() -> None:
    entry, _ = read_entry({"name": "x", "external_id": "1", "birthday": " ", "hours": ""}, "CN")

    assert entry == Entry(name="x", external_id="1")
