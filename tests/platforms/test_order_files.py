"""Files of orders: what is read of each format, and what is refused with which reason."""

import csv
import io
from datetime import UTC, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from app.base.errors import AppError
from app.ingest.order_file import LINE_BYTES, NO_UTF8, OrderFileReader, open_order_file
from app.platforms.events import OrderCancelled, OrderFulfilled, OrderPaid, OrderRefunded, Unparseable
from app.platforms.order_files import FileFormat, FileShop, amount_of, column_name, decimal_text, iso_time
from app.platforms.woocommerce.settings import WooCommerceSettings
from tests.support.constants import NOW
from tests.support.samples import SAMPLES

SHOP = FileShop("EUR", ZoneInfo("Europe/Berlin"), NOW, WooCommerceSettings(consent_meta_key="newsletter"))
SHOPIFY = SAMPLES / "order_files" / "shopify.csv"


def read(path, wanted=None):
    return list(OrderFileReader(open_order_file(path, wanted), SHOP).records())


def table(tmp_path, rows: list[dict], delimiter: str = ",", encoding: str = "utf-8"):
    names = list(dict.fromkeys(name for row in rows for name in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, names, delimiter=delimiter)
    writer.writeheader()
    writer.writerows(rows)
    path = tmp_path / "orders.csv"
    path.write_bytes(text.getvalue().encode(encoding))
    return path


def test_an_order_of_shopify_is_read_from_all_its_rows():
    assert open_order_file(SHOPIFY).format is FileFormat.shopify
    first, unpaid, shortened, undone = read(SHOPIFY)
    paid, fulfilled, refunded = first.events
    assert isinstance(paid, OrderPaid)
    placed_at = datetime(2026, 3, 1, 9, tzinfo=UTC)
    assert (paid.order_id, paid.number, paid.currency) == ("6000000001001", "#1001", "EUR")
    assert (paid.subtotal, paid.total, paid.discount_total, paid.shipping_total) == (8000, 7690, 800, 490)
    assert (paid.placed_at, paid.version_at) == (placed_at, placed_at)
    assert paid.paid_at == datetime(2026, 3, 1, 9, 5, tzinfo=UTC)
    assert paid.discount_codes == ("ANA-7K4QX",)
    assert paid.referral == "7k4m9qxzp"
    assert paid.tags == ("vip", "wholesale")
    assert [(each.title, each.quantity, each.sku, each.unit_price) for each in paid.items] == [
        ("Linen shirt - M", 2, "SHIRT-M", 3000),
        ("Mug", 1, "MUG", 2000),
    ]
    assert paid.shipping_address == ("Main St 1", "Unit 4", "10115", "Berlin", "DE")
    person = paid.person
    assert (person.email, person.phone) == ("ana@example.com", "+49301234567")
    assert (person.first_name, person.last_name, person.country) == ("Ana", "Maria Silva", "DE")
    assert person.email_consent.given is True
    assert fulfilled == OrderFulfilled("6000000001001", datetime(2026, 3, 2, 8, tzinfo=UTC))
    assert isinstance(refunded, OrderRefunded)
    assert (refunded.refund_id, refunded.amount) == ("", Decimal("12.00"))
    assert (unpaid.events, unpaid.refused) == ((), None)
    assert shortened.line == 7
    assert "a spreadsheet shortens it" in (shortened.refused or "")
    assert isinstance(undone.events[0], OrderPaid)
    assert undone.events[0].refunded_wholly
    assert any(isinstance(each, OrderCancelled) for each in undone.events)


PLUGINS = {
    "sky": {
        "Order ID": "118",
        "Order Number": "118",
        "Date": "2026-03-01 10:00:00",
        "Paid Date": "2026-03-01 10:05",
        "Status": "completed",
        "Shipping Total": "4.90",
        "Discount Total": "8.00",
        "Order Total": "76.90",
        "Refunded Total": "12.00",
        "Order Currency": "EUR",
        "Customer ID": "7",
        "Billing First Name": "Ana",
        "Billing Last Name": "Silva",
        "Billing Email": "ana@example.com",
        "Billing Phone": "030 1234567",
        "Billing Country": "DE",
        "Shipping Country": "DE",
        "Line Items": "id:1|name:Shirt|sku:S|quantity:2|subtotal:60.00;id:2|name:Mug|quantity:1|subtotal:20.00",
        "Coupon Items": "code:ana-7k4qx|description:|amount:8.00",
        "meta:newsletter": "yes",
    },
    "webtoffee": {
        "order_id": "118",
        "order_number": "118",
        "order_date": "2026-03-01 10:00:00",
        "paid_date": "2026-03-01 10:05:00",
        "status": "wc-completed",
        "shipping_total": "4.90",
        "discount_total": "8.00",
        "order_total": "76.90",
        "order_currency": "EUR",
        "refunded_amount": "12.00",
        "customer_id": "7",
        "billing_first_name": "Ana",
        "billing_last_name": "Silva",
        "billing_email": "ana@example.com",
        "billing_phone": "030 1234567",
        "billing_country": "DE",
        "shipping_country": "DE",
        "coupon_items": "code:ana-7k4qx|amount:8.00",
        "newsletter": "yes",
        "line_item_1": "name:Shirt|product_id:1|sku:S|quantity:2|total:54.00|sub_total:60.00",
        "line_item_2": "name:Mug|product_id:2|sku:|quantity:1|total:18.00|sub_total:20.00",
    },
}
ALGOL = {
    "Order Number": "118",
    "Order Status": "Abgeschlossen",
    "Order Date": "01.03.2026 10:00",
    "Paid Date": "2026/03/01 10:05",
    "First Name (Billing)": "Ana",
    "Last Name (Billing)": "Silva",
    "Email (Billing)": "ana@example.com",
    "Phone (Billing)": "030 1234567",
    "Country Code (Billing)": "DE",
    "Country Code (Shipping)": "DE",
    "Cart Discount Amount": "8,00",
    "Order Shipping Amount": "4,90",
    "Order Refund Amount": "12,00",
    "Order Total Amount": "76,90 €",
    "Customer User ID": "7",
    "Coupon Code": "ana-7k4qx",
    "newsletter": "yes",
}


def algol_rows() -> list[dict]:
    shirt = {"SKU": "S", "Item Name": "Shirt", "Quantity (- Refund)": "2", "Item Cost": "30,00"}
    mug = {"SKU": "", "Item Name": "Mug", "Quantity (- Refund)": "1", "Item Cost": "20,00"}
    return [ALGOL | shirt, mug]


def older_algol_rows() -> list[dict]:
    """Products are numbered, and their column is `Name`."""
    return [
        {"Item #": str(place), **{{"Item Name": "Name"}.get(name, name): cell for name, cell in row.items()}}
        for place, row in enumerate(algol_rows(), 1)
    ]


@pytest.mark.parametrize("name", ["sky", "webtoffee", "algol", "older algol"])
def test_an_order_of_woocommerce_is_the_same_from_every_plugin(tmp_path, name):
    algol = older_algol_rows() if name == "older algol" else algol_rows()
    rows, delimiter = ([PLUGINS[name]], ",") if name in PLUGINS else (algol, ";")
    path = table(tmp_path, rows, delimiter, "utf-8-sig")
    assert open_order_file(path).format is FileFormat.woocommerce
    (record,) = read(path)
    paid, fulfilled, refunded = record.events
    assert isinstance(paid, OrderPaid)
    assert (paid.order_id, paid.number, paid.currency) == ("118", "118", "EUR")
    assert (paid.subtotal, paid.total, paid.discount_total, paid.shipping_total) == (8000, 7690, 800, 490)
    assert paid.placed_at == paid.version_at == datetime(2026, 3, 1, 9, tzinfo=UTC)
    assert paid.paid_at == datetime(2026, 3, 1, 9, 5, tzinfo=UTC)
    assert paid.discount_codes == ("ana-7k4qx",)
    assert [(each.title, each.quantity, each.unit_price) for each in paid.items] == [
        ("Shirt", 2, 3000),
        ("Mug", 1, 2000),
    ]
    person = paid.person
    assert (person.external_id, person.email, person.phone) == ("7", "ana@example.com", "030 1234567")
    assert (person.first_name, person.last_name, person.country) == ("Ana", "Silva", "DE")
    assert person.shipping_country == "DE"
    assert person.email_consent.given is True
    assert isinstance(fulfilled, OrderFulfilled)
    assert isinstance(refunded, OrderRefunded)
    assert (refunded.refund_id, refunded.amount) == ("", Decimal("12.00"))


@pytest.mark.parametrize("net", ["Net Sales", "N. Revenue"])
def test_the_export_of_woocommerces_analytics_is_read_with_a_note_that_it_names_nobody(tmp_path, net):
    row = {
        "Date": "2026-03-01 10:00:00",
        "Order #": "118",
        "N. Revenue (formatted)": "€72.00",
        "Status": "processing",
        "Customer": "Ana Silva",
        "Customer type": "new",
        "Product(s)": "2× Shirt, 1× Mug",
        "Items sold": "3",
        "Coupon(s)": "ana-7k4qx",
        net: "72",
        "Attribution": "Direct",
    }
    path = table(tmp_path, [row])
    assert "count for nobody" in open_order_file(path).notes[0]
    (record,) = read(path)
    (paid,) = record.events
    assert isinstance(paid, OrderPaid)
    assert (paid.order_id, paid.total, paid.currency) == ("118", 7200, "EUR")
    assert [(each.title, each.quantity) for each in paid.items] == [("Shirt", 2), ("Mug", 1)]
    assert (paid.person.email, paid.person.first_name) == (None, "Ana")


def test_a_country_that_a_file_names_in_words_is_known(tmp_path):
    row = {"Order ID": "1", "Status": "processing", "Order Date": "2026-03-01", "Order Total": "10"}
    (record,) = read(table(tmp_path, [row | {"Country Name (Billing)": "Deutschland"}]))
    assert isinstance(record.events[0], OrderPaid)
    assert record.events[0].person.country == "DE"


def test_a_row_that_cannot_be_read_is_refused_alone(tmp_path):
    plain = {
        "order_id": "1",
        "status": "processing",
        "order_date": "2026-03-01 10:00",
        "order_total": "10.00",
    }
    rows = [
        plain,
        plain | {"order_id": "2", "status": "on-hold"},
        plain | {"order_id": "3", "status": "in-transit"},
        plain | {"order_id": "4", "order_total": "1,234"},
        plain | {"order_id": "5", "order_total": ""},
        plain | {"order_id": "6", "order_date": "03/01/2026 10:00"},
        plain | {"order_id": "7", "billing_first_name": "\udce4"},
        plain | {"order_id": "8", None: "more"},
        plain | {"order_id": "9", "billing_first_name": "x" * (LINE_BYTES + 1)},
        plain | {"order_id": "10", "order_total": "-1"},
        plain | {"order_id": "11", "order_currency": "XXQ"},
        plain | {"order_id": "12"},
        plain | {"order_id": "13", "order_date": "0001-01-01 00:00:00"},
        plain | {"order_id": "14", "order_date": "9999-12-31 23:59:59"},
        plain | {"order_id": "15", "order_total": "1.2E+05"},
        plain | {"order_id": "16", "order_total": "9" * 50_000},
        plain | {"order_id": "17", "line_items": "[" * 100_000},
    ]
    names = [*plain, "billing_first_name", "order_currency", "line_items"]
    lines = ["", ",".join(names)]
    for row in rows:
        cells = [f'"{row.get(name, "")}"' for name in names] + ([row[None]] if None in row else [])
        lines.append(",".join(cells))
    path = tmp_path / "orders.csv"
    # Lines end as Excel on a Mac may write them, and the first one is empty.
    path.write_bytes("\r".join(lines).encode("utf-8", "surrogateescape"))
    # A broken row comes before the order that it may interrupt.
    records = sorted(read(path), key=lambda each: each.line)
    assert [each.line for each in records] == list(range(3, 20))
    refused = {each.line - 2: each.refused for each in records if each.refused}
    assert [each.line - 2 for each in records if each.events] == [1, 12, 17]
    assert refused.keys() == {*range(3, 12), *range(13, 17)}
    assert (
        refused[3]
        == "Order status 'in-transit' is none of WooCommerce's own, and no column has the date of payment."
    )
    assert refused[4] == "Order total can be read in two ways; write amounts with a decimal point."
    assert refused[5] == "Order total is missing."
    assert refused[6] == "The order's created date cannot be read; write dates as 2026-03-10 12:00."
    assert refused[7] == NO_UTF8
    assert refused[8] == "The row has more cells than the first row has columns."
    assert refused[9] == "A cell is longer than 1 MiB: is a quotation mark left open?"
    assert refused[10] == "Order total must not be negative."
    assert refused[11].startswith("Order currency cannot be used")
    assert refused[13] == "Order date is missing."
    assert refused[14] == refused[6]
    assert refused[15] == refused[16] == "Order total is no amount as it was exported."


def test_a_line_of_our_own_is_an_order_or_a_whole_event(tmp_path):
    path = tmp_path / "orders.ndjson"
    order = b'{"id": "1", "placed_at": "2026-03-01T10:00:00Z", "currency": "EUR", "total": "10.00"}'
    path.write_bytes(
        b"\xef\xbb\xbf" + order + b"\r\n\n"
        b'{"type": "order.refunded", "timestamp": "2026-03-02T10:00:00Z",'
        b' "data": {"order_id": "1", "refund_id": "r", "amount": "2.00"}}\n'
        b'{"type": "order.unheard_of", "timestamp": "2026-03-02T10:00:00Z", "data": {}}\n'
        b'{"id": "2", "currency": "EUR", "total": "10.00"}\n'
        b'{"type": "order.cancelled", "data": {"order_id": "1"}}\n'
        b'{"type": "customer.erased", "timestamp": "2026-03-02T10:00:00Z", "data": {"email": "a@example.com"}}\n'
        b"[1]\n"
        b'{"id": "' + b"x" * LINE_BYTES + b'"}\n' + order
    )
    records = read(path)
    assert [each.line for each in records] == [1, 3, 4, 5, 6, 7, 8, 9, 10]
    assert [type(each.events[0]).__name__ if each.events else None for each in records] == [
        "OrderPaid", "OrderRefunded", None, None, None, None, None, None, "OrderPaid",
    ]  # fmt: skip
    assert [each.refused for each in records if each.refused] == [
        "placed_at is missing.",
        "data.at is missing.",
        "A file erases nobody; use tenfold person erase.",
        "The body must be a JSON object.",
        "The line is longer than 1 MiB.",
    ]
    assert [each.line for each in OrderFileReader(open_order_file(path), SHOP).records(skip=7)] == [9, 10]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "The file is empty."),
        (b"\xff\xfeN\x00a\x00", "The file is UTF-16; save it as CSV in UTF-8."),
        (b'[{"id": 1}]', "Write one JSON object a line, without a list around them."),
        (b"a,b,c\n1,2,3\n", "The file is no export of Shopify's or WooCommerce's orders"),
    ],
)
def test_a_file_that_is_none_is_refused_whole(tmp_path, content, sentence):
    path = tmp_path / "orders"
    path.write_bytes(content)
    with pytest.raises(AppError, match=sentence.split("(", maxsplit=1)[0].replace(".", r"\.")):
        open_order_file(path)


def test_a_named_format_says_which_columns_are_missing(tmp_path):
    path = tmp_path / "orders.csv"
    path.write_bytes(b"Name,Id,Currency,Total,Created at\n#1,1,EUR,1,2026-03-01\n")
    with pytest.raises(AppError, match="lacks columns of Shopify's export: Financial Status, Lineitem name"):
        open_order_file(path, FileFormat.shopify)
    with pytest.raises(AppError, match="no column with a status"):
        open_order_file(path, FileFormat.woocommerce)
    with pytest.raises(AppError, match="cannot be read"):
        open_order_file(tmp_path / "nothing.csv")


def test_headers_times_and_amounts_are_read_as_people_write_them():
    assert column_name(" Quantity (- Refund)") == "quantity_refund"
    assert iso_time("2026-03-01 10:00:00 +0100") == "2026-03-01 10:00:00+01:00"
    assert iso_time("2026-03-01T10:00:00-05:30") == "2026-03-01T10:00:00-05:30"
    assert iso_time("1.3.2026, 10:00") == "2026-03-01 10:00"
    assert iso_time("2026-03-01") == "2026-03-01"
    assert decimal_text("€ 1.234,50", "Total") == "1234.50"
    assert decimal_text("$1,234.50", "Total") == "1234.50"
    assert decimal_text("12,5", "Total") == "12.5"
    assert amount_of(None, "Total") is None
    with pytest.raises(Unparseable, match=r"Total is no amount\."):
        amount_of("none", "Total")
