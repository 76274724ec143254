"""Routers that are passed over by a request which cannot be theirs."""

from typing import Any

from fastapi import APIRouter
from starlette.routing import Match
from starlette.types import Scope


class PrefixRouter(APIRouter):
    """A router all of whose paths begin with one of a few prefixes.

    A request for another one is passed on without trying the routes one by one.
    """

    def __init__(self, *prefixes: str, **options: Any) -> None:
        super().__init__(**options)
        self._prefixes = prefixes

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Whether a route of the router is meant."""
        if not scope["path"].startswith(self._prefixes):
            return Match.NONE, {}
        return super().matches(scope)
