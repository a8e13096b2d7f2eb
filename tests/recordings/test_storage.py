"""What is kept is there for sure, once, and only who has the key can hear it."""

import errno
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cti.db.engine import Database
from cti.errors import Bug, ConfigError
from recordings import seal, storage
from recordings.record import State
from recordings.reseal import reseal
from recordings.seal import CHUNK, HEAD, Keys, Sealed, Unsealable, make_line, read_keys
from recordings.storage import LocalFolder, Storage, StorageFull, StorageUnavailable
from recordings.store import RecordingStore
from tests.recordings.test_store import recording

SPEECH = b"speech " * 40_000  # more than four chunks, and not a whole number of them


def keys(folder: Path, *ids: str) -> Keys:
    """Make a key file with these ids; a key once made stays the same."""
    lines = []
    for key_id in ids:
        one = folder / f"{key_id}.line"
        if not one.exists():
            one.write_text(make_line(key_id))
        lines.append(one.read_text())
    file = folder / "keys"
    file.write_text("# of the recordings\n\n" + "".join(lines))
    file.chmod(0o600)
    return read_keys(file)


@pytest.fixture(params=["plain", "sealed"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> LocalFolder:
    """A folder of recordings that is made ready, with and without keys."""
    made = LocalFolder(
        tmp_path / "kept", keys(tmp_path, "k1") if request.param == "sealed" else None
    )
    made.begin(used=False)
    return made


def files(root: Path) -> list[Path]:
    """Give what lies in the folder beside the marker."""
    return [one for one in sorted(root.rglob("*")) if one.is_file() and one.name[0] != "."]


def content(place: str, kept: Storage) -> bytes:
    """Read all that is kept at a place."""
    with kept.open(place) as reader:
        return reader.read(0, reader.size)


def test_what_is_put_is_read_back(folder: LocalFolder) -> None:
    put = folder.put([SPEECH[:100], SPEECH[100:]])

    assert SPEECH == content(put.place, folder)
    assert (len(SPEECH), hashlib.sha256(SPEECH).hexdigest()) == (put.size, put.sha256)


@pytest.mark.parametrize("length", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK])
def test_any_length_is_kept(folder: LocalFolder, length: int) -> None:
    put = folder.put([SPEECH[:length]])

    assert SPEECH[:length] == content(put.place, folder)


def test_a_part_is_read_without_the_rest(folder: LocalFolder) -> None:
    put = folder.put([SPEECH])

    with folder.open(put.place) as reader:
        for offset in (0, 1, CHUNK - 1, CHUNK, len(SPEECH) - 3, len(SPEECH), len(SPEECH) + 9):
            assert SPEECH[offset : offset + 5] == reader.read(offset, 5)
        assert SPEECH[10 : 3 * CHUNK] == reader.read(10, 3 * CHUNK - 10)


def test_the_same_content_is_kept_once(folder: LocalFolder, tmp_path: Path) -> None:
    first, again = folder.put([SPEECH]), folder.put([SPEECH])

    assert first == again
    assert 1 == len(files(tmp_path / "kept"))


def test_what_is_forgotten_is_away(folder: LocalFolder, tmp_path: Path) -> None:
    put = folder.put([SPEECH])

    for _ in range(2):
        folder.forget(put.place)

    assert [] == files(tmp_path / "kept")
    with pytest.raises(StorageUnavailable, match="No such file"), folder.open(put.place):
        pass


@pytest.mark.parametrize(
    "place", ["../../etc/passwd", "/etc/passwd", "ab/" + "a" * 63, "ab/" + "A" * 64, "", "ab/\n"]
)
def test_only_places_of_our_own_are_opened(folder: LocalFolder, place: str) -> None:
    with pytest.raises(Bug), folder.open(place):
        pass
    with pytest.raises(Bug):
        folder.forget(place)


def test_a_link_in_the_folder_is_not_followed(folder: LocalFolder, tmp_path: Path) -> None:
    put = folder.put([SPEECH])
    there = tmp_path / "kept" / put.place
    there.unlink()
    there.symlink_to("/etc/passwd")

    with pytest.raises(StorageUnavailable), folder.open(put.place):
        pass


def test_nobody_else_may_read_it(folder: LocalFolder, tmp_path: Path) -> None:
    folder.put([SPEECH])

    (file,) = files(tmp_path / "kept")
    assert (0o600, 0o700) == (file.stat().st_mode & 0o777, file.parent.stat().st_mode & 0o777)


def test_what_a_killed_process_left_half_written_goes_at_the_start(
    folder: LocalFolder, tmp_path: Path
) -> None:
    (tmp_path / "kept/incoming/half").write_bytes(b"half")

    folder.begin(used=True)

    assert [] == files(tmp_path / "kept")


def test_a_source_that_breaks_off_leaves_nothing(folder: LocalFolder, tmp_path: Path) -> None:
    def breaks_off() -> Iterator[bytes]:
        yield SPEECH
        raise EOFError

    with pytest.raises(EOFError):
        folder.put(breaks_off())

    assert [] == files(tmp_path / "kept")


@pytest.mark.parametrize(
    ("number", "told"), [(errno.ENOSPC, StorageFull), (errno.EIO, StorageUnavailable)]
)
def test_a_disk_that_takes_no_more_is_told(
    folder: LocalFolder,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    number: int,
    told: type[Exception],
) -> None:
    def refuse(fd: int, part: bytes) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(storage, "write", refuse)

    with pytest.raises(told, match=os.strerror(number)):
        folder.put([SPEECH])

    assert [] == files(tmp_path / "kept")


def test_a_disk_that_wrote_something_else_is_found_out(
    folder: LocalFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = storage.write
    monkeypatch.setattr(storage, "write", lambda fd, part: write(fd, part[:-1] + b"!"))

    with pytest.raises(StorageUnavailable, match=r"not what is there|changed since"):
        folder.put([SPEECH])

    assert [] == files(tmp_path / "kept")


def test_the_empty_place_of_a_mount_is_not_taken_for_the_folder(
    folder: LocalFolder, tmp_path: Path
) -> None:
    (tmp_path / "kept/.cti-recordings").unlink()

    for act in (lambda: folder.begin(used=True), lambda: folder.put([SPEECH]), folder.room):
        with pytest.raises(StorageUnavailable, match="it is not the folder of the recordings"):
            act()


def test_how_much_is_free_is_known(folder: LocalFolder) -> None:
    assert (folder.room() or 0) > 0


# -- sealed


def kept_with(root: Path, found: Keys | None) -> LocalFolder:
    """Open the folder with other keys."""
    return LocalFolder(root / "kept", found)


def test_who_has_no_key_reads_nothing(tmp_path: Path) -> None:
    mine = kept_with(tmp_path, keys(tmp_path, "k1"))
    mine.begin(used=False)
    put = mine.put([SPEECH])

    (file,) = files(tmp_path / "kept")
    assert b"speech" not in file.read_bytes()
    for other in (None, keys(tmp_path, "k2")):
        with (
            pytest.raises(StorageUnavailable, match="the key 'k1' is not in the key file"),
            kept_with(tmp_path, other).open(put.place),
        ):
            pass


def test_old_recordings_open_after_a_new_key_came_first(tmp_path: Path) -> None:
    old = kept_with(tmp_path, keys(tmp_path, "k1"))
    old.begin(used=False)
    put = old.put([SPEECH])

    new = kept_with(tmp_path, keys(tmp_path, "k2", "k1"))

    assert SPEECH == content(put.place, new)
    assert ("k1", "k2") == (put.key_id, new.put([b"other"]).key_id)


def test_the_same_content_put_again_takes_the_new_key(tmp_path: Path) -> None:
    old = kept_with(tmp_path, keys(tmp_path, "k1"))
    old.begin(used=False)
    old.put([SPEECH])

    put = kept_with(tmp_path, keys(tmp_path, "k2", "k1")).put([SPEECH])

    assert SPEECH == content(put.place, kept_with(tmp_path, keys(tmp_path, "k2")))


def _sealed(plain: bytes, found: Keys) -> bytes:
    return b"".join(seal.sealed(found.first, [plain]))


def _opened(raw: bytes, found: Keys) -> bytes:
    whole = Sealed(found, lambda at, length: raw[at : at + length], len(raw))
    return whole.read(0, whole.size)


@pytest.mark.parametrize("at", [0, 9, 40, HEAD, HEAD + 5, HEAD + CHUNK + 20, -1])
def test_a_changed_byte_shows(tmp_path: Path, at: int) -> None:
    found = keys(tmp_path, "k1")
    raw = bytearray(_sealed(SPEECH, found))
    raw[at] ^= 1

    with pytest.raises(Unsealable):
        _opened(bytes(raw), found)


@pytest.mark.parametrize("left", [0, HEAD - 1, HEAD, HEAD + 15, HEAD + CHUNK + 16, -1])
def test_a_file_that_was_cut_short_shows(tmp_path: Path, left: int) -> None:
    found = keys(tmp_path, "k1")

    with pytest.raises(Unsealable):
        _opened(_sealed(SPEECH, found)[:left], found)


def test_two_files_of_the_same_content_do_not_look_alike(tmp_path: Path) -> None:
    found = keys(tmp_path, "k1")

    assert _sealed(SPEECH, found)[HEAD:] != _sealed(SPEECH, found)[HEAD:]


@given(
    st.lists(st.binary(max_size=70_000), max_size=4), st.integers(0, 300_000), st.integers(0, 99)
)
def test_any_part_of_any_content_opens(parts: list[bytes], offset: int, length: int) -> None:
    one = seal.Key(id="k", secret=bytes(32))
    raw, plain = b"".join(seal.sealed(one, parts)), b"".join(parts)

    found = Sealed(
        Keys(first=one, by_id={"k": one}), lambda at, size: raw[at : at + size], len(raw)
    )

    assert (len(plain), plain[offset : offset + length]) == (found.size, found.read(offset, length))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "no key stands in it"),
        ("# nothing\n", "no key stands in it"),
        ("k1 = short\n", "line 1 is no ID = KEY"),
        ("= " + "A" * 43 + "\n", "line 1 is no ID = KEY"),
        ("k1 = " + "A" * 43 + "\nk1 = " + "B" * 43 + "\n", "an id stands there twice"),
        ("k1 = ü\n", "codec can't decode"),
    ],
)
def test_a_key_file_that_makes_no_sense_is_refused(tmp_path: Path, text: str, why: str) -> None:
    file = tmp_path / "keys"
    file.write_text(text)
    file.chmod(0o600)

    with pytest.raises(ConfigError, match=why) as caught:
        read_keys(file)

    assert "recording_keys" == caught.value.code


def test_a_key_file_that_others_may_read_is_refused(tmp_path: Path) -> None:
    keys(tmp_path, "k1")
    (tmp_path / "keys").chmod(0o640)

    with pytest.raises(ConfigError, match="others may read it"):
        read_keys(tmp_path / "keys")


def test_a_key_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        read_keys(tmp_path / "none")


def test_an_id_that_no_head_could_hold_is_refused() -> None:
    with pytest.raises(ConfigError, match="is no id of a key"):
        make_line("a" * 25)


# -- sealing anew


@pytest.mark.parametrize("before", [None, "k1"], ids=["open", "sealed"])
async def test_everything_gets_the_new_key_once(
    tmp_path: Path, sqlite_db: Database, before: str | None
) -> None:
    store = RecordingStore(sqlite_db)
    old = kept_with(tmp_path, keys(tmp_path, before) if before else None)
    old.begin(used=False)
    for n, plain in enumerate((SPEECH, b"other", b"other")):
        put = old.put([plain])
        await store.keep([recording(n, place=put.place, sha256=put.sha256, key_id=put.key_id)])

    both = kept_with(tmp_path, keys(tmp_path, "k2", *filter(None, [before])))
    done = [await reseal(store, both) for _ in range(2)]

    only = kept_with(tmp_path, keys(tmp_path, "k2"))
    found = await store.unlinked([State.STORED])
    assert ([2, 0], ["k2"] * 3) == (done, [one.key_id for one in found])
    assert [SPEECH, b"other", b"other"] == [content(one.place, only) for one in found]
    assert 2 == len(files(tmp_path / "kept"))


async def test_without_the_old_key_nothing_is_sealed_anew(
    tmp_path: Path, sqlite_db: Database
) -> None:
    store, old = RecordingStore(sqlite_db), kept_with(tmp_path, keys(tmp_path, "k1"))
    old.begin(used=False)
    put = old.put([SPEECH])
    await store.keep([recording(place=put.place, sha256=put.sha256, key_id="k1")])

    with pytest.raises(StorageUnavailable, match="the key 'k1' is not in the key file"):
        await reseal(store, kept_with(tmp_path, keys(tmp_path, "k2")))

    assert SPEECH == content(put.place, old)
