"""Single values of a provider's event, made fit for the database. Pure."""

from datetime import UTC, datetime, timedelta

from app.base.text import one_line_or_none

_LONGEST = 300
_EARLIEST = datetime(2015, 1, 1, tzinfo=UTC).timestamp()


def clean(value: object) -> str | None:
    """A text or number as one line of at most 300 characters; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        return None
    return one_line_or_none(str(value), limit=_LONGEST)


def moment(value: object, *, now: datetime) -> datetime:
    """Epoch seconds as an aware UTC time; `now` for what cannot be the time of an event."""
    try:
        seconds = float(value)  # type: ignore[arg-type]  # anything may stand there; what is no number raises
    except (TypeError, ValueError, OverflowError):
        return now
    if not _EARLIEST <= seconds <= (now + timedelta(days=2)).timestamp():
        return now
    return datetime.fromtimestamp(seconds, UTC)
