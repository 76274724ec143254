"""How mail leaves an installation, as far as its settings tell."""

from dataclasses import dataclass

from app.base.config import EmailProvider, Settings
from app.messaging import sender_rules as rules

SENDGRID_SELECTORS = ("s1", "s2")
_INCLUDES = {
    "gmail.com": "include:_spf.google.com",
    "google.com": "include:_spf.google.com",
    "office365.com": "include:spf.protection.outlook.com",
    "outlook.com": "include:spf.protection.outlook.com",
}
"""Mail servers that keep the return path, by the domain of their hosts, and what SPF must have."""
_OWN_RETURN_PATH = frozenset(
    [
        "amazonaws.com",
        "mailgun.org",
        "postmarkapp.com",
        "mailjet.com",
        "brevo.com",
        "sendgrid.net",
        "sparkpostmail.com",
    ]
)
"""Mail servers that replace the return path by one of their own, or by one that is set there."""


@dataclass(frozen=True, slots=True)
class SenderPath:
    """How mail leaves: what the settings say of it."""

    provider: EmailProvider
    host: str | None
    """The mail server, where it is one."""
    is_local: bool
    selectors: tuple[str, ...]
    return_path: str | None
    """The domain of the return path, where it is not the sender's own."""
    is_own: bool = False
    """Whether it is a brand's own account, of which the settings tell nothing."""

    @classmethod
    def of(cls, settings: Settings) -> "SenderPath":
        """The path of an installation."""
        server = settings.mail_server if settings.email_provider is EmailProvider.smtp else None
        is_sendgrid = settings.email_provider is EmailProvider.sendgrid
        return cls(
            settings.email_provider,
            server.host.lower() if server else None,
            bool(server and server.is_local),
            settings.dkim_selector_list or (SENDGRID_SELECTORS if is_sendgrid else ()),
            settings.return_path_domain,
        )

    @classmethod
    def of_own(cls, provider: str, account: str) -> "SenderPath":
        """The path of a brand's own account: SendGrid with its usual selectors, or a mail server.

        `account` is a mail server's `host:port`.
        """
        if provider == EmailProvider.sendgrid:
            return cls(
                EmailProvider.sendgrid, None, is_local=False, selectors=SENDGRID_SELECTORS, return_path=None
            )
        host = account.rpartition(":")[0].lower()
        return cls(EmailProvider.smtp, host, is_local=False, selectors=(), return_path=None, is_own=True)

    @property
    def keeps_return_path(self) -> bool:
        """Whether a bounce goes to the sender's own address."""
        if self.return_path is not None or self.provider is EmailProvider.sendgrid:
            return False
        return not any(rules.lies_within(self.host or "", each) for each in _OWN_RETURN_PATH)

    @property
    def include(self) -> str | None:
        """What an SPF record has for the mail server, where that is one of a large service's."""
        return next(
            (text for name, text in _INCLUDES.items() if rules.lies_within(self.host or "", name)), None
        )
