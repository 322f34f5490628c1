"""What if the disk gives back another page than was written? The broker, or its ledger's verification, has to notice.

Everything is killed, one old page of records is overwritten, and the service is started again for a while. Either it
does not serve, or ``keybroker ledger verify`` names the record; then the page is put back, as a mirror would.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from scripts.soak_parts.operator import ledger_is_sound
from scripts.soak_parts.world import World

_PAGE_SIZE_AT = slice(16, 18)
_TABLE_LEAF = 0x0D
_RECORD = b'"v":1}'
_SERVES_SECONDS = 6.0


@contextmanager
def spoilt_page(world: World) -> Iterator[None]:
    with world.service.down():
        place, good = _old_page(world)
        _write(world.scene.ledger, place, _spoilt(world, good))
        noticed = not ledger_is_sound(world.deployment)
    world.notes["pages_spoilt"] += 1
    served = _serves(world)
    world.notes["pages_noticed_at_the_start"] += not served
    world.notes["pages_noticed_by_nobody"] += served and not noticed
    world.tell(
        f"    started on it: {'serves' if served else 'does not serve'}; verify: {'found' if noticed else 'NOT FOUND'}"
    )
    try:
        yield
    finally:
        with world.service.down():
            _write(world.scene.ledger, place, good)


def _old_page(world: World) -> tuple[int, bytes]:
    """Offset and octets of a page of records that is full, so that it is never written again."""
    with closing(sqlite3.connect(world.scene.ledger)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    octets = world.scene.ledger.read_bytes()
    size = int.from_bytes(octets[_PAGE_SIZE_AT], "big")
    places = [
        at
        for at in range(size, len(octets), size)
        if octets[at] == _TABLE_LEAF and octets.count(_RECORD, at, at + size)
    ]
    # The first half: whatever is written from now on goes to the last pages.
    place = world.chance.choice(places[: max(1, len(places) // 2)])
    return place, octets[place : place + size]


def _spoilt(world: World, good: bytes) -> bytes:
    """All of it, or one octet of a record that stands in it."""
    if world.chance.random() < 0.5:
        return world.chance.randbytes(len(good))
    at = good.index(_RECORD) - world.chance.randrange(1, 100)
    return good[:at] + bytes([good[at] ^ 1]) + good[at + 1 :]


def _write(file: Path, place: int, octets: bytes) -> None:
    with file.open("r+b") as database:
        database.seek(place)
        database.write(octets)


def _serves(world: World) -> bool:
    last = time.monotonic() + _SERVES_SECONDS
    while time.monotonic() < last:
        if world.prober.signs():
            return True
        time.sleep(0.2)
    return False
