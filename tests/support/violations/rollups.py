"""Violations of the invariants of the roll-ups."""

from sqlalchemy import update

from app.insight.models import Rollup
from app.insight.roll import roll
from tests.support.factories.rows import START
from tests.support.violations.sound import Sound, breaks


async def _rolled(sound: Sound) -> None:
    brand_id = sound.rows.brand.id
    await sound.session.execute(update(Rollup).values(due_at=START))
    while await roll(sound.session, brand_id, rolled_from=0, now=START):
        pass


@breaks("figures_follow_the_rows")
async def a_visit_that_nobody_noted(sound: Sound) -> str:
    await _rolled(sound)
    await sound.rows.visit(sound.code)
    return "referrals of orders, 2026-03-02"


@breaks("months_add_up")
async def a_month_that_was_changed_by_itself(sound: Sound) -> str:
    await _rolled(sound)
    await sound.sql("UPDATE daily_figures SET counts = '{7}' WHERE span = 'months' AND figure = 'approved'")
    return "approved, month of 2026-03-01"
