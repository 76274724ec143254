"""What a replay of data in the Olist format must come to, computed from the files alone, without
the application.

It applies the same rules in plain Python. Time moves from noon to noon in São Paulo. The survey of
an order is due 72 hours after delivery, else 30 days after shipping, else 45 days after payment,
between 9:00 and 20:00; a customer who was surveyed in the last 90 days is deferred until these are
over; cancelled orders are not surveyed. A customer responds at the time of their review, or at once
where that is in the past."""

import csv
import gzip
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from math import sqrt
from pathlib import Path

NOON = timedelta(hours=12)
DAY = timedelta(days=1)
RECONTACT = timedelta(days=90)
NEVER = datetime(9999, 1, 1)  # noqa: DTZ001  # the files' times carry no zone, so none here does


@dataclass
class Story:
    """One order and its outcome."""

    order: str
    person: str
    facts: list[tuple[datetime, str]]
    stars: int
    reviewed_at: datetime
    known: dict[str, datetime] = field(default_factory=dict)
    state: str = "planned"
    due: datetime = NEVER
    put_off_to: datetime | None = None
    sent: datetime | None = None
    answered: datetime | None = None


@dataclass(frozen=True)
class Expected:
    """The funnel, and the score of each person's latest answer."""

    orders: int
    persons: int
    sent: int
    planned: int
    skipped: dict[str, int]
    answered: int
    promoters: int
    passives: int
    detractors: int
    nps: float
    low: float
    high: float
    asked: frozenset[str]
    """The orders that were asked about."""


def expect(folder: Path, most: int | None = None) -> Expected:
    """The funnel of the first `most` orders."""
    stories = _stories(folder, most)
    last = max(*(at for story in stories for at, _ in story.facts), *(story.reviewed_at for story in stories))
    asked_at: dict[str, datetime] = {}
    tick, end = _tick(min(at for story in stories for at, _ in story.facts)), _tick(last)
    while tick <= end:
        for story in stories:
            _learn(story, tick)
        due = sorted(
            (story for story in stories if story.state == "planned" and story.due <= tick),
            key=lambda story: story.due,
        )
        for story in due:
            free = asked_at[story.person] + RECONTACT if story.person in asked_at else tick
            if free > tick:
                story.due = story.put_off_to = _daytime(free)
                continue
            story.state, story.sent, asked_at[story.person] = "sent", tick, tick
        for story in stories:
            if story.state == "sent" and story.reviewed_at <= tick:
                story.state, story.answered = "answered", tick
        tick += DAY
    return _sum_up(stories)


def _learn(story: Story, tick: datetime) -> None:
    while story.facts and story.facts[0][0] <= tick:
        at, kind = story.facts.pop(0)
        story.known[kind] = at
        if kind == "cancelled" and story.state == "planned":
            story.state = "cancelled"
        start = _due(story.known)
        if story.put_off_to is None or kind in ("fulfilled", "delivered"):
            story.due, story.put_off_to = start, None


def _due(known: dict[str, datetime]) -> datetime:
    if "delivered" in known:
        return _daytime(known["delivered"] + timedelta(hours=72))
    if "fulfilled" in known:
        return _daytime(known["fulfilled"] + timedelta(days=30))
    return _daytime(known["paid"] + timedelta(days=45)) if "paid" in known else NEVER


def _daytime(at: datetime) -> datetime:
    nine = at.replace(hour=9, minute=0, second=0, microsecond=0)
    if at.hour >= 20:
        return nine + DAY
    return nine if at.hour < 9 else at


def _tick(at: datetime) -> datetime:
    noon = at.replace(hour=12, minute=0, second=0, microsecond=0)
    return noon if at <= noon else noon + DAY


def _sum_up(stories: list[Story]) -> Expected:
    latest: dict[str, Story] = {}
    answered = [story for story in stories if story.answered]
    for story in sorted(answered, key=lambda story: (story.answered, story.reviewed_at)):
        latest[story.person] = story
    bands = Counter(
        "promoter" if story.stars == 5 else "passive" if story.stars == 4 else "detractor"
        for story in latest.values()
    )
    n, promoters, detractors = len(latest), bands["promoter"], bands["detractor"]
    low, high = _interval(promoters, detractors, n)
    return Expected(
        orders=len(stories),
        persons=len({story.person for story in stories}),
        sent=sum(story.sent is not None for story in stories),
        planned=sum(story.state == "planned" for story in stories),
        skipped={
            reason: count
            for reason, count in Counter(story.state for story in stories).items()
            if reason == "cancelled"
        },
        answered=len(answered),
        promoters=promoters,
        passives=bands["passive"],
        detractors=detractors,
        nps=100 * (promoters - detractors) / n,
        low=low,
        high=high,
        asked=frozenset(story.order for story in stories if story.sent),
    )


def _interval(promoters: int, detractors: int, n: int) -> tuple[float, float]:
    p, d = (promoters + 0.75) / (n + 3), (detractors + 0.75) / (n + 3)
    reach = 1.959964 * 100 * sqrt((p + d - (p - d) ** 2) / (n + 3))
    middle = 100 * (p - d)
    return max(-100.0, middle - reach), min(100.0, middle + reach)


def _stories(folder: Path, most: int | None) -> list[Story]:
    persons = {row["customer_id"]: row["customer_unique_id"] for row in _rows(folder, "customers")}
    reviews: dict[str, dict[str, str]] = {}
    for row in _rows(folder, "order_reviews"):
        known = reviews.get(row["order_id"])
        if known is None or known["review_answer_timestamp"] <= row["review_answer_timestamp"]:
            reviews[row["order_id"]] = row
    orders = sorted(
        _rows(folder, "orders"), key=lambda row: row["order_approved_at"] or row["order_purchase_timestamp"]
    )
    stories = []
    for row in orders[:most]:
        facts = [(_time(row["order_approved_at"] or row["order_purchase_timestamp"]), "paid")]
        for kind, column in (
            ("fulfilled", "order_delivered_carrier_date"),
            ("delivered", "order_delivered_customer_date"),
        ):
            if row[column]:
                facts.append((_time(row[column]), kind))
        if row["order_status"] in ("canceled", "unavailable"):
            facts.append((max(at for at, _ in facts) + 2 * DAY, "cancelled"))
        review = reviews[row["order_id"]]
        facts.sort()
        stories.append(
            Story(
                row["order_id"],
                persons[row["customer_id"]],
                facts,
                int(review["review_score"]),
                _time(review["review_answer_timestamp"]),
            )
        )
    return stories


def _rows(folder: Path, name: str) -> list[dict[str, str]]:
    packed, plain = folder / f"{name}.csv.gz", folder / f"{name}.csv"
    with (
        gzip.open(packed, "rt", encoding="utf-8") if packed.exists() else plain.open(encoding="utf-8") as file
    ):
        return list(csv.DictReader(file))


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)
