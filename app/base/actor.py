"""Actors: one value for everybody who can change something."""

from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from app.base.ids import public_id


class ActorKind(StrEnum):
    """The kinds of actors."""

    api_key = "api_key"
    staff = "staff"
    cli = "cli"
    worker = "worker"
    customer = "customer"
    platform = "platform"


_PREFIXES = {
    ActorKind.api_key: "key",
    ActorKind.staff: "stf",
    ActorKind.customer: "cus",
    ActorKind.platform: "shp",
}


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts, for one brand only; `sees_people` is whether personal fields are shown unmasked.

    `id` is the row of the key, staff member, customer or shop; the CLI and the worker have none.
    `shops` are those that they may see, None for every one.
    """

    kind: ActorKind
    brand_id: int
    id: UUID | None = None
    sees_people: bool = False
    shops: frozenset[UUID] | None = None

    @property
    def name(self) -> str:
        """The public id (`key_…`, `stf_…`), or the kind for an actor without an id."""
        prefix = _PREFIXES.get(self.kind)
        return self.kind.value if self.id is None or prefix is None else public_id(prefix, self.id)


def cli_actor(brand_id: int) -> Actor:
    """Return the actor of CLI commands; it sees personal fields."""
    return Actor(ActorKind.cli, brand_id, sees_people=True)
