"""Filters as texts, which addresses, requests and stored rows have alike."""

from typing import TypedDict


class FilterTexts(TypedDict, total=False):
    """A filter as addresses and requests have it; what is left out or empty asks for all."""

    status: str
    referrer: str
    code: str
    shop: str
    reason: str
    start: str
    end: str
