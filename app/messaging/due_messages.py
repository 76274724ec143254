"""Decide about each due message: it is claimed, deferred to a later time, or dropped."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from app.base.frozen import quick
from app.base.ids import new_id
from app.brands.models import Brand, Shop
from app.brands.programme import Channel, QuietHours
from app.brands.rules import country_quiet_hours, next_daytime, zone_or
from app.customers.rules import ContactOptions, NoContactReason
from app.messaging.own_texts import OwnTexts
from app.messaging.render import Params
from app.messaging.rules import MessageStatus
from app.messaging.templates import TemplateSpec, find_template, read_params
from app.messaging.versions import VersionContent, branding_of, current_version


class DueMessage(NamedTuple):
    """What is read of a due message; its fields are columns."""

    id: UUID
    customer_id: UUID | None
    shop_id: UUID
    template: str
    subject_id: UUID
    step: int
    channel: str
    priority: str
    locale: str
    template_params: Params
    status: str
    attempts: int
    unknowns: int
    refusals: int
    trial: bool
    address: str | None
    """As queued, or as the latest attempt had it."""


@quick
@dataclass(frozen=True, slots=True)
class ClaimedMessage:
    """A message whose attempt is written: the process that has this must send it."""

    message_id: UUID
    attempt_id: UUID
    number: int
    """Of the attempt, from 1."""
    unknowns: int
    """Earlier attempts of unknown outcome."""
    refusals: int
    """Earlier refusals that count against the message."""
    customer_id: UUID | None
    shop_id: UUID
    subject_id: UUID
    step: int
    priority: str
    locale: str
    template_params: Params
    address: str
    version: VersionContent


class Decisions:
    """Decisions about the due messages of one brand at `now`."""

    def __init__(
        self,
        brand: Brand,
        shops: Mapping[UUID, Shop],
        quiet_hours: QuietHours | None,
        people: Mapping[UUID, ContactOptions],
        now: datetime,
        texts: OwnTexts,
        public_url: str,
    ) -> None:
        self._brand = brand
        self._texts = texts
        self._shops = shops
        self._brandings = {shop_id: branding_of(brand, shop, public_url) for shop_id, shop in shops.items()}
        self._quiet_hours = quiet_hours
        self._people = people
        self._now = now
        self._versions: dict[tuple[str, Channel, str, UUID], VersionContent] = {}
        self._daytimes: dict[tuple[str | None, str | None, UUID], datetime] = {}
        """When it is next day, by a person's zone and country and by shop."""
        self.claimed: list[ClaimedMessage] = []
        self.deferred: list[tuple[UUID, datetime]] = []
        self.dropped: list[tuple[UUID, MessageStatus, str]] = []

    def add(self, row: DueMessage) -> None:
        """Decide about one row."""
        channel, template = Channel(row.channel), find_template(row.template)
        if template is None:
            self.dropped.append((row.id, MessageStatus.failed, "unknown_template"))
            return
        params = read_params(template, row.template_params)
        if params is None:
            self.dropped.append((row.id, MessageStatus.cancelled, "erased"))
            return
        if row.customer_id is None:
            self._add_for_staff(row, template, channel, params)
            return
        person = self._people.get(row.customer_id)
        address = None if person is None else person.addresses.get(channel)
        if address is None and person is not None and not template.needs_consent:
            address = person.reply_address(channel)
        if person is None or address is None:
            refusal = person.refusals.get(channel) if person else None
            reason = (refusal or NoContactReason.no_address).value
            self.dropped.append((row.id, MessageStatus.suppressed, reason))
        elif (earliest := self._earliest(row, person, template, channel)) > self._now:
            self.deferred.append((row.id, earliest))
        else:
            self.claimed.append(self._claimed(row, template, channel, params, address))

    def _add_for_staff(
        self, row: DueMessage, template: TemplateSpec, channel: Channel, params: Params
    ) -> None:
        """Staff need no consent and have no quiet hours."""
        if row.address is None:
            self.dropped.append((row.id, MessageStatus.cancelled, "erased"))
        else:
            self.claimed.append(self._claimed(row, template, channel, params, row.address))

    def _earliest(
        self, row: DueMessage, person: ContactOptions, template: TemplateSpec, channel: Channel
    ) -> datetime:
        """When the message may be sent: `now`, or the end of the quiet hours.

        Those are in the customer's time zone, else the shop's. The first message of a trial waits
        for none.
        """
        if channel not in template.quiet_hours or (row.trial and row.step == 0):
            return self._now
        key = person.time_zone, person.country, row.shop_id
        at = self._daytimes.get(key)
        if at is None:
            zone = zone_or(person.time_zone, self._shops[row.shop_id].time_zone)
            country = country_quiet_hours(self._brand.countries, person.country)
            at = self._daytimes[key] = next_daytime(self._now, zone, self._quiet_hours, country)
        return at

    def _claimed(
        self, row: DueMessage, template: TemplateSpec, channel: Channel, params: Params, address: str
    ) -> ClaimedMessage:
        # One object for all that share it: comparing contents costs more than the rest.
        key = row.template, channel, row.locale, row.shop_id
        version = self._versions.get(key)
        if version is None:
            version = self._versions[key] = self._version_of(template, channel, row.locale, row.shop_id)
        return ClaimedMessage(
            message_id=row.id,
            attempt_id=new_id(),
            number=row.attempts + 1,
            unknowns=row.unknowns,
            refusals=row.refusals,
            customer_id=row.customer_id,
            shop_id=row.shop_id,
            subject_id=row.subject_id,
            step=row.step,
            priority=row.priority,
            locale=row.locale,
            template_params=params,
            address=address,
            version=version,
        )

    def _version_of(
        self, template: TemplateSpec, channel: Channel, locale: str, shop_id: UUID
    ) -> VersionContent:
        language = self._brand.language_for(locale)
        texts = self._texts.replaced(template, channel, language)
        return current_version(template, channel, language, self._brandings[shop_id], texts)
