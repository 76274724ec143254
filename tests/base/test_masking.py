"""What people see who may not see people."""

import pytest

from app.base.masking import mask_code, mask_typed_code
from app.base.tokens import named_code, random_code


def test_a_named_code_is_shown_without_its_name():
    code = named_code("Zoé")
    assert mask_code(code) == f"***-{code[-5:]}"


@pytest.mark.parametrize("code", ["ABCDE7K4QX", "SJ9PXABCDE", "7K4QXABCDE", "", None])
def test_a_random_code_names_nobody_and_is_shown_whole(code):
    assert mask_code(code) == code


def test_no_random_code_is_masked():
    codes = [random_code() for _ in range(1000)]
    assert [mask_code(code) for code in codes] == codes


@pytest.mark.parametrize(
    ("typed", "shown"),
    [
        ("ana7k4qx", "***-7k4qx"),
        (" ANA-7K4QX ", "***-7K4QX"),
        ("ana 7k4qx", "***-7k4qx"),
        ("ANA\N{EN DASH}7K4QX", "***-7K4QX"),
        ("SUMMER-SALE-2026", "SUMMER-SALE-2026"),
    ],
)
def test_a_typed_code_is_shown_without_a_name_however_it_is_written(typed, shown):
    assert mask_typed_code(typed) == shown
