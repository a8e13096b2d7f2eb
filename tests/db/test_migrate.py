"""Migrated from zero equals the metadata; an unfit database is told so."""

import subprocess
import sys
import zipfile
from importlib import import_module
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, inspect, text

import cti
import cti.db.audit
import cti.db.leader
from cti.db import migrate
from cti.db.engine import Database
from cti.db.schema import metadata
from cti.errors import ConfigError

for store in Path(cti.__file__).parent.glob("*/store.py"):
    import_module(f"cti.{store.parent.name}.store")  # the tables
import_module("recordings.store")


def differences(connection: Connection) -> list[object]:
    """Compare the tables there with the tables that the stores declare."""
    context = MigrationContext.configure(
        connection, opts={"compare_type": True, "target_metadata": metadata}
    )
    found: list[object] = compare_metadata(context, metadata)
    return found


async def test_migrated_from_zero_equals_the_metadata(empty_url: str) -> None:
    await migrate.upgrade(empty_url)

    db = await Database.open(empty_url)
    async with db.read() as connection:
        found = await connection.run_sync(differences)
    await db.close()

    assert found == []


async def test_names_of_keys_and_indexes_are_those_of_the_metadata(empty_url: str) -> None:
    def names(connection: Connection) -> set[str | None]:
        look = inspect(connection)
        return {index["name"] for table in metadata.tables for index in look.get_indexes(table)} | {
            unique["name"]
            for table in metadata.tables
            for unique in look.get_unique_constraints(table)
        }

    await migrate.upgrade(empty_url)
    db = await Database.open(empty_url)
    async with db.read() as connection:
        found = await connection.run_sync(names)
    await db.close()

    assert {
        "ix_customer_phones_normal_customer_id",
        "ix_devices_person_id",
        "uq_people_number",
        "uq_customers_external_id",
    } <= found


async def test_migrating_again_changes_nothing(empty_url: str) -> None:
    first = await migrate.upgrade(empty_url)
    again = await migrate.upgrade(empty_url)

    assert (first, again) == (migrate.newest(), migrate.newest())
    assert await migrate.check(empty_url) == "ok"


async def test_a_database_without_tables_is_not_migrated(empty_url: str) -> None:
    if empty_url.startswith("sqlite"):
        Path(empty_url.split("///")[1]).touch()

    with pytest.raises(
        ConfigError, match=r"(?s)has no tables yet; cti .* run: cti migrate"
    ) as caught:
        await migrate.check(empty_url)

    assert caught.value.code == "db_not_migrated"


async def test_an_older_database_is_not_migrated(
    empty_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await migrate.upgrade(empty_url)
    monkeypatch.setattr(migrate, "newest", lambda: "9999")

    with pytest.raises(ConfigError, match="has the tables of revision") as caught:
        await migrate.check(empty_url)

    assert caught.value.code == "db_not_migrated"


async def test_a_newer_database_is_left_alone(db_url: str) -> None:
    db = await Database.open(db_url)
    async with db.write() as connection:
        await connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    await db.close()

    for act in (migrate.check, migrate.upgrade):
        with pytest.raises(ConfigError, match="made by a newer cti") as caught:
            await act(db_url)

        assert caught.value.code == "db_newer"


async def test_a_file_that_is_not_there_is_not_migrated(tmp_path: Path) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path / 'none.sqlite3'}"

    with pytest.raises(ConfigError, match="does not exist") as caught:
        await migrate.check(url)

    assert caught.value.code == "db_not_migrated"
    assert not (tmp_path / "none.sqlite3").exists()


async def test_the_file_is_for_its_owner_alone(tmp_path: Path) -> None:
    await migrate.upgrade(f"sqlite+aiosqlite:///{tmp_path / 'new' / 'cti.sqlite3'}")

    assert (tmp_path / "new" / "cti.sqlite3").stat().st_mode & 0o777 == 0o600


async def test_a_revision_that_fails_leaves_nothing_behind(
    empty_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = migrate.command.upgrade

    def fails(*words: object) -> None:
        real(*words)  # type: ignore[arg-type]
        raise RuntimeError("in the middle")

    monkeypatch.setattr(migrate.command, "upgrade", fails)
    with pytest.raises(RuntimeError):
        await migrate.upgrade(empty_url)

    with pytest.raises(ConfigError, match="no tables yet"):
        await migrate.check(empty_url)


def test_the_wheel_brings_the_revisions(tmp_path: Path) -> None:
    root = Path(__file__).parents[2]
    subprocess.run(  # noqa: S603  our own words
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)],
        cwd=root,
        check=True,
        capture_output=True,
    )
    names = zipfile.ZipFile(next(tmp_path.glob("*.whl"))).namelist()

    assert "cti/db/migrations/env.py" in names
    assert any(name.startswith("cti/db/migrations/versions/r0001") for name in names)
