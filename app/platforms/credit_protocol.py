"""What an adapter does where its platform holds customers' credit."""

from typing import ClassVar, Protocol

import aiohttp

from app.base.errors import Outcome, OutsideError
from app.platforms.connection_types import Connection
from app.platforms.shop_credit import CreditHolder, CreditKind, CreditMove, CreditReport, MovedCredit


def _holds_none() -> OutsideError:
    return OutsideError(Outcome.refused, "The platform holds no credit.", permanent=True)


class HoldsCredit(Protocol):
    """Accounts of a connected shop. By default it holds no credit: a permanent refusal."""

    credit: ClassVar[CreditKind | None] = None
    """In what form a shop can hold a customer's credit; a check says whether this one does
    (`ConnectionReport.holds_credit`). None: in none."""

    async def read_credit(
        self,
        http: aiohttp.ClientSession,  # noqa: ARG002  # for platforms with accounts
        connection: Connection,  # noqa: ARG002
        holder: CreditHolder,  # noqa: ARG002
        oldest: str | None,  # noqa: ARG002
    ) -> CreditReport:
        """A customer's account, with its entries back to the one with the id `oldest`, or all.

        Raises `OutsideError`, permanent for a customer whom the shop does not know.
        """
        raise _holds_none()

    async def move_credit(
        self,
        http: aiohttp.ClientSession,  # noqa: ARG002
        connection: Connection,  # noqa: ARG002
        holder: CreditHolder,  # noqa: ARG002
        move: CreditMove,  # noqa: ARG002
    ) -> MovedCredit:
        """Credit or debit a customer's account; a first credit makes it.

        A second call moves it a second time: whoever calls looks first (`read_credit`). Raises
        `OutsideError`: `refused` where nothing was moved, and not permanent where the account holds
        less than what is to be debited.
        """
        raise _holds_none()
