"""The snippet of docs/woocommerce.md puts a link's code into the cart, run by PHP as it stands."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from app.platforms.delivery_types import RawDelivery
from app.platforms.woocommerce.adapter import WooCommerceAdapter
from tests.support.constants import NOW, PROJECT
from tests.support.samples import sample

WOOCOMMERCE = WooCommerceAdapter()
SLUG = "7k4qx2m3np5rs"
CHECKOUT = "woocommerce_checkout_create_order"
BLOCKS = "woocommerce_store_api_checkout_update_order_meta"


@pytest.fixture
def snippet(tmp_path: Path) -> Path:
    if shutil.which("php") is None:
        pytest.skip("php is not installed")
    page = (PROJECT / "docs" / "woocommerce.md").read_text(encoding="utf-8")
    source, _ = re.findall(r"```php\n(.*?)```", page, re.DOTALL)
    assert len(source.splitlines()) <= 26
    path = tmp_path / "tenfold.php"
    path.write_text(source)
    return path


def visit(snippet: Path, *visits: dict[str, Any], has_woocommerce: bool = True) -> list[dict[str, Any]]:
    """Coupons in the cart and the order's meta data after each visit."""
    environment = {"SNIPPET": str(snippet), "VISITS": json.dumps(visits)}
    if has_woocommerce:
        environment["HAS_WOOCOMMERCE"] = "1"
    done = subprocess.run(
        [
            "php",
            "-d",
            "error_reporting=-1",
            "-d",
            "display_errors=1",
            PROJECT / "tests/support/wordpress.php",
        ],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


def link(code: str = "ANA-7K4QX") -> dict[str, str]:
    """What the query of our own link holds."""
    return dict(parse_qsl(urlsplit(WOOCOMMERCE.shop_link("https://fern.example/?lang=de", code, SLUG)).query))


def test_the_code_comes_into_the_cart_once_it_counts_there_and_the_slug_into_the_order(snippet):
    seen = visit(
        snippet,
        {"query": link()},
        {"buys": 20},
        {},
        {"buys": 10},
        {},
        {"checkout": CHECKOUT},
        {"checkout": BLOCKS},
    )
    assert [each["coupons"] for each in seen] == [[], [], [], *[["ana-7k4qx"]] * 4]
    assert [each["meta"] for each in seen[4:]] == [[], *[{"tenfold_ref": SLUG}] * 2]

    body = sample("woocommerce", "order")
    body["meta_data"] = [{"id": 1, "key": key, "value": value} for key, value in seen[-1]["meta"].items()]
    (event,) = WOOCOMMERCE.parse(RawDelivery("order.created", json.dumps(body).encode(), NOW))
    assert event.referral == SLUG


def test_a_full_cart_gets_the_code_when_the_link_is_opened_and_keeps_one(snippet):
    seen = visit(snippet, {"buys": 30}, {"query": link()}, {"query": link()})
    assert [each["coupons"] for each in seen] == [[], ["ana-7k4qx"], ["ana-7k4qx"]]


def test_a_code_that_does_not_count_is_never_put_in_and_shows_no_error(snippet):
    seen = visit(snippet, {"query": link("GONE-22222")}, {"buys": 80}, {"checkout": CHECKOUT})
    assert [each["coupons"] for each in seen] == [[], [], []]
    assert seen[-1]["meta"] == {"tenfold_ref": SLUG}


@pytest.mark.parametrize(
    "query",
    [
        {"ref": ["a"], "discount": "ANA-7K4QX"},
        {"ref": "", "discount": ["ANA-7K4QX"]},
        {"ref": "<script>", "discount": "ANA-7K4QX\n"},
        {"ref": "x" * 41, "discount": "ANA 7K4QX"},
        {"discount": "ANA-7K4QX"},
        {},
    ],
)
def test_what_is_no_link_of_ours_changes_nothing(snippet, query: dict[str, Any]):
    seen = visit(snippet, {"query": query}, {"buys": 80}, {"checkout": CHECKOUT})
    assert seen == [{"coupons": [], "meta": []}] * 3


def test_requests_without_a_session_and_a_wordpress_without_woocommerce_go_on(snippet):
    silent = {"query": link(), "without_session": True, "checkout": CHECKOUT}
    assert visit(snippet, silent, {"buys": 80}) == [{"coupons": [], "meta": []}] * 2
    assert visit(snippet, {"query": link()}, has_woocommerce=False) == [{"coupons": [], "meta": []}]


# The share link around the order

ANSWER = {"share_url": "https://nps.example/r/a", "discount": "10%", "disclosure": 'Ad & "more".'}


def around(tmp_path: Path, links: object, status: int = 200) -> dict[str, Any]:
    """What the second snippet prints at each place, and what it asked for."""
    if shutil.which("php") is None:
        pytest.skip("php is not installed")
    page = (PROJECT / "docs" / "woocommerce.md").read_text(encoding="utf-8")
    _, source = re.findall(r"```php\n(.*?)```", page, re.DOTALL)
    path = tmp_path / "tenfold-share.php"
    path.write_text(source)
    environment = {"SNIPPET": str(path), "STATUS": str(status), "ANSWER": json.dumps(links)}
    done = subprocess.run(
        ["php", "-d", "error_reporting=-1", PROJECT / "tests/support/wordpress_share.php"],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


def test_a_promoter_sees_the_share_link_and_a_customer_the_orders_survey(tmp_path: Path):
    seen = around(tmp_path, ANSWER | {"survey_url": "https://nps.example/s/a?b=1&c"})
    text = "Ad &amp; &quot;more&quot;. 10% off for your friends:"
    link = '<a href="https://nps.example/r/a">https://nps.example/r/a</a>'
    assert seen["thankyou"] == seen["mail"] == f"<p>{text} {link}</p>"
    plain = f"\n{ANSWER['disclosure']} 10% off for your friends: {ANSWER['share_url']}\n"
    assert (seen["plain_mail"], seen["mail_to_admin"], seen["no_order"]) == (plain, "", "")
    assert seen["view"] == '<p><a href="https://nps.example/s/a?b=1&amp;c">How was it?</a></p>'
    assert seen["asked"] == [
        "https://tenfold.example/api/v1/links?email=ana%40example.com",
        "https://tenfold.example/api/v1/links?shop=acme&order=118",
    ]
    assert seen["keys"] == ["Bearer tf_key"] * 2


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (ANSWER, 500),
        (ANSWER, 0),
        ("<html>", 200),
        (None, 200),
        ({"share_url": None, "survey_url": None}, 200),
    ],
)
def test_without_an_answer_pages_and_mails_are_as_before(tmp_path: Path, answer: object, status: int):
    seen = around(tmp_path, answer, status)
    assert {seen[name] for name in ("thankyou", "mail", "plain_mail", "view")} == {""}
    assert len(seen["asked"]) == 2, "an answer is kept, also an empty one"
