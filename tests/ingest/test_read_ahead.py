"""A file of orders is read piece by piece, here or in a process of its own."""

import asyncio
import io
import json
import pickle
from dataclasses import replace
from datetime import UTC
from pathlib import Path
from uuid import UUID

import psutil
import pytest

from app.base.tokens import Tokens
from app.ingest import read_ahead, reading_process
from app.ingest.order_file import open_order_file
from app.ingest.read_orders import Piece, Reading, read_pieces
from app.platforms.order_files import FileShop
from tests.support.constants import NOW

ORDERS = 130


@pytest.fixture
def reading(tmp_path: Path) -> Reading:
    """Of a file of many orders, one of which is refused and one of which is an event of nothing."""
    lines = [
        {
            "id": str(number),
            "placed_at": NOW.isoformat(),
            "currency": "EUR",
            "total": "much" if number == 7 else "80.00",
            "customer": {"id": "7", "email": f"person{number}@example.com", "email_consent": True},
            "items": [{"title": "Mug", "quantity": 1.5}],
            "shipping_address": {"line1": "Hauptstr. 1", "line2": "Whg. 3"},
        }
        for number in range(ORDERS)
    ]
    lines[9] = {"type": "order.cancelled", "data": {"order_id": "8", "at": NOW.isoformat()}}
    path = tmp_path / "orders"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    shop = FileShop("EUR", UTC, NOW)
    return Reading(open_order_file(path), shop, Tokens("a key"), 1, UUID(int=1), NOW)


def records_of(pieces):
    return [record for piece in pieces for record in piece.records]


async def all_of(reading: Reading) -> list[Piece]:
    async with read_ahead.read_ahead(reading, most=20) as pieces:
        return [piece async for piece in pieces]


async def test_what_is_read_is_the_same_after_it_was_handed_over(reading):
    written = io.BytesIO()
    reading_process.write_all(pickle.loads(pickle.dumps(reading)), written)
    written.seek(0)
    found = []
    while length := int.from_bytes(written.read(reading_process.LENGTH_BYTES)):
        found.append(pickle.loads(written.read(length)))
    assert found.pop() is None
    here = await all_of(reading)
    assert records_of(found) == records_of(here)
    assert len(records_of(here)) == ORDERS
    assert max(len(piece.records) for piece in here) <= 20 < max(len(piece.records) for piece in found)
    assert here[-1].position == found[-1].position == reading.file.size
    assert [record.refused is not None for record in records_of(here)].index(True) == 7
    rest = records_of(read_pieces(replace(reading, skip=100), 50))
    assert rest == records_of(here)[100:]


async def test_what_reading_raises_is_raised_by_who_asked(reading):
    written = io.BytesIO()
    gone = replace(reading, file=replace(reading.file, path=reading.file.path / "gone"))
    reading_process.write_all(gone, written)
    stream = asyncio.StreamReader()
    stream.feed_data(written.getvalue())
    stream.feed_eof()
    with pytest.raises(NotADirectoryError):
        await read_ahead._next_of(stream)  # without a process
    with pytest.raises(RuntimeError, match="the process that reads the file is gone"):
        await read_ahead._next_of(stream)


def readers() -> list[psutil.Process]:
    """The processes that read for this one; a browser of other tests may run beside them."""
    return [each for each in psutil.Process().children() if reading_process.__name__ in each.cmdline()]


@pytest.mark.slow(seconds=3)
async def test_a_large_file_is_read_by_a_process_that_ends_with_its_reader(reading, monkeypatch):
    here = records_of(await all_of(reading))
    monkeypatch.setattr(read_ahead, "PROCESS_BYTES", 0)
    monkeypatch.setattr(read_ahead, "MEANWHILE", 20)
    assert records_of(await all_of(reading)) == here
    assert readers() == []
    async with read_ahead.read_ahead(reading, most=20) as pieces:
        assert len((await anext(pieces)).records) == read_ahead.PIECE
        (process,) = readers()
        process.kill()
        with pytest.raises(RuntimeError, match="is gone"):
            _ = [piece async for piece in pieces]
    async with read_ahead.read_ahead(reading, most=20):
        pass
    assert readers() == []
