"""What an adapter does where its platform takes codes: friends' codes, and codes of rewards."""

from collections.abc import Sequence
from typing import ClassVar, Protocol

import aiohttp

from app.base.errors import Outcome, OutsideError
from app.platforms.connection_types import Connection
from app.platforms.discounts import CodePage, CodeToPublish, Discount, PublishedCode, PublishReport
from app.platforms.reward_codes import RewardCode


def _takes_none() -> OutsideError:
    return OutsideError(Outcome.refused, "The platform takes no codes.", permanent=True)


class TakesCodes(Protocol):
    """Codes in a connected shop. By default the platform takes none: a permanent refusal."""

    publishes_codes: ClassVar[bool] = False
    """Whether codes are put into a connected shop before they work. Without it every code works at
    once, as does one of a shop that is not connected: the shop asks us, or reports it."""
    codes_at_once: ClassVar[int] = 100
    """The most codes of one call."""
    shares_discount: ClassVar[bool] = False
    """Whether the codes under the same terms share a discount, which must be made first."""

    async def publish_codes(
        self,
        http: aiohttp.ClientSession,  # noqa: ARG002  # for platforms that take codes
        connection: Connection,  # noqa: ARG002
        discount: Discount,  # noqa: ARG002
        codes: Sequence[CodeToPublish],  # noqa: ARG002
    ) -> PublishReport:
        """Make at most `codes_at_once` codes work in the shop; returns the result of each.

        A code is in the shop at most once, however often this is called and wherever it broke off.
        With `shares_discount` it makes the discount with the first code where `discount.remote_id`
        is None; that is called by one process at a time. A code that is there already under our
        discount is `Live`. Raises `OutsideError`: `refused` where none of the codes was put into
        the shop, `unknown` where any of them may have been.
        """
        raise _takes_none()

    async def revoke_codes(
        self,
        http: aiohttp.ClientSession,  # noqa: ARG002
        connection: Connection,  # noqa: ARG002
        discount: Discount,  # noqa: ARG002
        codes: Sequence[PublishedCode],  # noqa: ARG002
    ) -> list[str | None]:
        """Take at most `codes_at_once` codes out of the shop, and nobody else's.

        Returns why one could not be, in the order given; None where it is gone, or never was there.
        Of one that is not found and `may_come` it returns `NOT_THERE_YET`. Raises `OutsideError`
        where that holds for all of them; it may be repeated.
        """
        raise _takes_none()

    async def list_codes(
        self,
        http: aiohttp.ClientSession,  # noqa: ARG002
        connection: Connection,  # noqa: ARG002
        discount: Discount,  # noqa: ARG002
        after: str | None,  # noqa: ARG002
    ) -> CodePage:
        """A page of what the shop has of our codes under these terms. Raises `OutsideError`."""
        raise _takes_none()

    async def repair_codes(
        self,
        http: aiohttp.ClientSession,  # noqa: ARG002
        connection: Connection,  # noqa: ARG002
        discount: Discount,  # noqa: ARG002
        codes: Sequence[PublishedCode],  # noqa: ARG002
    ) -> None:
        """Set the discount, or at most `codes_at_once` codes of their own, to what they must be.

        Raises `OutsideError`; it may be repeated.
        """
        raise _takes_none()

    async def put_reward(
        self,
        http: aiohttp.ClientSession,  # noqa: ARG002
        connection: Connection,  # noqa: ARG002
        reward: RewardCode,  # noqa: ARG002
        remote_id: str | None,  # noqa: ARG002
    ) -> str:
        """Make a reward's code be in the shop as it must be; returns the platform's id of it.

        `remote_id` is what an earlier call has returned. It may be repeated, whatever an earlier
        call left: the code is there once. Raises `OutsideError`, permanent where the shop refuses.
        """
        raise _takes_none()

    async def remove_reward(
        self,
        http: aiohttp.ClientSession,  # noqa: ARG002
        connection: Connection,  # noqa: ARG002
        reward: RewardCode,  # noqa: ARG002
        remote_id: str | None,  # noqa: ARG002
    ) -> None:
        """Take a reward's code out of the shop, where it is; another one of the name stays.

        It may be repeated. Raises `OutsideError`.
        """
        raise _takes_none()
