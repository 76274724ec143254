"""The registry of message templates.

Each package registers the ones it sends; none is known here by name.

Parameters have neither links nor tokens: these are derived when a message is rendered, so a leaked
table opens nothing.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass, replace
from datetime import datetime
from enum import StrEnum
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any, get_args, get_type_hints
from uuid import UUID

from pydantic import AfterValidator
from sqlalchemy.ext.asyncio import AsyncSession

from app.base.i18n import NO_BREAK
from app.base.text import one_line, several_lines
from app.brands.programme import Channel
from app.customers.names import shown_name
from app.messaging.rules import Priority
from app.messaging.text_rules import TextBlock

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


class ParamKind(StrEnum):
    """How a parameter's value is cleaned and shown."""

    text = "text"
    person_name = "person_name"
    """Left out of the greeting where `shown_name` shows none."""
    date = "date"
    """Stored as an ISO date, shown in the reader's language."""
    choice = "choice"
    """One of a few words that the template compares; never shown itself."""
    amount = "amount"
    """An amount or a percentage in words, `10 €`, that is not divided between lines."""
    lines = "lines"
    """Somebody's own words with their line breaks, which HTML shows too; never in a subject."""


@dataclass(frozen=True, slots=True)
class ParamType:
    """Annotation of a parameter: `first_name: Annotated[str | None, PERSON_NAME]`."""

    kind: ParamKind = ParamKind.text
    max_length: int = 120
    """Characters; longer values are cut. Without lines a message's values stay far below the 10,000
    bytes that a provider puts into one of many mails."""


PERSON_NAME = ParamType(ParamKind.person_name, 40)
SHORT_TEXT = ParamType(ParamKind.text, 80)
DATE = ParamType(ParamKind.date)
CHOICE = ParamType(ParamKind.choice)
AMOUNT = ParamType(ParamKind.amount)


@dataclass(frozen=True, slots=True)
class Param:
    """One field of a template's parameters."""

    name: str
    type: ParamType
    optional: bool


class LinkRow(StrEnum):
    """Which row of a message a link's token names."""

    subject = "subject"
    customer = "customer"


@dataclass(frozen=True, slots=True)
class TokenLink:
    """A link with the token of `purpose` for one row after `path`; whoever has it may open it."""

    path: str
    purpose: str
    row: LinkRow | str
    """Of the message; or the name of a parameter that holds the id of another row."""


@dataclass(frozen=True, slots=True)
class ParamLink:
    """A public link: the value of a parameter after `path`."""

    path: str
    param: str


Link = TokenLink | ParamLink
WhenAccepted = Callable[[AsyncSession, int, Sequence[UUID], datetime], Awaitable[None]]
"""Called in the transaction that records that a provider accepted messages of a template: with the
brand's number, the subjects of these messages and the time. Their rows are locked: it must not wait
for another lock. What a provider reports later by itself is not passed to it."""
UNSUBSCRIBE = "unsubscribe_link"
"""The link that every template to customers has, and their mails' List-Unsubscribe header."""


@dataclass(frozen=True, eq=False)
class TemplateSpec:
    """One template: its files in `templates/`, its parameters and its rules of sending."""

    name: str
    """Unique. Names `templates/emails/<name>/` and `templates/sms/<name>.txt`."""
    params: type["DataclassInstance"]
    """A frozen dataclass of `str` and `str | None` fields, annotated with a `ParamType` where
    needed."""
    sample: "DataclassInstance"
    subject_prefix: str
    """Public id prefix of the row that a message of this template is about, such as `sur`."""
    links: Mapping[str, Link] = field(default_factory=dict)
    """By the name used in the template's files, besides `unsubscribe_link`."""
    channels: frozenset[Channel] = frozenset(Channel)
    priority: Priority = Priority.normal
    quiet_hours: frozenset[Channel] = frozenset(Channel)
    """Channels on which a message waits for the end of the quiet hours."""
    blocks: tuple[TextBlock, ...] = ()
    """The texts that a brand may write itself."""
    needs_consent: bool = True
    """False for what a person waits for, as they wrote first: no consent to messages is needed, but
    a suppressed address and an erased person get nothing."""
    content: str = ""
    """The template whose files and brands' own texts it has; empty for those of its own name."""
    to_staff: bool = False
    """Its messages go to the address that they were queued with, have no customer and nothing to
    unsubscribe from."""
    when_accepted: WhenAccepted | None = None

    @property
    def content_name(self) -> str:
        """The name that its files and brands' own texts have."""
        return self.content or self.name

    @cached_property
    def param_list(self) -> tuple[Param, ...]:
        """The parameters in order."""
        hints = get_type_hints(self.params, include_extras=True)
        return tuple(_param(each.name, hints[each.name]) for each in fields(self.params))

    @cached_property
    def all_links(self) -> Mapping[str, Link]:
        """The template's links, and the unsubscribe link of one to customers."""
        if self.to_staff:
            return MappingProxyType(dict(self.links))
        unsubscribe = TokenLink("/u/", "unsubscribe", LinkRow.customer)
        return MappingProxyType({**self.links, UNSUBSCRIBE: unsubscribe})

    def names_of(self, kind: ParamKind) -> tuple[str, ...]:
        """Names of the parameters of one kind."""
        return tuple(param.name for param in self.param_list if param.type.kind is kind)


def _param(name: str, hint: Any) -> Param:
    declared, *extras = get_args(hint) if hasattr(hint, "__metadata__") else (hint,)
    kind = next((extra for extra in extras if isinstance(extra, ParamType)), ParamType())
    return Param(name, kind, type(None) in get_args(declared))


_REGISTRY: dict[str, TemplateSpec] = {}


def register(spec: TemplateSpec) -> TemplateSpec:
    """Add a template; `ValueError` for a name that is taken or a sample of another type."""
    if spec.name in _REGISTRY:
        raise ValueError(f"the template {spec.name!r} is registered twice")
    if not is_dataclass(spec.params) or not isinstance(spec.sample, spec.params):
        raise ValueError(f"the sample of the template {spec.name!r} is of another type")
    _REGISTRY[spec.name] = spec
    return spec


def staff_copy(spec: TemplateSpec) -> TemplateSpec:
    """The template by which staff send a message to themselves, to see it in their own mailbox.

    Its links are of real length and lead to nothing.
    """
    found = _COPIES.get(f"staff_{spec.name}")
    if found is None:
        links = {
            name: replace(link, row=LinkRow.subject)
            if isinstance(link, TokenLink) and link.row is LinkRow.customer
            else link
            for name, link in spec.all_links.items()
        }
        found = replace(
            spec,
            name=f"staff_{spec.name}",
            content=spec.name,
            subject_prefix="smp",
            links=links,
            channels=frozenset({Channel.email}),
            priority=Priority.urgent,
            quiet_hours=frozenset(),
            to_staff=True,
            when_accepted=None,
        )
        _COPIES[found.name] = found
    return found


_COPIES: dict[str, TemplateSpec] = {}
"""By name; made when they are first needed."""


def registered() -> list[TemplateSpec]:
    """All registered templates by name."""
    return [_REGISTRY[name] for name in sorted(_REGISTRY)]


def customer_templates() -> list[TemplateSpec]:
    """Those of messages to customers."""
    return [spec for spec in registered() if not spec.to_staff]


def find_template(name: str) -> TemplateSpec | None:
    """The template with this name, None for one that no package registers (any more).

    Copies to staff are found too.
    """
    found = _REGISTRY.get(name)
    if found is None and (original := _REGISTRY.get(name.removeprefix("staff_"))) is not None:
        return None if original.to_staff else staff_copy(original)
    return found


def _check_name(name: str) -> str:
    if name not in _REGISTRY:
        raise ValueError("must be one of: " + ", ".join(sorted(_REGISTRY)))
    return name


TemplateName = Annotated[str, AfterValidator(_check_name)]
"""The name of a registered template, as a query parameter or a field."""


def stored_params(spec: TemplateSpec, params: "DataclassInstance") -> dict[str, str | None]:
    """The parameters as stored in a message's row: in one line but for `lines`, None if empty.

    Raises `TypeError` for parameters of another template.
    """
    if not isinstance(params, spec.params):
        raise TypeError(f"the template {spec.name!r} takes {spec.params.__name__}")
    return {param.name: _stored(param.type, getattr(params, param.name)) for param in spec.param_list}


def _stored(declared: ParamType, value: str | None) -> str | None:
    if declared.kind is ParamKind.person_name:
        return shown_name(value)
    if declared.kind is ParamKind.lines:
        return several_lines(value, limit=declared.max_length) or None if value else None
    line = one_line(value, limit=declared.max_length, ellipsis=True) if value else None
    if line and declared.kind is ParamKind.amount:
        line = line.replace(" ", NO_BREAK)
    return line or None


def read_params(spec: TemplateSpec, stored: Mapping[str, str | None]) -> dict[str, str | None] | None:
    """A row's parameters with exactly the template's present names.

    None where one that the template needs is missing, as after an erasure. Names of former versions
    of the template are left out.
    """
    values = {param.name: stored.get(param.name) for param in spec.param_list}
    complete = all(param.optional or param.name in stored for param in spec.param_list)
    return values if complete and stored else None
