"""What the API shows of a brand's own accounts at providers: never a secret."""

from collections.abc import Mapping
from datetime import datetime
from typing import Self

from pydantic import Field

from app.base.config import EmailProvider, SmsProvider
from app.base.context import AppContext
from app.base.schemas import ApiModel
from app.brands.models import Brand
from app.brands.programme import Channel
from app.messaging.accounts import opened
from app.messaging.circuit_rules import Circuit
from app.messaging.models import ProviderAccount

_EVENT_PATHS: Mapping[str, str] = {
    EmailProvider.sendgrid: "sendgrid/events/{brand}",
    SmsProvider.twilio: "twilio/inbound",
}


class ProviderShape(ApiModel):
    """The account by which the brand's messages of a channel are sent."""

    channel: Channel
    provider: str
    account: str = Field(description="Its name at the provider, that of its key, or the mail server.")
    from_: str | None = Field(alias="from", description="The brand's `email_from`, or a messaging service.")
    credentials: list[str] = Field(description="Names alone.")
    webhook_url: str | None = Field(
        description="Where the provider's events and replies are to be posted; null for a mail server."
    )
    updated_at: datetime
    problem: str | None = Field(description="Why nothing is sent by it; null while it works.")

    @classmethod
    def of(
        cls, context: AppContext, brand: Brand, row: ProviderAccount, circuit: Circuit | None = None
    ) -> Self:
        """The schema of an account; `circuit` is that of its latest failures."""
        path = _EVENT_PATHS.get(row.provider, "").format(brand=brand.slug) or None
        problem = circuit.reason if circuit is not None and circuit.is_open else None
        try:
            names = sorted(opened(context.tokens, row).credentials)
        except ValueError as error:
            names, problem = [], f"{error}"
        return cls.model_validate(
            {
                "channel": row.channel,
                "provider": row.provider,
                "account": row.account,
                "from": brand.email_from if row.channel is Channel.email else row.sender,
                "credentials": names,
                "webhook_url": path and f"{context.settings.public_url}/hooks/{path}",
                "updated_at": row.updated_at,
                "problem": problem,
            }
        )
