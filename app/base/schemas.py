"""The base classes of everything that the API returns: models, pages of a list, and problems.

Times are aware UTC and end in `Z`; amounts are decimal strings; ids carry a prefix. A field that
holds a word of an enum is typed `Enum | str`: a word that is not known yet is still readable.
"""

from typing import Any, Generic, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Row

T = TypeVar("T")


class ApiModel(BaseModel):
    """A model that leaves the program: in responses, exports and webhook bodies alike."""

    model_config = ConfigDict(populate_by_name=True, serialize_by_alias=True)


class RowModel(ApiModel):
    """The model of one row of a list."""

    id: str

    @classmethod
    def from_row(cls, row: Row[Any], *, pii: bool) -> Self:
        """Build the model of a selected row; personal fields are masked unless `pii`."""
        raise NotImplementedError


class Page(ApiModel, Generic[T]):
    """One page of a list, newest first."""

    data: list[T]
    next_cursor: str | None = Field(
        description="Send it as `cursor` for the next page; null on the last one."
    )


class Received(ApiModel):
    """What a webhook endpoint returns once the delivery is committed."""

    received: Literal[True] = True


class FieldProblem(ApiModel):
    """What is wrong with one part of a request."""

    where: str = Field(description="Path of the part, such as `body.name`.")
    problem: str


class Problem(ApiModel):
    """An error in the format of RFC 9457; `code` is stable, `detail` is one sentence for people."""

    type: str = "about:blank"
    title: str
    status: int
    code: str
    detail: str
    errors: list[FieldProblem] | None = Field(default=None, description="Only where `code` is `invalid`.")


class RedemptionProblem(Problem):
    """An order was recorded, but its code does not count."""

    reason: str = Field(description="Why, in the words of a redemption's `reason`.")
    redemption: str | None = Field(description="The refused redemption, where there is one.")
