"""A password cannot be guessed by trying, and nobody can lock out a colleague."""

from datetime import UTC, datetime, timedelta

from cti.people.limits import LoginLimits

NOON = datetime(2025, 3, 7, 12, 0, tzinfo=UTC)
HOME, CAFE = "192.0.2.1", "198.51.100.7"


def tries(limits: LoginLimits, count: int, number: str = "6001", address: str = HOME) -> timedelta:
    """Try so often, and give the last wait."""
    wait = timedelta()
    for _ in range(count):
        wait = limits.wait(number, address, NOON)
    return wait


def test_the_sixth_try_for_one_number_from_one_address_must_wait() -> None:
    limits = LoginLimits()

    assert tries(limits, 5) == timedelta()
    assert tries(limits, 1) == timedelta(minutes=15)


def test_after_the_window_it_begins_anew() -> None:
    limits = LoginLimits()
    tries(limits, 6)

    assert limits.wait("6001", HOME, NOON + timedelta(minutes=14)) == timedelta(minutes=1)
    assert limits.wait("6001", HOME, NOON + timedelta(minutes=15)) == timedelta()


def test_tries_from_elsewhere_do_not_lock_a_colleague_out() -> None:
    limits = LoginLimits()
    tries(limits, 6, address=CAFE)

    assert tries(limits, 1, address=HOME) == timedelta()


def test_one_number_cannot_be_tried_from_a_thousand_addresses() -> None:
    limits = LoginLimits()

    waits = [tries(limits, 1, address=f"10.0.{n // 256}.{n % 256}") for n in range(60)]

    assert waits.count(timedelta()) == 50


def test_one_address_cannot_try_a_thousand_numbers() -> None:
    limits = LoginLimits()

    waits = [tries(limits, 1, number=str(n)) for n in range(200)]

    assert waits.count(timedelta()) == 100


def test_writing_a_number_otherwise_is_the_same_number() -> None:
    limits = LoginLimits()
    tries(limits, 5, number="Agent-1")

    assert tries(limits, 1, number=" AGENT-1 ") > timedelta()


def test_a_right_password_takes_its_tries_back() -> None:
    limits = LoginLimits(address=10)

    for _ in range(30):
        assert tries(limits, 1) == timedelta()
        limits.succeeded("6001", HOME)


def test_memory_is_bounded() -> None:
    limits = LoginLimits(most_keys=100)

    for number in range(5_000):
        limits.wait(str(number), f"10.1.{number // 256}.{number % 256}", NOON)

    assert len(limits) <= 100
