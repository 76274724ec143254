"""One person: facts, and everything that happened to them, also why something was not sent."""

from starlette.responses import Response

from app.admin.dashboard.access import ForViewer, screen_router
from app.admin.rows import CUSTOMERS
from app.admin.views.person import person_values
from app.base.errors import NotFound
from app.base.ids import parse_public_id
from app.insight.timeline import timeline

router = screen_router()


@router.get("/customers/{id}")
async def show_person(id: str, frame: ForViewer) -> Response:  # noqa: A002  # the path's own word
    """The person's page; 404 for another brand's."""
    customer_id = parse_public_id("cus", id)
    found = CUSTOMERS.rows(frame.brand.id).where(CUSTOMERS.key == customer_id)
    row = (await frame.session.execute(found)).first()
    if row is None:
        raise NotFound
    pii = frame.sees_people
    happened = await timeline(frame.session, frame.context.tokens, frame.brand.id, customer_id, pii=pii)
    values = person_values(CUSTOMERS.shape(row, pii=pii), happened)
    return frame.page("admin/person.html", "person", values)
