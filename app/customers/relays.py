"""E-mail addresses that are not a person's own: marketplaces' relays and no-reply addresses. Pure.

A marketplace gives its sellers a relay instead of the buyer's address, allows messages about the
order alone, and may give one address to several buyers. Such an address identifies nobody.
"""

import re

_RELAYS = re.compile(
    r"(?:[a-z0-9-]+\.)*(?:"
    r"marketplace\.amazon\.[a-z.]{2,6}"
    r"|members\.ebay\.[a-z.]{2,6}"
    r"|relay\.walmart\.com|relay\.faire\.com|marketplace\.newegg\.com"
    r"|allegromail\.pl|user\.allegrogroup\.pl"
    r"|verkopen\.bol\.com|notification\.mirakl\.net"
    r"|scs[0-9]?\.tiktok[a-z0-9]*\.[a-z]{2,3}|fw\.rakuten\.ne\.jp"
    r"|mail\.mercadolibre\.com(?:\.[a-z]{2})?"
    r")"
)
_NO_REPLY = re.compile(
    r"(?:no|do[._-]?not|nicht|ne[._-]?pas|non|nao)[._-]?"
    r"(?:reply|respond(?:er|a)?|e?mail|antworten|repondre|rispondere)(?:[._+-].*)?"
    r"|none|null"
)
"""`noemail` and `none` are what shop assistants type where the till demands an address."""


def is_relay(address: str | None) -> bool:
    """Whether a normalised address is a marketplace's relay or one that nobody reads.

    A person's own relay, such as Apple's Hide My Email, is their address.
    """
    local, _, domain = (address or "").rpartition("@")
    return bool(_RELAYS.fullmatch(domain) or _NO_REPLY.fullmatch(local))
