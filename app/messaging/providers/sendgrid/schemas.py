"""SendGrid's event webhook in OpenAPI: headers, the fields that are used, an example."""

from pydantic import BaseModel, ConfigDict, Field, RootModel

from app.messaging.providers.sendgrid.client import ATTEMPT_ARGUMENT
from app.messaging.providers.sendgrid.events import SIGNATURE_HEADER, TIMESTAMP_HEADER

HEADERS = {
    SIGNATURE_HEADER: "The base64 of an ECDSA signature over timestamp and body; without a public key in "
    "the settings it is not checked in development.",
    TIMESTAMP_HEADER: "Unix seconds.",
}


class SendGridEvent(BaseModel):
    """One event of one mail. Other events are accepted and ignored."""

    model_config = ConfigDict(extra="allow")

    event: str = Field(description="Such as `processed`, `delivered`, `bounce`, `dropped`, `spamreport`.")
    email: str
    timestamp: int = Field(description="Unix seconds.")
    sg_event_id: str = Field(description="Events are stored once by it.")
    sg_message_id: str | None = None
    tenfold_attempt: str | None = Field(
        default=None, description="The token that the mail was sent with; an event without it is ignored."
    )
    reason: str | None = None
    type: str | None = Field(default=None, description="Of a bounce: `bounce` or `blocked`.")


class SendGridEvents(RootModel[list[SendGridEvent]]):
    """What SendGrid posts at once."""


EXAMPLE = [
    {
        "event": "delivered",
        "email": "ana@example.com",
        "timestamp": 1773144000,
        "sg_event_id": "ZGVsaXZlcmVkLTAtMTA0Mg",
        "sg_message_id": "14c5d75ce93.dfd.64b469.filter0001",
        "smtp-id": "<14c5d75ce93.dfd.64b469@ismtpd-555>",
        "response": "250 OK",
        ATTEMPT_ARGUMENT: "the token that the mail was sent with",
    }
]
