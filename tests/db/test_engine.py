"""One transaction is stored whole or not at all, and every fault says what it means."""

import asyncio
import sys
from pathlib import Path

import pytest
from sqlalchemy import bindparam, insert, select, text, update
from sqlalchemy.exc import DBAPIError, IntegrityError

from cti.db.engine import Database, address
from cti.db.together import Step
from cti.errors import CommitUnknown, ConfigError, StoreUnavailable
from tests.kit import scratch
from tests.kit.postgres import OwnServer, Server
from tests.kit.scratch import notes


async def test_what_a_block_wrote_is_there_afterwards(db: Database) -> None:
    await scratch.make(db)

    async with db.write() as connection:
        await scratch.keep(connection, [(1, "one"), (2, "two")])

    assert await scratch.kept(db) == {1: "one", 2: "two"}


def one(db: Database, *items: tuple[int, str | None]) -> Step:
    """Items as a step."""
    return scratch.step(db.dialect, list(items))


async def test_steps_are_stored_and_say_what_they_returned(db: Database) -> None:
    await scratch.make(db)
    bring = insert(notes).returning(notes.c.id, sort_by_parameter_order=True)

    returned = await db.run(
        [
            one(db, (1, "one"), (2, "two")),
            one(db),
            (bring, [{"id": 4, "said": "four"}, {"id": 3, "said": "three"}]),
        ]
    )

    assert returned == [[], [], [4, 3]]
    assert await scratch.kept(db) == {1: "one", 2: "two", 3: "three", 4: "four"}


async def test_of_steps_with_a_broken_one_none_is_stored(db: Database) -> None:
    await scratch.make(db)

    with pytest.raises(IntegrityError):
        await db.run([one(db, (1, "one")), one(db, (2, None))])

    assert await scratch.kept(db) == {}
    await db.run([one(db, (3, "three"))])
    assert await scratch.kept(db) == {3: "three"}


async def test_steps_wait_for_a_block_that_writes(db: Database) -> None:
    await scratch.make(db)

    async with asyncio.TaskGroup() as tasks, db.write() as connection:
        waits = tasks.create_task(db.run([one(db, (1, "later"))]))
        await scratch.keep(connection, [(2, "first")])
        assert not waits.done() or db.dialect == "postgresql"

    assert await scratch.kept(db) == {1: "later", 2: "first"}


async def test_cancelled_steps_are_stored_whole_or_not_at_all(db: Database) -> None:
    await scratch.make(db)

    for round_ in range(20):
        number = round_ * 2
        work = db.run([one(db, (number, "first")), one(db, (number + 1, "second"))])
        task = asyncio.get_running_loop().create_task(work)
        for _step in range(round_):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
    await db.run([one(db, (1000, "first"), (1001, "second"))])

    found = await scratch.kept(db)
    assert len(found) % 2 == 0
    assert {number // 2 for number in found} == {number // 2 for number in found if number % 2}


async def test_steps_for_which_there_is_no_space_say_so(sqlite_db: Database) -> None:
    await scratch.make(sqlite_db)
    await scratch.tell(sqlite_db, "PRAGMA max_page_count = 1")

    with pytest.raises(StoreUnavailable, match="no space left") as caught:
        await sqlite_db.run([one(sqlite_db, (1, "x" * 100_000))])

    assert caught.value.code == "db_full"
    assert await scratch.kept(sqlite_db) == {}


async def test_a_question_gives_rows_by_the_names_of_its_columns(db: Database) -> None:
    await scratch.make(db)
    await db.run([one(db, (1, "one"), (2, "two"), (3, "three"))])
    wanted = select(notes.c.id, notes.c.said.label("word")).where(
        notes.c.id.in_([1, 3]), notes.c.said != bindparam("but")
    )

    found = [await db.ask(wanted, {"but": but}) for but in ("three", "one")]

    assert [[(row.id, row.word) for row in rows] for rows in found] == [
        [(1, "one")],
        [(3, "three")],
    ]
    assert dict(found[0][0]._mapping) == {"id": 1, "word": "one"}


async def test_a_question_to_no_table_is_not_called_an_outage(db: Database) -> None:
    with pytest.raises(DBAPIError, match=r"no such table|does not exist"):
        await db.ask(select(notes), {})


async def test_a_block_that_raises_stores_nothing(db: Database) -> None:
    await scratch.make(db)

    async def fail() -> None:
        async with db.write() as connection:
            await scratch.keep(connection, [(1, "one")])
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()

    assert await scratch.kept(db) == {}


async def test_a_broken_rule_of_the_table_is_not_called_an_outage(db: Database) -> None:
    await scratch.make(db)

    with pytest.raises(IntegrityError):
        async with db.write() as connection:
            await scratch.keep(connection, [(1, None)])

    assert await scratch.kept(db) == {}


async def test_a_file_that_fails_in_a_block_is_no_fault_of_the_database(db: Database) -> None:
    with pytest.raises(FileNotFoundError):
        async with db.write():
            raise FileNotFoundError


async def test_a_cancelled_transaction_is_stored_whole_or_not_at_all(db: Database) -> None:
    await scratch.make(db)
    loop = asyncio.get_running_loop()

    async def two(number: int) -> None:
        async with db.write() as connection:
            await scratch.keep(connection, [(number, "first")])
            await scratch.keep(connection, [(number + 1, "second")])

    for round_ in range(60):
        task = loop.create_task(two(round_ * 2))
        for _step in range(round_):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])

    await two(1000)
    found = await scratch.kept(db)
    assert {number // 2 for number in found} == {number // 2 for number in found if number % 2}
    assert len(found) % 2 == 0


async def test_a_commit_goes_on_when_its_waiter_is_cancelled(postgres: Server) -> None:
    db = await Database.open(await postgres.create("cti_cancelled_commit"))
    await scratch.make(db)
    await scratch.tell(
        db,
        "CREATE FUNCTION slowly() RETURNS trigger LANGUAGE plpgsql AS "
        "'BEGIN PERFORM pg_sleep(0.3); RETURN NULL; END'",
        "CREATE CONSTRAINT TRIGGER at_commit AFTER INSERT ON scratch_notes "
        "DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION slowly()",
    )
    written = asyncio.Event()

    async def write() -> None:
        async with db.write() as connection:
            await scratch.keep(connection, [(1, "one")])
            written.set()

    task = asyncio.get_running_loop().create_task(write())
    await written.wait()
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await db.close()  # waits for what is under way

    again = await Database.open(postgres.at("cti_cancelled_commit"))
    assert await scratch.kept(again) == {1: "one"}
    await again.close()
    await postgres.drop("cti_cancelled_commit")


async def test_read_then_write_loses_no_update_on_sqlite(sqlite_db: Database) -> None:
    await scratch.make(sqlite_db)
    async with sqlite_db.write() as connection:
        await scratch.keep(connection, [(1, "0")])

    async def count() -> None:
        for _ in range(20):
            async with sqlite_db.write() as connection:
                said = await connection.scalar(select(notes.c.said))
                await connection.execute(update(notes).values(said=str(int(said or 0) + 1)))

    async with asyncio.TaskGroup() as group:
        for _ in range(8):
            group.create_task(count())

    assert await scratch.kept(sqlite_db) == {1: "160"}


async def test_a_reader_sees_one_state_however_much_is_written_meanwhile(db: Database) -> None:
    await scratch.make(db)

    async with db.read() as connection:
        before = (await connection.execute(select(notes))).all()
        async with db.write() as writing:
            await scratch.keep(writing, [(1, "one")])
        after = (await connection.execute(select(notes))).all()

    assert before == after == []
    assert await scratch.kept(db) == {1: "one"}


async def test_a_reader_cannot_write(db: Database) -> None:
    await scratch.make(db)

    with pytest.raises(StoreUnavailable) as caught:
        async with db.read() as connection:
            await scratch.keep(connection, [(1, "one")])

    assert caught.value.code == "db_readonly"


async def test_no_space_left_says_what_to_do(sqlite_db: Database) -> None:
    await scratch.make(sqlite_db)
    await scratch.tell(sqlite_db, "PRAGMA max_page_count = 1")

    with pytest.raises(
        StoreUnavailable, match=r"no space left for the database.*is full"
    ) as caught:
        async with sqlite_db.write() as connection:
            await scratch.keep(connection, [(1, "x" * 100_000)])

    assert caught.value.code == "db_full"
    assert "free some space on its disk" in caught.value.todo
    assert await scratch.kept(sqlite_db) == {}


async def test_a_database_that_cannot_be_written_says_so(sqlite_db: Database) -> None:
    await scratch.tell(sqlite_db, "PRAGMA query_only = ON")

    with pytest.raises(StoreUnavailable, match="cannot be written") as caught:
        await scratch.tell(sqlite_db, "CREATE TABLE more (id INTEGER)")

    assert caught.value.code == "db_readonly"


async def test_a_database_held_by_another_process_says_so(
    tmp_path: Path, sqlite_db: Database
) -> None:
    other = await Database.open(f"sqlite:///{tmp_path / 'cti.sqlite3'}")
    await scratch.tell(sqlite_db, "PRAGMA busy_timeout = 10")

    async with other.write() as connection:
        await connection.execute(text("SELECT 1"))
        with pytest.raises(StoreUnavailable, match="held by somebody else") as caught:
            await scratch.tell(sqlite_db, "SELECT 1")
    await other.close()

    assert caught.value.code == "db_busy"


async def test_a_file_that_is_no_database_is_damaged(tmp_path: Path) -> None:
    (tmp_path / "cti.sqlite3").write_bytes(b"this is a letter, no database" * 100)

    with pytest.raises(ConfigError, match="is damaged") as caught:
        await Database.open(f"sqlite:///{tmp_path / 'cti.sqlite3'}")

    assert caught.value.code == "db_damaged"


async def test_a_directory_is_no_database(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="does not answer: unable to open") as caught:
        await Database.open(f"sqlite:///{tmp_path}")

    assert caught.value.code == "db_unreachable"


async def test_a_server_that_is_not_there_is_unreachable_and_no_secret_is_told() -> None:
    with pytest.raises(ConfigError, match="does not answer") as caught:
        await Database.open("postgresql://cti:hidden-word@127.0.0.1:1/cti")

    assert caught.value.code == "db_unreachable"
    assert "hidden-word" not in str(caught.value)


async def test_a_database_that_is_not_on_the_server_is_unreachable(postgres: Server) -> None:
    with pytest.raises(ConfigError, match='"cti_nowhere" does not exist') as caught:
        await Database.open(postgres.at("cti_nowhere"))

    assert caught.value.code == "db_unreachable"


@pytest.mark.parametrize(
    "url", ["", "nonsense", "mysql://u@h/d", "sqlite://", "sqlite:///:memory:", "postgresql://h"]
)
def test_an_address_that_names_no_usable_database_is_refused(url: str) -> None:
    with pytest.raises(ConfigError, match="names no database") as caught:
        address(url)

    assert caught.value.code == "db_url"


def test_short_addresses_get_our_drivers_and_the_password_of_the_file() -> None:
    found = address("postgresql://cti@db/cti", "word")

    assert found.render_as_string(hide_password=False) == "postgresql+asyncpg://cti:word@db/cti"
    assert address("sqlite:///x", "word").render_as_string() == "sqlite+aiosqlite:///x"


async def test_a_missing_driver_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "asyncpg", None)

    with pytest.raises(
        ConfigError, match=r"(?s)asyncpg is not installed.*cti\[postgres\]"
    ) as caught:
        await Database.open("postgresql://cti@127.0.0.1/cti")

    assert caught.value.code == "db_driver"


async def test_a_commit_whose_answer_is_lost_is_unknown(postgres: Server) -> None:
    async with scratch.opened(await postgres.create("cti_lost_answer")) as db:
        await scratch.tell(db, *DIE_ONCE_AT_COMMIT)

        with pytest.raises(CommitUnknown, match="the answer to a commit was lost"):
            async with db.write() as connection:
                await scratch.keep(connection, [(1, "one")])
        async with db.write() as connection:
            await scratch.keep(connection, [(1, "one")])

        assert await scratch.kept(db) == {1: "one"}
    await postgres.drop("cti_lost_answer")


async def test_a_server_that_went_away_stores_nothing_and_comes_back(
    postgres_to_stop: OwnServer,
) -> None:
    db = await Database.open(await postgres_to_stop.create("cti_away"))
    await scratch.make(db)

    async def write_while_it_stops() -> None:
        async with db.write() as connection:
            await scratch.keep(connection, [(1, "one")])
            await asyncio.to_thread(postgres_to_stop.stop)
            await scratch.keep(connection, [(2, "two")])

    with pytest.raises(StoreUnavailable):
        await write_while_it_stops()
    with pytest.raises(StoreUnavailable, match="does not answer") as caught:
        await scratch.kept(db)
    await asyncio.to_thread(postgres_to_stop.start)

    assert caught.value.code == "db_unreachable"
    assert await scratch.kept(db) == {}
    await db.close()


async def test_transactions_that_ask_to_be_alone_wait_for_each_other(db: Database) -> None:
    order: list[str] = []
    holds = asyncio.Event()

    async def first() -> None:
        async with db.write() as connection:
            await db.alone(connection, "import")
            holds.set()
            await connection.execute(text("SELECT 1"))
            order.append("first")

    async def second() -> None:
        await holds.wait()
        async with db.write() as connection:
            await db.alone(connection, "import")
            order.append("second")

    async with asyncio.TaskGroup() as group:
        group.create_task(first())
        group.create_task(second())

    assert order == ["first", "second"]


DIE_ONCE_AT_COMMIT = (
    "CREATE SEQUENCE scratch_deaths",
    "CREATE FUNCTION die_once() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN "
    "IF nextval(''scratch_deaths'') = 1 THEN PERFORM pg_terminate_backend(pg_backend_pid()); "
    "END IF; RETURN NULL; END'",
    "CREATE CONSTRAINT TRIGGER at_commit AFTER INSERT ON scratch_notes "
    "DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION die_once()",
)
