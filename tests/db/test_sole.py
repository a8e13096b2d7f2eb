"""One daemon has a SQLite file; PostgreSQL is shared."""

from pathlib import Path

import pytest

from cti.db.sole import held
from cti.errors import ConfigError


def test_who_comes_second_is_told_and_who_comes_after_may(tmp_path: Path) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path}/cti.sqlite3"

    with held(url), pytest.raises(ConfigError) as told, held(url):
        pass

    assert told.value.code == "db_in_use"
    with held(url):
        pass


def test_a_shared_database_is_not_held() -> None:
    url = "postgresql+asyncpg://cti@127.0.0.1/cti"

    with held(url), held(url):
        pass


def test_where_no_lock_can_be_made_the_database_itself_says_why(tmp_path: Path) -> None:
    with held(f"sqlite+aiosqlite:///{tmp_path}/missing/cti.sqlite3"):
        pass
