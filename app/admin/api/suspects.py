"""Decisions about responses that a machine may have given."""

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import JSONResponse

from app.admin.api.route import ApiRoute
from app.admin.auth import Writer
from app.admin.fields import Plain
from app.admin.idempotency import IdempotentWriteDep, WriteResult
from app.admin.response_work import FullResponse, decide, load_response
from app.base import clock
from app.base.ids import parse_public_id
from app.base.web.context import ContextDep
from app.base.web.openapi import problems
from app.surveys.suspects import Decision

router = APIRouter(tags=["surveys"], route_class=ApiRoute)


class SuspicionDecision(BaseModel):
    """What somebody of the team says of a suspected response."""

    model_config = ConfigDict(extra="forbid")

    decision: Decision = Field(description="`real`: a person gave it. `left_out`: no score counts it.")


@router.post("/responses/{id}/suspicion", response_model=FullResponse, responses=problems(404, 409, 410))
async def decide_suspicion(
    id: Plain,  # noqa: A002  # the path's own word
    body: SuspicionDecision,
    caller: Writer,
    context: ContextDep,
    write: IdempotentWriteDep,
) -> JSONResponse:
    """Say that a person gave a suspected response, or leave it out of the figures."""

    async def act() -> WriteResult:
        response_id = parse_public_id("rsp", id)
        await decide(write.session, caller, response_id, body.decision, now=clock.now())
        write.session.expire_all()
        return WriteResult(await load_response(write.session, context, caller, response_id))

    return await write.run(caller, act)
