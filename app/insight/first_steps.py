"""The first steps of a brand, as far as its data shows that they were taken."""

from sqlalchemy import Integer, bindparam, exists, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.base.prepared import Prepared
from app.base.schemas import ApiModel
from app.brands.models import ProgrammeVersion, Shop
from app.brands.rules import Platform
from app.ingest.models import Delivery
from app.messaging.models import ProviderAccount
from app.surveys.models import Survey
from app.surveys.rules import SurveyStatus


class FirstSteps(ApiModel):
    """Which of the first steps were taken."""

    shop_added: bool
    delivery_received: bool
    """A shop delivered something; an imported file does not count."""
    provider_set: bool
    """The brand has an account of its own, or the installation sends e-mails."""
    programme_saved: bool
    trial_sent: bool
    survey_sent: bool
    """To a real customer."""

    @property
    def are_done(self) -> bool:
        """Whether nothing is left to do."""
        return all(self.__dict__.values())


async def first_steps(session: AsyncSession, brand_id: int, *, sends: bool) -> FirstSteps:
    """Six look-ups by indexes, in one query; `sends` is whether the installation sends e-mails."""
    (found,) = await _STEPS.all(session, of_brand=brand_id)
    shop, delivery, own, programme, trial, survey = found
    return FirstSteps(
        shop_added=shop,
        delivery_received=delivery,
        provider_set=own or sends,
        programme_saved=programme,
        trial_sent=trial,
        survey_sent=survey,
    )


def _row(*found: bool) -> tuple[bool, ...]:
    return found


_of_brand = bindparam("of_brand", type_=Integer)
# By each shop's own sources: a brand may have a million rows of imported orders before them.
_delivered = exists().where(
    Delivery.brand_id == Shop.brand_id,
    Delivery.shop_id == Shop.id,
    Delivery.source.in_((*Platform, "api")),
)
_sent = exists().where(
    Survey.brand_id == _of_brand,
    Survey.status.in_((SurveyStatus.sent, SurveyStatus.answered, SurveyStatus.expired)),
    Survey.trial.is_(False),
)
_STEPS = Prepared(
    select(
        exists().where(Shop.brand_id == _of_brand),
        exists().where(Shop.brand_id == _of_brand, _delivered),
        exists().where(ProviderAccount.brand_id == _of_brand),
        exists().where(ProgrammeVersion.brand_id == _of_brand, ProgrammeVersion.version > 1),
        exists().where(Survey.brand_id == _of_brand, Survey.trial),
        _sent,
    ),
    _row,
)
