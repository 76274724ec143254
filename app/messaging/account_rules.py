"""Which credentials a brand's own account at a provider has, and how they must look. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from app.base.mail_server import parse_mail_server
from app.brands.programme import Channel


@dataclass(frozen=True, slots=True)
class AccountEntry:
    """An account as somebody enters it, checked for its form."""

    channel: Channel
    provider: str
    account: str
    """What names it and is no secret."""
    sender: str | None
    """What texts are sent from; None for mail, whose sender is the brand's `email_from`."""
    credentials: Mapping[str, str] = field(repr=False)


@dataclass(frozen=True, slots=True)
class _Form:
    """The form of one provider's credentials: a pattern for each, and which may be missing."""

    channel: Channel
    credentials: Mapping[str, str]
    optional: frozenset[str] = frozenset()
    sender: str | None = None
    """The pattern of `from`; None for mail."""


_FORMS: Mapping[str, _Form] = {
    "sendgrid": _Form(
        Channel.email,
        {"api_key": r"SG\.[\w-]+\.[\w-]+", "event_public_key": r"[A-Za-z0-9+/=]{80,400}"},
        optional=frozenset({"event_public_key"}),
    ),
    "smtp": _Form(Channel.email, {"url": r"(?s).*"}),
    "twilio": _Form(
        Channel.sms,
        {"account_sid": r"AC[0-9a-fA-F]{32}", "auth_token": r"[\x21-\x7e][\x20-\x7e]{7,199}"},
        sender=r"MG[0-9a-fA-F]{32}",
    ),
}
EXAMPLES = {
    "api_key": "SG.… of SendGrid's settings",
    "event_public_key": "the verification key of SendGrid's event webhook",
    "url": "smtps://user:password@mail.example.com:465",
    "account_sid": "AC… of Twilio's console",
    "auth_token": "the auth token of Twilio's console",
}


def circuit_of(provider: str, brand_id: int) -> str:
    """The circuit of a brand's own account; the installation's has the provider's name."""
    return f"{provider}/{brand_id}"


def is_own_circuit(name: str) -> bool:
    """Whether a circuit is that of a brand's own account."""
    return "/" in name


def read_entry(
    channel: Channel, provider: str, credentials: Mapping[str, str], sender: str | None
) -> AccountEntry | str:
    """The entered account, or a sentence that says what is wrong with it.

    For mail `sender` is an address, which is checked elsewhere.
    """
    form = _FORMS.get(provider)
    if form is None or form.channel is not channel:
        names = ", ".join(name for name, each in _FORMS.items() if each.channel is channel)
        return f"A brand's own provider of {channel} is one of: {names}."
    problem = _problem_of(form, provider, credentials, sender)
    if problem is not None:
        return problem
    try:
        account = _name_of(credentials)
    except ValueError as error:
        return f"The credential url {error}."
    return AccountEntry(channel, provider, account, sender if form.sender else None, dict(credentials))


def _problem_of(form: _Form, provider: str, credentials: Mapping[str, str], sender: str | None) -> str | None:
    """What is missing, unknown or cannot be right."""
    for name in form.credentials.keys() - form.optional - credentials.keys():
        return f"The credential {name} is missing; give {EXAMPLES[name]}."
    for name, value in credentials.items():
        if name not in form.credentials:
            return f"{provider} has no credential {name[:40]}; it has {', '.join(form.credentials)}."
        if not re.fullmatch(form.credentials[name], value):
            return f"The credential {name} cannot be right; give {EXAMPLES[name]}."
    if form.sender is not None and not re.fullmatch(form.sender, sender or ""):
        return "Texts are sent from a messaging service; give its SID, MG…, as `from`."
    return None


def _name_of(credentials: Mapping[str, str]) -> str:
    """What names the account. Raises `ValueError` where a mail server's address is none."""
    if "url" in credentials:
        server = parse_mail_server(credentials["url"])
        if server.user is None:
            raise ValueError("must have a user and a password")
        # Some services use one token as user and as password, so the user is not shown.
        return f"{server.host}:{server.port}"
    return credentials.get("account_sid") or credentials["api_key"].split(".")[1]
