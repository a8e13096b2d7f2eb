"""Whose number is this: nobody's, one customer's, or several customers'."""

from datetime import UTC, datetime

import pytest

from cti.clock import SetClock
from cti.customers.rules import Entry, read_entry
from cti.customers.store import FIND_MOST, CustomerStore
from cti.db.engine import Database
from cti.errors import Refused

NOON = datetime(2025, 3, 7, 4, 0, tzinfo=UTC)


@pytest.fixture
def store(db: Database) -> CustomerStore:
    """The customers of a house."""
    return CustomerStore(db, SetClock(NOON))


def entry(**said: str) -> Entry:
    """Make an entry as a form would."""
    found, reasons = read_entry(said, "CN")
    assert found, reasons
    return found


async def test_a_number_nobody_has_finds_nobody(store: CustomerStore) -> None:
    await store.add(entry(name="小明", phones="13800138000"))

    assert await store.find("+8613800138001") == []
    assert await store.find("13800138000") == []  # exact normal form only
    assert await store.find("") == []


async def test_each_of_the_phones_finds_the_whole_customer(store: CustomerStore) -> None:
    added = await store.add(
        entry(
            name="王小明",
            external_id="C1",
            phones="13800138000/021-62345678",
            tier="gold",
            company="公司",
            area="上海",
            note="'; DROP TABLE customers; --",
            care_flags="elderly;hearing",
            do_not_call="yes",
        )
    )

    assert await store.find("+8613800138000") == [added]
    assert await store.find("+862162345678") == [added]
    assert await store.get(added.id) == added
    assert added.phones == ("+8613800138000", "+862162345678")
    assert (added.tier, added.care_flags, added.do_not_call) == (
        "gold",
        ("elderly", "hearing"),
        True,
    )
    assert added.note == "'; DROP TABLE customers; --"


async def test_several_customers_behind_one_number_are_all_found(store: CustomerStore) -> None:
    names = ["小明", "小红", "小刚"]
    for name in names:
        await store.add(entry(name=name, phones="021-62345678"))

    found = await store.find("+862162345678")

    assert {customer.name for customer in found} == set(names)


async def test_a_number_of_a_whole_firm_finds_only_as_many_as_one_can_choose_from(
    store: CustomerStore,
) -> None:
    for number in range(FIND_MOST + 5):
        await store.add(entry(name=f"guest {number}", phones="021-62345678;6001"))

    found = await store.find("+862162345678")

    assert len(found) == FIND_MOST
    assert all(len(customer.phones) == 2 for customer in found)


async def test_many_numbers_are_looked_up_at_once(store: CustomerStore) -> None:
    ming = await store.add(entry(name="小明", phones="13800138000/021-62345678"))
    hong = await store.add(entry(name="小红", phones="021-62345678"))
    await store.add(entry(name="小刚", phones="13900139000"))

    found = await store.find_all(["+862162345678", "+8613800138000", "+8613800138001"])

    both = sorted([ming, hong], key=lambda one: one.id)
    assert {"+8613800138000": [ming], "+862162345678": both} == found
    assert {} == await store.find_all([])


async def test_a_customer_without_phone_is_kept(store: CustomerStore) -> None:
    added = await store.add(entry(name="小明", external_id="C1"))

    assert (await store.get(added.id)) == added
    assert added.phones == ()


async def test_an_external_id_is_given_once(store: CustomerStore) -> None:
    await store.add(entry(name="小明", external_id="C1"))

    with pytest.raises(Refused, match="external id C1 is there already") as caught:
        await store.add(entry(name="小红", external_id="C1"))

    assert caught.value.code == "customer_exists"
    assert await store.count() == 1


async def test_keeping_the_same_again_changes_nothing(store: CustomerStore) -> None:
    entries = [
        entry(name="小明", external_id="C1", phones="13800138000", tier="gold"),
        entry(name="小红", phones="13900139000;6001"),
    ]

    first = await store.keep(entries)
    again = await store.keep(entries)

    assert (first.added, again.same, again.added, again.changed) == (2, 2, 0, 0)
    assert await store.count() == 2


async def test_what_is_not_said_stays(store: CustomerStore) -> None:
    await store.keep([entry(name="小明", external_id="C1", phones="13800138000", note="old")])

    kept = await store.keep([entry(name="大明", external_id="C1", tier="vip")])

    found = await store.find("+8613800138000")
    assert kept.changed == 1
    assert [(c.name, c.tier, c.note) for c in found] == [("大明", "vip", "old")]


async def test_new_phones_replace_the_old_ones(store: CustomerStore) -> None:
    await store.keep([entry(name="小明", external_id="C1", phones="13800138000;6001")])

    await store.keep([entry(name="小明", external_id="C1", phones="13900139000;13800138000")])

    assert await store.find("6001") == []
    assert (await store.find("+8613800138000"))[0].phones == ("+8613900139000", "+8613800138000")


async def test_without_external_id_name_and_phone_tell_who_it_is(store: CustomerStore) -> None:
    await store.keep([entry(name="小明", phones="13800138000")])

    other = await store.keep([entry(name="小红", phones="13800138000")])
    same = await store.keep([entry(name="小明", phones="13800138000;6001", tier="vip")])
    known = await store.keep([entry(name="小明", external_id="C1", phones="13800138000;6001")])

    assert (other.added, same.changed, known.changed) == (1, 1, 1)
    found = {customer.name: customer for customer in await store.find("+8613800138000")}
    assert (found["小明"].external_id, found["小明"].tier) == ("C1", "vip")


async def test_another_external_id_is_another_customer(store: CustomerStore) -> None:
    await store.keep([entry(name="小明", external_id="C1", phones="13800138000")])

    kept = await store.keep([entry(name="小明", external_id="C2", phones="13800138000")])

    assert kept.added == 1


async def test_a_dry_run_counts_and_stores_nothing(store: CustomerStore) -> None:
    kept = await store.keep([entry(name="小明", phones="13800138000")], dry=True)

    assert kept.added == 1
    assert await store.count() == 0
