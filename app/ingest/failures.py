"""Distinguish failures that belong to a delivery, and write the reason for people."""

import traceback
from uuid import UUID

from sqlalchemy.exc import DBAPIError

from app.base.log import logger, scrub
from app.base.money import MoneyError
from app.base.retry import sqlstate_of
from app.ingest.rules import DeliveryStatus, ProcessingResult
from app.platforms.events import Unparseable

log = logger(__name__)

_TRANSIENT = ("08", "40", "53", "55", "57")
"""SQLSTATE classes that are not about the data: connection, rollback, resources, locks,
operator."""


def failed(delivery_id: UUID, error: Exception) -> ProcessingResult:
    """The result of a delivery that cannot be processed.

    Of an error of our own only the kind is stored and logged, since its text may hold personal
    data.
    """
    if isinstance(error, (Unparseable, MoneyError)):
        return ProcessingResult(DeliveryStatus.failed, scrub(str(error)))
    frames = traceback.extract_tb(error.__traceback__)
    log.error(
        "a delivery could not be processed",
        delivery=str(delivery_id),
        error=type(error).__name__,
        where=[f"{frame.filename}:{frame.lineno}" for frame in frames if "/app/" in frame.filename][-3:],
    )
    reason = f"It could not be processed ({type(error).__name__}); replay it once that is fixed."
    return ProcessingResult(DeliveryStatus.failed, reason)


def is_transient(error: Exception) -> bool:
    """Whether the failure does not depend on the delivery, so that the batch is retried later."""
    if isinstance(error, DBAPIError):
        return error.connection_invalidated or sqlstate_of(error)[:2] in _TRANSIENT
    return isinstance(error, OSError)
