"""Twilio's callbacks as OpenAPI documents them: header, the fields that are used, examples."""

from pydantic import BaseModel, ConfigDict, Field

HEADERS = {
    "X-Twilio-Signature": "The base64 of HMAC-SHA1 over the public URL and the sorted fields,"
    " by the auth token."
}


class TwilioStatus(BaseModel):
    """A text's status. Other fields are accepted and signed too."""

    model_config = ConfigDict(extra="allow")

    MessageSid: str
    MessageStatus: str = Field(description="Such as `sent`, `delivered`, `undelivered`, `failed`.")
    ErrorCode: str | None = None


class TwilioReply(BaseModel):
    """A text that a person sent to us. Other fields are accepted and signed too."""

    model_config = ConfigDict(extra="allow")

    MessageSid: str
    From: str = Field(description="The person's number, E.164.")
    Body: str
    OptOutType: str | None = Field(
        default=None, description="`STOP` or `START` where Twilio's own opt-out saw it."
    )


STATUS_EXAMPLE = {
    "MessageSid": "SM1f0e8ae6ade43cb3c0ce4525424e404f",
    "MessageStatus": "delivered",
    "To": "+4915112345678",
}
REPLY_EXAMPLE = {
    "MessageSid": "SM2f0e8ae6ade43cb3c0ce4525424e404f",
    "From": "+4915112345678",
    "To": "+4915799999999",
    "Body": "STOP",
}
