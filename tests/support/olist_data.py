"""A small generated shop in the CSV format of the Olist data set: orders, customers, items,
payments and reviews.

The columns and their meaning are the data set's own; every value is made up from a seed."""

import csv
import gzip
import random
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path

BEGIN = datetime(2017, 1, 9, 0, 0)  # noqa: DTZ001  # the files' times carry no zone
NIGHT_ORDER = f"{0:032x}"
"""An order approved at 02:46:17."""
STATUSES = ("delivered",) * 16 + ("shipped", "shipped", "canceled", "unavailable")

Row = Mapping[str, object]


def write_olist(folder: Path, *, orders: int, days: int, seed: int = 7) -> None:
    """Write the five files that a replay reads. Some are gzipped, as the data set is often kept."""
    chance = random.Random(seed)
    persons = [f"{chance.getrandbits(128):032x}" for _ in range(orders * 3 // 4)]
    tables: dict[str, list[Row]] = {
        name: [] for name in ("orders", "customers", "order_items", "order_payments", "order_reviews")
    }
    for number in range(orders):
        _add_order(tables, number, chance, person=chance.choice(persons), days=days)
    for name, rows in tables.items():
        _write(folder, name, rows, packed=name in ("orders", "order_reviews"))


def _add_order(
    tables: Mapping[str, list[Row]], number: int, chance: random.Random, *, person: str, days: int
) -> None:
    order, status = f"{number:032x}", chance.choice(STATUSES)
    bought = BEGIN + timedelta(seconds=chance.randrange(days * 86_400))
    approved = bought + timedelta(minutes=chance.randrange(1, 2_000))
    if order == NIGHT_ORDER:
        status, approved = "delivered", (bought + timedelta(days=1)).replace(hour=2, minute=46, second=17)
    carried = (
        approved + timedelta(hours=chance.randrange(10, 150)) if status in ("delivered", "shipped") else None
    )
    arrived = (
        carried + timedelta(hours=chance.randrange(20, 500)) if carried and status == "delivered" else None
    )
    tables["orders"].append(
        {
            "order_id": order,
            "customer_id": f"{number + 1_000_000:032x}",
            "order_status": status,
            "order_purchase_timestamp": bought,
            # Some orders were never approved: they count from their purchase.
            "order_approved_at": "" if number % 17 == 5 else approved,
            "order_delivered_carrier_date": carried or "",
            "order_delivered_customer_date": arrived or "",
        }
    )
    tables["customers"].append({"customer_id": f"{number + 1_000_000:032x}", "customer_unique_id": person})
    prices = [chance.randrange(990, 30_000) / 100 for _ in range(chance.choice((1, 1, 1, 2)))]
    if status != "unavailable":
        tables["order_items"].extend(
            {
                "order_id": order,
                "product_id": f"{chance.getrandbits(128):032x}",
                "price": f"{price:.2f}",
                "freight_value": "12.50",
            }
            for price in prices
        )
    tables["order_payments"].append({"order_id": order, "payment_value": f"{sum(prices) + 12.5:.2f}"})
    seen = arrived or approved + timedelta(days=chance.randrange(5, 40))
    reviews = [seen + timedelta(hours=chance.randrange(5, 300))]
    if number % 11 == 3:
        reviews.append(reviews[0] + timedelta(hours=30))
    tables["order_reviews"].extend(_review(order, at, chance) for at in reviews)


def _review(order: str, at: datetime, chance: random.Random) -> Row:
    return {
        "order_id": order,
        "review_score": chance.choice((5, 5, 5, 5, 4, 4, 3, 2, 1, 1)),
        "review_comment_title": chance.choice(("", "", "Recomendo")),
        "review_comment_message": chance.choice(("", "Chegou antes do prazo, obrigada!", "Veio errado.")),
        "review_answer_timestamp": at,
    }


def _write(folder: Path, name: str, rows: Sequence[Row], *, packed: bool) -> None:
    def write(file: Iterable[str]) -> None:
        writer = csv.DictWriter(file, list(rows[0]))  # type: ignore[type-var,arg-type]
        writer.writeheader()
        writer.writerows(rows)

    if packed:
        with gzip.open(folder / f"{name}.csv.gz", "wt", encoding="utf-8", newline="") as file:
            write(file)
    else:
        with (folder / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
            write(file)
