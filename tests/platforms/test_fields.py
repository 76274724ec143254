"""A body's JSON is read exactly, and one that cannot be read says why."""

from codecs import BOM_UTF8
from decimal import Decimal

import pytest

from app.platforms.events import Unparseable
from app.platforms.fields import load


def test_numbers_of_a_body_are_exact() -> None:
    body = load(b'{"price": 1.10, "id": 123456789012345678901234567890, "tiny": 1e-7, "none": -0.0}')

    assert body.values == {
        "price": Decimal("1.10"),
        "id": 123456789012345678901234567890,
        "tiny": Decimal("1E-7"),
        "none": Decimal("-0.0"),
    }
    assert str(body.values["price"]) == "1.10"


@pytest.mark.parametrize(
    ("raw", "values"),
    [
        (BOM_UTF8 + b'{"id": 1.5}', {"id": Decimal("1.5")}),
        (rb'{"name": "half \ud83d"}', {"name": "half \ud83d"}),
        (b' {"id": 1}\n', {"id": 1}),
        (b'{"id": 1, "id": 2}', {"id": 2}),
        (b'{"a": 1e999999999999}', {"a": Decimal("1E+999999999999")}),
    ],
    ids=["byte order mark", "half a pair", "white space", "twice", "absurd exponent"],
)
def test_odd_bodies_that_can_be_read_are_read(raw: bytes, values: dict[str, object]) -> None:
    assert load(raw).values == values


@pytest.mark.parametrize(
    ("raw", "problem"),
    [
        (b'{"a": "\xff"}', "not UTF-8"),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"a": NaN}', "NaN is no JSON number"),
        (b'{"a": 1' + b"0" * 6_000 + b"}", "no JSON that can be read"),
        (b"<html>", "no JSON that can be read"),
        (b"", "no JSON that can be read"),
        (b"[1.5]", "must be a JSON object"),
    ],
    ids=["bytes", "depth", "not a number", "digits", "page", "nothing", "list"],
)
def test_a_body_that_cannot_be_read_says_why(raw: bytes, problem: str) -> None:
    with pytest.raises(Unparseable, match=problem):
        load(raw)
