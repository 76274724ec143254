"""The words by which shops state that somebody agreed, or did not. Pure."""

_YES = frozenset(
    {"subscribed", "granted", "given", "confirmed", "accepted", "opted_in", "opt_in", "yes", "true"}
)
_NO = frozenset(
    {
        "unsubscribed",
        "denied",
        "refused",
        "declined",
        "withdrawn",
        "revoked",
        "opted_out",
        "opt_out",
        "no",
        "false",
    }
)


def consent_of_word(word: str) -> bool | None:
    """Whether a word, in any case, means consent or its refusal; None for an unknown one."""
    plain = word.strip().lower()
    return True if plain in _YES else False if plain in _NO else None
