"""The language of texts that a screen of the programme shows."""

from typing import Annotated

from fastapi import Depends, Request

from app.base.i18n import languages


async def _language(request: Request) -> str:
    """The language of the address; empty for none of ours, which is the brand's own."""
    wanted = request.query_params.get("language", "")
    return wanted if wanted in languages() else ""


LanguageDep = Annotated[str, Depends(_language)]
