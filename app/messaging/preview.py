"""How a message would look that nobody gets yet, with links that open nothing."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from uuid import UUID

from app.base.context import AppContext
from app.base.ids import new_id
from app.brands.models import Brand, Shop
from app.brands.programme import Channel
from app.messaging.gsm import Segments, count_segments
from app.messaging.own_texts import Blocks, OwnTexts, Replaced, replaced_texts
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


@dataclass(frozen=True, slots=True)
class Previewer:
    """Renders messages that nobody gets, in the look of one shop of a brand."""

    context: AppContext
    brand: Brand
    shop: Shop

    def template(
        self,
        spec: TemplateSpec,
        locale: str,
        blocks: Blocks,
        *,
        complete: bool = True,
        values: "DataclassInstance | None" = None,
    ) -> Preview:
        """The template in a language with these blocks in place of ours.

        `values` are its parameters, else its own sample's; with `complete=False` only those that
        are always there. Links are of real length and lead to nothing.
        """
        values = values or spec.sample
        if not complete:
            values = replace(values, **{each.name: None for each in spec.param_list if each.optional})
        contents = {
            channel: self._render(spec, channel, locale, replaced_texts(spec, channel, blocks), values)
            for channel in spec.channels
        }
        sms = contents[Channel.sms].text if Channel.sms in contents else None
        return Preview(contents.get(Channel.email), sms, None if sms is None else count_segments(sms))

    def message(
        self, spec: TemplateSpec, channel: Channel, locale: str, texts: OwnTexts, values: "DataclassInstance"
    ) -> Content:
        """One message as it would be sent now with these parameters; its links are masked."""
        replaced = texts.replaced(spec, channel, self.brand.language_for(locale))
        return self._render(spec, channel, locale, replaced, values, masked=True)

    def _render(
        self,
        spec: TemplateSpec,
        channel: Channel,
        locale: str,
        texts: Replaced,
        values: "DataclassInstance",
        *,
        masked: bool = False,
    ) -> Content:
        params = read_params(spec, stored_params(spec, values))
        if params is None:
            raise ValueError(f"the template {spec.name!r} needs more than these parameters")
        public_url = self.context.settings.public_url
        branding = branding_of(self.brand, self.shop, public_url)
        version = current_version(spec, channel, self.brand.language_for(locale), branding, texts)
        links = Links(self.context.tokens, public_url, self.brand.id, masked=masked)
        return render(version, Sample(new_id(), new_id(), locale, params), links)
