"""How does everything that is kept get the key that is the first now?

Each content is read, written beside under the new key, read back, and only then noted; the old
file goes last. Broken off anywhere, it is done again.
"""

import asyncio
from collections.abc import Iterator

from recordings.storage import PIECE, Put, Storage
from recordings.store import RecordingStore


async def reseal(store: RecordingStore, storage: Storage) -> int:
    """Seal all that is kept with the first key; count the contents.

    Raises `StorageUnavailable` when one cannot be read: its key must still stand in the file.
    """
    done, after = 0, ""
    while some := await store.sealed_otherwise(storage.key_id, after):
        for place in dict.fromkeys(one.place for one in some):
            put = await asyncio.to_thread(_again, storage, place)
            await store.moved(place, put.place, put.key_id)
            if put.place != place:
                await asyncio.to_thread(storage.forget, place)
            done += 1
        after = some[-1].id
    while places := await store.originals_sealed_otherwise(storage.key_id):
        for place in places:
            put = await asyncio.to_thread(_again, storage, place)
            await store.moved(place, put.place, put.key_id)
            if put.place != place:
                await asyncio.to_thread(storage.forget, place)
            done += 1
    return done


def _again(storage: Storage, place: str) -> Put:
    with storage.open(place) as reader:

        def content() -> Iterator[bytes]:
            for at in range(0, reader.size, PIECE):
                yield reader.read(at, PIECE)

        return storage.put(content())
