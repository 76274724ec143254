"""Terms that are not in force: what they would change."""

from fastapi import APIRouter
from pydantic import ValidationError

from app.admin.api.programme import invalid_programme
from app.admin.api.route import ApiRoute
from app.admin.auth import Writer
from app.admin.programme_preview import preview_programme
from app.base import clock
from app.base.web.context import SessionDep
from app.base.web.openapi import problems
from app.brands.find import load_brand, load_programme
from app.brands.programme import Programme
from app.referrals.preview_schemas import ProgrammePreview

router = APIRouter(prefix="/programme", tags=["brand"], route_class=ApiRoute)


@router.post("/preview", responses=problems(413, 422))
async def show_preview(programme: Programme, caller: Writer, session: SessionDep) -> ProgrammePreview:
    """What these terms would change, given as for `PUT`. Saves nothing."""
    brand = await load_brand(session, caller.brand_id)
    present = await load_programme(session, brand.id)
    try:
        after = programme.keeping_switches(present.programme)
    except ValidationError as error:
        raise invalid_programme(error) from None
    if "kind" not in programme.reward.model_fields_set:
        after = after.rewarding_by(brand.default_reward)
    return await preview_programme(session, brand, present, after, now=clock.now())
