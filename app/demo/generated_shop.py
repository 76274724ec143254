"""A generated shop and eight weeks of its orders, returns and responses, drawn by a seed."""

import random
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import ROUND_DOWN, Decimal
from typing import Any

from app.brands.programme import CodeStyle, OfferTerms, Programme
from app.demo.people import Buyer, make_answer, make_buyer, make_random
from app.demo.scenario import CENT, Phase, PlannedDelivery, PlannedResponse, Scenario, ShopSetup, with_code

SETUP = ShopSetup(
    name="Harbour & Pine",
    postal_address="Musterstraße 1, 10115 Berlin",
    currency="EUR",
    time_zone="Europe/Berlin",
    locale="en",
    url="https://shop.example",
    programme=Programme(offer=OfferTerms(code_style=CodeStyle.named)),
    has_look=True,
)
_GOODS = (
    ("Enamel coffee pot", "39.00"),
    ("Linen apron", "28.50"),
    ("Oak bread board", "34.90"),
    ("Wool blanket, sea green", "89.00"),
    ("Beeswax candles, six", "18.00"),
    ("Cast-iron pan 26 cm", "64.00"),
    ("Glass storage jar", "12.40"),
    ("Hand-thrown mug", "22.00"),
)
_SHIPPING = Decimal("4.90")

# Days before today. Surveys are sent three days after delivery, the hold lasts fourteen.
_PAID, _DELIVERED, _ANSWERED, _FRIENDS, _FRIENDS_DELIVERED = 58, 55, 49.6, 45, 42
_EARLY, _APPROVED, _SPENT, _LATE = 38, 29, 25, 18


@dataclass
class _Shop:
    """The scenario drawn so far."""

    rng: random.Random
    today: datetime
    deliveries: list[PlannedDelivery] = field(default_factory=list)
    responses: dict[str, PlannedResponse] = field(default_factory=dict)
    buyers: list[Buyer] = field(default_factory=list)

    def when(self, days_ago: float, *, spread: float = 1.5) -> datetime:
        """A moment in the past, in whole seconds, at random within `spread` days."""
        moment = self.today - timedelta(days=days_ago - spread * self.rng.random())
        return moment.replace(microsecond=0)

    def add(self, at: datetime, topic: str, data: dict[str, Any], **choices: float | None) -> None:
        self.deliveries.append(
            PlannedDelivery(at, f"demo-{len(self.deliveries) + 1}", topic, data, **choices)
        )

    def buyer(self, *, contactable: bool = True) -> Buyer:
        person = make_buyer(self.rng, len(self.buyers) + 1, contactable=contactable)
        self.buyers.append(person)
        return person

    def order(self, number: int, buyer: Buyer, at: datetime, **choices: float | None) -> dict[str, Any]:
        data = _order(self.rng, number, buyer, at)
        self.add(at, "order.paid", data, **choices)
        return data

    def deliver(self, order: dict[str, Any], at: datetime) -> None:
        self.add(
            at - timedelta(hours=20),
            "order.fulfilled",
            {"order_id": order["id"], "at": _iso(at - timedelta(hours=20))},
        )
        self.add(at, "order.delivered", {"order_id": order["id"], "at": _iso(at)})

    def cancel(self, order: dict[str, Any], at: datetime) -> None:
        self.add(at, "order.cancelled", {"order_id": order["id"], "at": _iso(at)})

    def refund(self, order: dict[str, Any], at: datetime, share: str) -> None:
        """Refund a share of the price that was paid, which for a friend is the discounted one."""
        amount = (Decimal(order["total"]) * Decimal(share)).quantize(CENT, ROUND_DOWN)
        data = {
            "order_id": order["id"],
            "refund_id": f"refund-{order['id']}",
            "amount": str(amount),
            "at": _iso(at),
        }
        self.add(at, "order.refunded", data)


def make_scenario(*, orders: int, seed: int, today: datetime) -> Scenario:
    """A scenario of `orders` orders that ends `today`; the same seed makes the same one.

    About a sixth are friends' orders with a code, a few referrers spend their reward, and a tenth
    are so young that their surveys are still to come, but for one that waits for its answer.
    """
    shop = _Shop(make_random(seed), today)
    friends = orders // 6 or int(orders > 1)
    young, spent = orders // 10, friends // 3
    first = orders - friends - spent - young
    _first_orders(shop, first)
    _friends_orders(shop, first, friends)
    _rewarded_orders(shop, first + friends, spent)
    _young_orders(shop, orders - young, young)
    deliveries = sorted(shop.deliveries, key=lambda delivery: delivery.at)
    return Scenario(
        SETUP,
        deliveries,
        shop.responses,
        _phases(today),
        grain=timedelta(hours=6),
        note="People and orders are generated.",
    )


def _phases(today: datetime) -> list[Phase]:
    summary = (
        ("Orders are paid", _PAID - 2),
        ("Parcels arrive", _DELIVERED - 2),
        ("Surveys go out at a decent hour", _ANSWERED + 0.1),
        ("People answer; promoters get a code at once", _FRIENDS + 0.1),
        ("Friends order with the codes", _FRIENDS_DELIVERED + 0.2),
        ("Some send things back before the hold is over", _EARLY - 4),
        ("The hold is over: referrers are rewarded", _APPROVED - 3),
        ("Referrers spend their rewards", _SPENT - 3),
        ("Late refunds take back what was given", _LATE - 4),
        ("Until today", 0),
    )
    return [Phase(title, today - timedelta(days=days)) for title, days in summary]


def _first_orders(shop: _Shop, count: int) -> None:
    for place in range(count):
        buyer = _first_buyer(shop, place)
        order = shop.order(place + 1, buyer, shop.when(_PAID))
        match place % 16:
            case 7:
                shop.cancel(order, shop.when(_DELIVERED + 0.5, spread=0.3))
            case 11:
                # Returned in full before the survey is due.
                shop.deliver(order, shop.when(_DELIVERED))
                shop.refund(order, shop.when(_DELIVERED - 1.6, spread=0.3), "1")
            case _:
                shop.deliver(order, shop.when(_DELIVERED))
        if place % 12 == 5:
            shop.deliveries.append(shop.deliveries[-1])  # the same delivery twice, as shops do
        if place == 0:
            shop.responses[order["id"]] = PlannedResponse(
                10, "Arrived early and wrapped with care.", shop.when(_ANSWERED, spread=0.1)
            )
        elif shop.rng.random() < 0.75:
            score, comment = make_answer(shop.rng, buyer)
            shop.responses[order["id"]] = PlannedResponse(score, comment, shop.when(_ANSWERED, spread=4))


def _first_buyer(shop: _Shop, place: int) -> Buyer:
    """A random buyer.

    The first one can be contacted for certain, later some cannot, and some have bought before.
    """
    if place and place % 13 == 0:
        return shop.rng.choice(shop.buyers)
    return shop.buyer(contactable=place % 10 != 9)


def _friends_orders(shop: _Shop, before: int, count: int) -> None:
    regulars = list(shop.buyers)
    for place in range(count):
        # One of nine is an existing customer.
        buyer = shop.rng.choice(regulars) if place % 9 == 8 else shop.buyer()
        order = shop.order(before + place + 1, buyer, shop.when(_FRIENDS), code_choice=shop.rng.random())
        paid = with_code(order, "", slug=None, percent=SETUP.programme.offer.friend_discount.percent)
        match place % 8:
            case 1:
                shop.refund(paid, shop.when(_EARLY), "0.5")
            case 2:
                shop.cancel(order, shop.when(_EARLY))
                continue
            case 4:
                shop.refund(paid, shop.when(_LATE), "0.25")
            case 3:
                shop.refund(paid, shop.when(_LATE), "1")
        shop.deliver(order, shop.when(_FRIENDS_DELIVERED))
        if shop.rng.random() < 0.5:
            score, comment = make_answer(shop.rng, buyer)
            shop.responses[order["id"]] = PlannedResponse(
                score, comment, after=timedelta(hours=shop.rng.randint(1, 40))
            )


def _rewarded_orders(shop: _Shop, before: int, count: int) -> None:
    """Orders of those whose reward was granted; who they are is known only then."""
    for place in range(count):
        buyer, at = shop.rng.choice(shop.buyers), shop.when(_SPENT)
        order = shop.order(before + place + 1, buyer, at, reward_choice=shop.rng.random())
        shop.deliver(order, at + timedelta(days=3))


def _young_orders(shop: _Shop, before: int, count: int) -> None:
    for place in range(count):
        if place == 0:
            # Its survey was sent a day or two ago, so that its page can be tried.
            order = shop.order(before + 1, shop.buyer(), shop.when(8, spread=1))
            shop.deliver(order, shop.when(5.5, spread=0.5))
            continue
        order = shop.order(before + place + 1, shop.buyer(), shop.when(4, spread=2))
        if place % 2:
            shop.deliver(order, shop.when(1.5))


def _order(rng: random.Random, number: int, buyer: Buyer, at: datetime) -> dict[str, Any]:
    goods = rng.sample(_GOODS, rng.randint(1, 3))
    items: list[dict[str, Any]] = [
        {
            "sku": f"HP-{_GOODS.index(good):02d}",
            "title": good[0],
            "quantity": rng.choice((1, 1, 2)),
            "unit_price": good[1],
        }
        for good in goods
    ]
    subtotal = sum((Decimal(item["unit_price"]) * item["quantity"] for item in items), Decimal(0))
    return {
        "id": f"order-{number}",
        "number": f"HP-{1000 + number}",
        "placed_at": _iso(at),
        "currency": SETUP.currency,
        "subtotal": str(subtotal),
        "total": str(subtotal + _SHIPPING),
        "discount_total": "0.00",
        "discount_codes": [],
        "source": "web",
        "customer": buyer.as_customer(),
        "items": items,
        "shipping_address": {
            "line1": f"Street {buyer.number}",
            "postal_code": f"{10000 + buyer.number}",
            "country": buyer.country,
        },
    }


def _iso(moment: datetime) -> str:
    return moment.isoformat()
