"""Real orders replayed: the Olist data set (a Brazilian marketplace, 2016-2018), as its shop would have told them.

Real are orders, times, amounts and review scores. Made up by a seed are names, addresses and who recommended whom. Assumed are
that a review of 5 stands for 9 or 10 of 10, 4 for 7 or 8 and 1-3 for 0-6, and that an order was called off two days after the
last thing known of it. All times move by one whole number of days, so that hours of the day stay what they were.
"""

import csv
import gzip
import random
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

from app.base.errors import AppError
from app.brands.programme import FallbackDays, OfferTerms, Programme, SurveyTerms
from app.demo.people import chance_of
from app.demo.script import Act, Fact, Reply, Script, Stage

BRASILIA = timezone(timedelta(hours=-3))
"""The data's own times carry no zone; São Paulo has kept this one all year since 2019."""
NOON = timedelta(hours=15)
"""Noon there, in UTC: nobody's quiet hours."""
CALLED_OFF_AFTER = timedelta(days=2)
FRIENDS_SHARE = 0.08
"""Of all orders, those that carry a promoter's code."""

STAGE = Stage(
    name="Olist (replayed)",
    postal_address="Generated address, São Paulo",
    currency="BRL",
    time_zone="America/Sao_Paulo",
    locale="pt",
    url="https://shop.example",
    programme=Programme(
        # Parcels took 9 days in the middle and 22 for one in ten, so the fallbacks wait for long: a question before the parcel
        # is there would ask about something else. Surveys stay open, since answers come on the wall clock.
        survey=SurveyTerms(expires_days=1500, fallback_days=FallbackDays(fulfilled=30, paid=45)),
        # Codes are dated by the wall clock of their answer and used on the simulated one.
        offer=OfferTerms(valid_days=3650),
    ),
)
_CALLED_OFF = frozenset({"canceled", "unavailable"})
_FIRSTS = [
    "Ana",
    "João",
    "Maria",
    "Pedro",
    "Luíza",
    "Caio",
    "Beatriz",
    "Tiago",
    "Helena",
    "Rafael",
    "Conceição",
    "Davi",
]
_LASTS = ["Silva", "Souza", "Araújo", "Lima", "Conceição", "Rocha", "Barbosa", "Nóbrega", "Teixeira"]


@dataclass(frozen=True)
class _Table:
    """The files, joined by order."""

    orders: list[dict[str, str]]
    persons: Mapping[str, str]
    items: Mapping[str, list[dict[str, str]]]
    paid: Mapping[str, Decimal]
    reviews: Mapping[str, dict[str, str]]


def make_script(folder: Path, *, seed: int, today: datetime, most: int | None = None) -> Script:
    """The story of the data in `folder`, its last fact a day before `today`; `most` takes the first so many orders only.

    An `AppError` where the folder does not hold the data.
    """
    table = _read(folder, most)
    chance = chance_of(seed)
    facts: list[Fact] = []
    replies: dict[str, Reply] = {}
    for row in table.orders:
        facts += _facts(row, table, luck=chance.random() if chance.random() < FRIENDS_SHARE else None)
        if review := table.reviews.get(row["order_id"]):
            replies[row["order_id"]] = _reply(review, chance)
    last = max(
        [fact.at for fact in facts] + [reply.not_before for reply in replies.values() if reply.not_before]
    )
    shift = timedelta(days=(today - last).days - 1)
    facts = sorted((_moved(fact, shift) for fact in facts), key=lambda fact: fact.at)
    moved = {
        order: Reply(reply.score, reply.comment, _at(reply.not_before, shift))
        for order, reply in replies.items()
    }
    note = (
        f"Real orders and scores of Olist, moved by {shift.days} days. Names, addresses and recommendations are generated; "
        "reviews of 5, 4 and 1-3 stars stand for 9-10, 7-8 and 0-6 (mapped, our assumption)."
    )
    return Script(STAGE, facts, moved, _acts(facts[0].at, last + shift), timedelta(days=1), NOON, note)


def _acts(begin: datetime, last: datetime) -> list[Act]:
    """One act a quarter, the last one up to the first tick after the last fact."""
    acts: list[Act] = []
    year, quarter = begin.year, (begin.month - 1) // 3
    while True:
        title = f"{year} Q{quarter + 1}"
        year, quarter = year + quarter // 3, (quarter + 1) % 4
        until = datetime(year, quarter * 3 + 1, 1, tzinfo=UTC)
        if until > last:
            return [*acts, Act(title, last + timedelta(days=1))]
        acts.append(Act(title, until))


def _facts(row: Mapping[str, str], table: _Table, *, luck: float | None) -> Iterator[Fact]:
    order = row["order_id"]
    paid_at = _time(row["order_approved_at"] or row["order_purchase_timestamp"])
    known = [paid_at]
    yield Fact(paid_at, f"{order}-paid", "order.paid", _order(row, table), luck)
    for topic, column in (
        ("order.fulfilled", "order_delivered_carrier_date"),
        ("order.delivered", "order_delivered_customer_date"),
    ):
        if row[column]:
            known.append(_time(row[column]))
            yield Fact(known[-1], f"{order}-{topic}", topic, {"order_id": order})
    if row["order_status"] in _CALLED_OFF:
        yield Fact(
            max(known) + CALLED_OFF_AFTER, f"{order}-cancelled", "order.cancelled", {"order_id": order}
        )


def _moved(fact: Fact, shift: timedelta) -> Fact:
    """The fact as it is told. An order counts from its payment, which for one of them came half a year after the purchase."""
    at = fact.at + shift
    when = "placed_at" if fact.topic == "order.paid" else "at"
    return Fact(at, fact.delivery_id, fact.topic, {**fact.data, when: at.isoformat()}, fact.luck)


def _order(row: Mapping[str, str], table: _Table) -> dict[str, Any]:
    order = row["order_id"]
    items = table.items.get(order, [])
    subtotal = sum((Decimal(item["price"]) for item in items), Decimal(0))
    freight = sum((Decimal(item["freight_value"]) for item in items), Decimal(0))
    if not items:
        # Orders that came to nothing have lost their items; what was paid is still known.
        subtotal = table.paid.get(order, Decimal(0))
    return {
        "id": order,
        "number": order[:8].upper(),
        "currency": STAGE.currency,
        "subtotal": str(subtotal),
        "total": str(subtotal + freight),
        "discount_total": "0.00",
        "discount_codes": [],
        "customer": _customer(table.persons[row["customer_id"]]),
        "items": [
            {
                "sku": item["product_id"],
                "title": f"Item {item['product_id'][:6]}",
                "quantity": 1,
                "unit_price": item["price"],
            }
            for item in items
        ],
    }


def _customer(person: str) -> dict[str, Any]:
    number = int(person[:8], 16)
    return {
        "id": person,
        "email": f"{person[:16]}@example.com",
        "first_name": _FIRSTS[number % len(_FIRSTS)],
        "last_name": _LASTS[number // 16 % len(_LASTS)],
        "locale": "pt-BR",
        "time_zone": STAGE.time_zone,
        "country": "BR",
    }


def _reply(review: Mapping[str, str], chance: random.Random) -> Reply:
    scores: Sequence[int] = {"5": (9, 10), "4": (7, 8)}.get(review["review_score"], (0, 1, 2, 3, 4, 5, 6))
    comment = " ".join(
        part for part in (review["review_comment_title"], review["review_comment_message"]) if part
    )
    return Reply(chance.choice(scores), comment, _time(review["review_answer_timestamp"]))


def _read(folder: Path, most: int | None) -> _Table:
    orders = sorted(
        _rows(folder, "orders"), key=lambda row: row["order_approved_at"] or row["order_purchase_timestamp"]
    )[:most]
    wanted = {row["order_id"] for row in orders}
    items: dict[str, list[dict[str, str]]] = defaultdict(list)
    for row in _rows(folder, "order_items"):
        items[row["order_id"]].append(row)
    paid: dict[str, Decimal] = defaultdict(Decimal)
    for row in _rows(folder, "order_payments"):
        paid[row["order_id"]] += Decimal(row["payment_value"])
    # An order that was reviewed twice counts with its latest word.
    reviews = sorted(_rows(folder, "order_reviews"), key=lambda row: row["review_answer_timestamp"])
    persons = {row["customer_id"]: row["customer_unique_id"] for row in _rows(folder, "customers")}
    return _Table(
        orders, persons, items, paid, {row["order_id"]: row for row in reviews if row["order_id"] in wanted}
    )


def _rows(folder: Path, name: str) -> Iterator[dict[str, str]]:
    packed, plain = folder / f"{name}.csv.gz", folder / f"{name}.csv"
    try:
        with (
            gzip.open(packed, "rt", encoding="utf-8")
            if packed.exists()
            else plain.open(encoding="utf-8") as file
        ):
            yield from csv.DictReader(file)
    except (OSError, UnicodeDecodeError, csv.Error):
        raise AppError(
            "no_data",
            f"{plain} cannot be read; --data takes the folder of the Olist data set (orders.csv …).",
        ) from None


def _time(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=BRASILIA)


def _at(moment: datetime | None, shift: timedelta) -> datetime | None:
    return moment and moment + shift
