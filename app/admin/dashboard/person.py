"""One person: facts, and everything that happened to them, also why something was not sent."""

from uuid import UUID

from starlette.responses import Response

from app.admin.auth import refuse_unconfirmed
from app.admin.dashboard.access import AdminWriter, ForAdmin, ForViewer, screen_router
from app.admin.dashboard.frame import Frame
from app.admin.erase_person import erase_person
from app.admin.person import person_summary
from app.admin.reads import record_person_export
from app.admin.rows import CUSTOMERS
from app.admin.rules import Role
from app.admin.texts import country_text, language_text
from app.admin.views import person as view
from app.admin.views.codes import code_line
from app.admin.views.person import SHOWN, Show
from app.base import clock
from app.base.errors import NotFound
from app.base.i18n import SOURCE, translate
from app.base.ids import parse_public_id, public_id
from app.base.records import read_first
from app.customers.former import with_former
from app.customers.schemas import CustomerRow
from app.insight.person import export_people
from app.insight.timeline import timeline
from app.referrals.rules import CodeKind

router = screen_router("/admin/customers")


@router.get("/{id}")
async def show_person(id: str, frame: ForViewer) -> Response:  # noqa: A002  # the path's own word
    """The person's page; 404 for another brand's."""
    customer_id, person = await _find(frame, id)
    pii = frame.sees_people
    wanted = frame.request.query_params.get("show", Show.everything)
    show = Show(wanted) if wanted in set(Show) else Show.everything
    happened = await timeline(
        frame.session, frame.context.tokens, frame.brand.id, customer_id, pii=pii, shops=frame.staff.shops
    )
    summary = await person_summary(frame.session, frame.context, frame.brand, frame.staff.actor, customer_id)
    values = {
        "person": person,
        "name": _name_of(person),
        "headline": view.headline(summary),
        "shows": [
            {
                "href": frame.here(show=None if each is Show.everything else each),
                "name": translate(SOURCE, name),
                "is_current": each is show,
                "key": "",
            }
            for each, name in SHOWN.items()
        ],
        "entries": view.happenings(happened, show),
        "codes": [code_line(each) for each in summary.codes if each.kind != CodeKind.reward],
        "language": language_text(person.locale) if person.locale else "",
        "country": country_text(person.country) if person.country else "",
        "credits": view.credit_texts(summary),
        "orders": view.order_rows(summary),
        "redemptions": view.redemption_rows(summary),
        "rewards": view.reward_rows(
            summary, may_grant=frame.may(Role.marketer) and frame.staff.shops is None
        ),
        "reach": list(view.reach_rows(summary)),
    }
    return frame.page("admin/person.html", "people", values)


@router.get("/{id}/export")
async def export_person(id: str, frame: ForAdmin) -> Response:  # noqa: A002  # the path's own word
    """All that the brand holds of the person, as a file for them."""
    refuse_unconfirmed(frame.staff, f"/admin/customers/{id}")
    customer_id, _ = await _find(frame, id)
    await record_person_export(frame.session, frame.staff.actor, customer_id)
    ids = await with_former(frame.session, frame.brand.id, [customer_id])
    found = await export_people(frame.session, frame.context, frame.brand, ids)
    headers = {"Content-Disposition": f'attachment; filename="{id}.json"', "Cache-Control": "no-store"}
    body = found.model_dump_json(exclude_unset=True, by_alias=True, indent=2)
    return Response(body, headers=headers, media_type="application/json")


@router.get("/{id}/erase")
async def ask_about_erasing(id: str, frame: ForAdmin) -> Response:  # noqa: A002  # the path's own word
    """What an erasure takes and what it leaves, before it is done."""
    _, person = await _find(frame, id)
    return frame.page("admin/person_erase.html", "people", {"person": person, "name": _name_of(person)})


@router.post("/{id}/erase")
async def erase(id: str, writer: AdminWriter) -> Response:  # noqa: A002  # the path's own word
    """Erase the person, whatever their rows are merged from."""
    frame, _ = writer
    await _find(frame, id)
    await erase_person(frame.session, frame.context, frame.staff.actor, {"reference": id}, now=clock.now())
    done = translate(SOURCE, "Erased. Amounts and scores stay without a name.")
    return frame.redirect(frame.url(f"/admin/customers/{id}"), done)


async def _find(frame: Frame, shown_id: str) -> tuple[UUID, CustomerRow]:
    """The customer's id and row; raises NotFound for one that the reader may not see."""
    customer_id = parse_public_id("cus", shown_id)
    found = CUSTOMERS.visible(frame.staff.actor).where(CUSTOMERS.key == customer_id)
    row = await read_first(frame.session, found)
    if row is None or public_id("cus", customer_id) != shown_id:
        raise NotFound
    return customer_id, CUSTOMERS.shape(row, pii=frame.sees_people)


def _name_of(person: CustomerRow) -> str:
    return person.name or person.email or translate(SOURCE, "A customer")
