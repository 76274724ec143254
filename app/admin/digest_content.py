"""What is in a weekly mail: the score and the figures of the week, and what needs somebody."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.admin.alarm_models import Alarm
from app.admin.digest_rules import week_before
from app.admin.models import Staff
from app.admin.rules import Role
from app.admin.templates import DigestParams
from app.admin.views.digest import WeekFigures, shops_figures, waiting_text, week_figures, week_text
from app.brands.models import Brand, Shop
from app.insight.overview import overview
from app.insight.periods import Period, read_period
from app.insight.scores import By, count_groups
from app.insight.waiting import open_responses, redemptions_in_review


@dataclass
class Digests:
    """Makes the mails of one brand; the whole brand's figures of a week are computed once."""

    session: AsyncSession
    brand: Brand
    shops: Sequence[Shop]
    _of_brand: dict[Period, WeekFigures] = field(default_factory=dict)

    async def of(self, person: Staff, due_at: datetime) -> DigestParams:
        """The mail of a person; whoever is limited to some shops gets the score of these."""
        first, last = week_before(due_at, self.brand.time_zone)
        period = read_period(first.isoformat(), (last + timedelta(days=1)).isoformat(), self.brand.time_zone)
        figures = await self._figures(person, period)
        return DigestParams(
            week=week_text(first, last),
            score=figures.score,
            certainty=figures.certainty,
            change=figures.change,
            rate=figures.rate,
            promoters=figures.promoters,
            offers=figures.offers,
            orders=figures.orders,
            revenue=figures.revenue,
            cost=figures.cost,
            waiting=await self._waiting(person),
        )

    async def _figures(self, person: Staff, period: Period) -> WeekFigures:
        if person.shop_ids is not None:
            slugs = {shop.slug for shop in self.shops if shop.id in person.shop_ids}
            groups = await count_groups(self.session, self.brand, period, By.shop)
            return shops_figures([group.counts for group in groups if group.key in slugs])
        if period not in self._of_brand:
            found = await overview(self.session, self.brand, period)
            self._of_brand[period] = week_figures(found, self.brand.margin_percent)
        return self._of_brand[period]

    async def _waiting(self, person: Staff) -> str:
        brand_id, limited = self.brand.id, person.shop_ids
        responses = (await open_responses(self.session, brand_id, limited)).count
        orders = (await redemptions_in_review(self.session, brand_id, limited)).count
        alarms = 0
        if person.role is Role.admin:
            unsolved = Alarm.brand_id == brand_id, Alarm.solved_at.is_(None)
            alarms = await self.session.scalar(select(func.count()).where(*unsolved)) or 0
        return waiting_text(responses, orders, alarms)
