"""What terms would have made of past orders, decided one after the other."""

from datetime import UTC, datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from app.brands.programme import Programme
from app.orders.rules import OrderMoney
from app.referrals.preview_rules import PastOrder, PastOrders, past_costs

ANA, BEN = UUID(int=1), UUID(int=2)


def order(referrer=ANA, *, day=3, refunded=0, existing=False, subtotal=10000):
    return PastOrder(
        subtotal,
        "EUR",
        OrderMoney(subtotal, 0, refunded, 0),
        share=referrer,
        referrer=referrer,
        placed_at=datetime(2026, 3, day, 12, tzinfo=UTC),
        existing=existing,
    )


def cost(terms, *orders, **before):
    programme = Programme.model_validate(terms)
    return past_costs(programme, PastOrders(orders, **before), ZoneInfo("Europe/Berlin"))["EUR"]


def test_a_referrer_has_as_many_rewards_as_the_cap_with_those_of_the_time_before():
    terms = {"reward": {"cap_per_referrer": 2}}
    found = cost(terms, order(), order(), order(), order(BEN), rewards={ANA: 1})
    assert (found.counted, found.capped, found.rewards) == (4, 2, 2000)
    assert found.discounts == 4000, "the friend's discount stands"
    kept = cost(terms, order(refunded=10000), order(), order())
    assert (kept.capped, kept.rewards) == (0, 2000), "a reward of an order that was refunded is none"


def test_a_budget_is_spent_in_its_own_period_and_zone():
    terms = {"reward": {"budget": {"amount": "25.00", "period": "day"}}}
    found = cost(terms, order(), order(), order(), order(day=4))
    assert (found.over_budget, found.rewards) == (1, 3000)
    start = datetime(2026, 3, 3, tzinfo=ZoneInfo("Europe/Berlin"))
    spent = cost(terms, order(), order(), order(day=4), spent={(start, "EUR"): 1000})
    assert (spent.over_budget, spent.rewards) == (1, 2000)


def test_who_ordered_before_counts_where_the_terms_are_for_everybody():
    strict = cost({}, order(existing=True), order())
    assert (strict.existing_customers, strict.counted, strict.cost) == (1, 1, 2000)
    open_to_all = {"offer": {"new_customers_only": False, "max_uses_per_code": 2}}
    found = cost(open_to_all, order(existing=True), order(), uses={ANA: 1})
    assert (found.existing_customers, found.counted, found.beyond_uses) == (0, 1, 1)
