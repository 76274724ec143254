"""QR codes made from tables are those that the library makes."""

import re

import pytest
import segno

from app.base.tokens import new_slug
from app.referrals.qr import link_path


@pytest.mark.parametrize(
    "prefix", ["https://shop.example/r/", "http://127.0.0.1:8000/r/", "https://x.example/"]
)
def test_a_code_has_the_modules_of_the_librarys(prefix):
    for slug in [*(new_slug(brand_id) for brand_id in (1, 29, 31, 31, 40_000, 2_000_000_000)), "a", "zz~9"]:
        width, path = link_path(prefix, slug)
        made = segno.make(prefix + slug, error="m", micro=False, mask=3)
        dark = set()
        for row, moves in re.findall(r"M2 (\d+)\.5([^M]*)", path):
            left = 0
            for move, length in re.findall(r"([mh])(\d+)", moves):
                dark |= {(left + step, int(row) - 2) for step in range(int(length)) if move == "h"}
                left += int(length)
        assert width == len(made.matrix) + 4
        assert dark == {
            (left, row) for row, line in enumerate(made.matrix) for left, module in enumerate(line) if module
        }
