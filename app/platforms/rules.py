"""When connections are checked."""

from datetime import datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

NIGHT_HOUR = 3
"""Local time of the shop."""
NIGHT_SECONDS = 7_200
"""Over which the checks of many shops are spread."""
RETRY = timedelta(hours=1)
"""After a check that could not be made."""


def next_check(shop_id: UUID, zone: ZoneInfo, *, after: datetime) -> datetime:
    """The next night's check, in UTC: between 3 and 5 o'clock of the shop, at its own time."""
    local = after.astimezone(zone)
    night = local.replace(hour=NIGHT_HOUR, minute=0, second=0, microsecond=0)
    at = night + timedelta(seconds=shop_id.int % NIGHT_SECONDS)
    return (at if at > local else at + timedelta(days=1)).astimezone(ZoneInfo("UTC"))
