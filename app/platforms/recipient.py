"""Whether a parcel goes to the buyer, by the names in an order. Pure."""

from app.platforms.fields import Fields


def is_buyers(shipping: Fields, *buyer: Fields) -> bool:
    """Whether nothing says that the parcel goes to somebody else than these objects name."""
    recipient = _full_name(shipping)
    if not recipient:
        return True
    names = {name for each in buyer if (name := _full_name(each))}
    return not names or recipient in names


def _full_name(of: Fields) -> str:
    names = (of.text(name, limit=100) or "" for name in ("first_name", "last_name"))
    return " ".join(" ".join(names).casefold().split())
