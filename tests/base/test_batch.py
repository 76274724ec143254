"""A batch of rows is read as it was given, whatever its texts hold."""

from datetime import UTC, datetime, timedelta, timezone
from uuid import uuid4

import pytest
from sqlalchemy import select

from app.base.batch import arrays_of, arrays_of_tuples, parsed_once, recordset
from app.customers.models import Suppression
from app.orders.models import Order

TEXTS = [
    '"',
    "\\",
    '\\"',
    "a\\nb",
    "\\\\n",
    "\\\\\n\\",
    '\\\\"\n',
    "a\nb",
    "\t\\\x01",
    "{a,b}",
    "NULL",
    "null",
    "",
    " ",
    ",",
    "{}",
    "ü🎉",
    "'",
]


@pytest.mark.parametrize("texts", [TEXTS, *([text] for text in TEXTS)], ids=repr)
async def test_texts_come_back_as_they_are(session, texts):
    rows = [{"external_id": text, "items": [{"title": text}]} for text in texts]
    given = recordset(rows, [Order.external_id, Order.items])
    found = (await session.execute(select(given.c.external_id, given.c["items"]))).all()
    assert [tuple(row) for row in found] == [(text, [{"title": text}]) for text in texts]


async def test_every_kind_of_value_comes_back_and_what_is_absent_is_null(session):
    at = datetime(2026, 3, 10, 12, 0, 0, 123456, tzinfo=UTC)
    row = {
        "id": uuid4(),
        "total": -5,
        "test": True,
        "address_key": bytes(range(256)),
        "tags": [],
        "discount_amounts": {"a\x02": 1},
        "placed_at": at,
        "source": None,
        "status": Order.status.type.words.paid,
    }
    columns = [getattr(Order, name) for name in (*row, "country", "stated_at")]
    given = recordset([row, {}], columns)
    first, second = (await session.execute(select(*given.c))).all()
    assert first._asdict() == {**row, "country": None, "stated_at": None}
    assert set(second) == {None}


async def test_times_come_back_to_the_microsecond_and_rows_may_be_parsed_once(session):
    times = [
        datetime(1970, 1, 1, tzinfo=UTC),
        datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
        *(datetime(year, 7, 1, 1, 2, 3, year, tzinfo=UTC) for year in range(1900, 2255, 7)),
        datetime(2026, 3, 10, 12, 0, 0, 1, timezone(timedelta(hours=-9, minutes=-30))),
    ]
    given = recordset([{"placed_at": at} for at in times], [Order.placed_at])
    for rows in (given, parsed_once(given)):
        assert list(await session.scalars(select(rows.c.placed_at))) == times
    written = recordset([{"placed_at": at.isoformat()} for at in times], [Order.placed_at])
    assert list(await session.scalars(select(written.c.placed_at))) == times
    for wrong in (datetime(9999, 1, 1, tzinfo=UTC), "2026-03-10T12:00:00"):
        with pytest.raises(ValueError, match="cannot be bound in a batch"):
            recordset([{"placed_at": wrong}], [Order.placed_at])


async def test_no_rows_are_no_rows(session):
    given = recordset([], [Suppression.id, Suppression.reason])
    assert (await session.execute(select(*given.c))).all() == []


async def test_rows_without_any_value_are_rows_of_nulls(session):
    given = recordset([{}, {}], [Suppression.id, Suppression.reason])
    assert (await session.execute(select(*given.c))).all() == [(None, None)] * 2


def test_tuples_are_bound_as_their_rows_are():
    columns = [Order.external_id, Order.total, Order.country, Order.tags]
    rows = [("a\n\\", 1, None, ["x"]), ("b", 2, None, None)]
    names = [column.key for column in columns]
    assert arrays_of_tuples(rows, columns) == arrays_of(
        [dict(zip(names, row, strict=True)) for row in rows], columns
    )
