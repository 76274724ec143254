"""How a message would look that nobody gets yet, with links that open nothing."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from uuid import UUID

from app.base.context import AppContext
from app.base.ids import new_id
from app.brands.models import Brand, Shop
from app.brands.programme import Channel
from app.messaging.gsm import Segments, count_segments
from app.messaging.own_texts import Blocks, OwnTexts, replaced_texts
from app.messaging.providers.protocol import Content
from app.messaging.render import Links, Params, render
from app.messaging.templates import TemplateSpec, read_params, stored_params
from app.messaging.versions import branding_of, current_version

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


@dataclass(frozen=True, slots=True)
class Sample:
    """A message that nobody gets."""

    customer_id: UUID
    subject_id: UUID
    locale: str
    template_params: Params


@dataclass(frozen=True, slots=True)
class Preview:
    """Both channels of a template; None for one that it lacks."""

    email: Content | None
    sms: str | None
    segments: Segments | None


def preview(  # what a message is made of
    context: AppContext,
    brand: Brand,
    shop: Shop,
    spec: TemplateSpec,
    locale: str,
    blocks: Blocks,
    *,
    complete: bool = True,
    values: "DataclassInstance | None" = None,
) -> Preview:
    """The template in a language with these blocks in place of ours.

    `values` are its parameters, else its own sample's; with `complete=False` only those that are
    always there. Links are of real length and lead to nothing.
    """
    values = values or spec.sample
    if not complete:
        values = replace(values, **{each.name: None for each in spec.param_list if each.optional})
    params = read_params(spec, stored_params(spec, values))
    assert params is not None  # noqa: S101  # a sample has all that its template needs
    message = Sample(new_id(), new_id(), locale, params)
    links = Links(context.tokens, context.settings.public_url, brand.id)
    language = brand.language_for(locale)
    branding = branding_of(brand, shop, context.settings.public_url)
    contents = {
        channel: render(
            current_version(spec, channel, language, branding, replaced_texts(spec, channel, blocks)),
            message,
            links,
        )
        for channel in spec.channels
    }
    sms = contents[Channel.sms].text if Channel.sms in contents else None
    return Preview(contents.get(Channel.email), sms, None if sms is None else count_segments(sms))


def preview_message(  # what a message is made of
    context: AppContext,
    brand: Brand,
    shop: Shop,
    texts: OwnTexts,
    spec: TemplateSpec,
    channel: Channel,
    locale: str,
    values: "DataclassInstance",
) -> Content:
    """One message as it would be sent now with these parameters; its links lead to nothing."""
    params = read_params(spec, stored_params(spec, values))
    if params is None:
        raise ValueError(f"the template {spec.name!r} needs more than these parameters")
    language = brand.language_for(locale)
    branding = branding_of(brand, shop, context.settings.public_url)
    version = current_version(spec, channel, language, branding, texts.replaced(spec, channel, language))
    links = Links(context.tokens, context.settings.public_url, brand.id, masked=True)
    return render(version, Sample(new_id(), new_id(), locale, params), links)
