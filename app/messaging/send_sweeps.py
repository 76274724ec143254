"""The sweeps that send messages: all that is due, and urgent ones beside it."""

from collections.abc import Mapping, Sequence

from app.base.context import AppContext
from app.base.turns import Sweep
from app.brands.programme import Channel
from app.messaging.claim import AT_ONCE
from app.messaging.dispatch import Dispatcher
from app.messaging.own_providers import OwnProviders
from app.messaging.providers.protocol import Provider
from app.messaging.queue import SWEEP_NAME, URGENT_SWEEP_NAME
from app.messaging.rules import Priority

URGENT_AT_ONCE = 16
URGENT_OF_BRAND = 4
"""Urgent batches side by side, and those of one brand: they mostly wait for the provider, and an
offer should not wait for the one before it."""


def sweep(
    context: AppContext,
    providers: Mapping[Channel, Provider],
    own: OwnProviders | None = None,
    *,
    claim_size: int = AT_ONCE,
    priorities: Sequence[Priority] = (Priority.urgent, Priority.normal),
) -> Sweep:
    """Send what is due, the urgent priority first, in claims of at most `claim_size` messages.

    A brand with an account in `own` is sent for by that, the others by the installation's. Where
    `urgent_sweep` runs beside it, it is given the normal priority alone: claimed by it, an offer
    would wait for what it does with surveys.
    """
    dispatcher = Dispatcher(context, providers, priorities, claim_size, own)
    return Sweep(SWEEP_NAME, dispatcher.brands, dispatcher.work)


def urgent_sweep(
    context: AppContext, providers: Mapping[Channel, Provider], own: OwnProviders | None = None
) -> Sweep:
    """Send the urgent priority alone.

    It runs beside `sweep`, so nobody with the page open waits for a provider that is slow at
    surveys.
    """
    dispatcher = Dispatcher(context, providers, (Priority.urgent,), own=own)
    return Sweep(
        URGENT_SWEEP_NAME,
        dispatcher.brands,
        dispatcher.work,
        every_seconds=1,
        at_once=URGENT_AT_ONCE,
        of_brand=URGENT_OF_BRAND,
        by_brand=True,
    )
