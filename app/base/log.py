"""Structured logs on stderr, with the request's id and without secrets or addresses."""

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

from app.base.config import LogFormat

_ADDRESS = re.compile(
    # One attempt a word, from its beginning to its @ and from there to its end, never back: the
    # time grows with the length of the text and not with its square.
    r"(?<![^\s<>\"'=:,;])[^\s<>\"'=:,;@]++@[^\s<>\"',;]++"
    r"|\+(?:\d[\s()./-]{0,2}){6,14}\d\b"
)
_SECRET = re.compile(
    r"\b(?:whsec_|tf_|SG\.|shp[a-z]{2}_)[\w.+/=-]++|(?<=://)[^/@\s:]++:[^/@\s]++(?=@)|(?<=/[supr]/)[\w-]{20,}+"
)
_LAST_WORD = re.compile(r"(?<![^\s<>\"'=:,;])[^\s<>\"'=:,;]++\Z")
_CUT_NUMBER = re.compile(r"\+[\d\s()./-]*+\Z")
_HIDDEN = "[hidden]"
REASON_LIMIT = 1_000
"""Characters of a reason that is stored or shown."""
LOG_LIMIT = 32_000
"""Characters of one value in a log line; a traceback is shorter."""


def scrub(text: str, *, limit: int = REASON_LIMIT) -> str:
    """The text without e-mail addresses, phone numbers, keys and link tokens, cut to `limit`.

    It is cut first, so a long text costs no more than a short one. The word or number at the cut is
    left out: it may be half of one.
    """
    if len(text) > limit:
        text = _CUT_NUMBER.sub("", _LAST_WORD.sub("", text[:limit])) + "…"
    return _SECRET.sub(_HIDDEN, _ADDRESS.sub(_HIDDEN, text))


def _scrubbed(value: object) -> object:
    """A value of a log line, at any depth; whatever is no number is text in the end."""
    match value:
        case None | bool() | int() | float():
            return value
        case dict():
            return {_scrubbed(key): _scrubbed(one) for key, one in value.items()}
        case list() | tuple() | set() | frozenset():
            return [_scrubbed(one) for one in value]
        case _:
            return scrub(str(value), limit=LOG_LIMIT)


def _scrub_event(_logger: object, _name: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    return {key: _scrubbed(value) for key, value in event.items()}


def configure_logs(style: LogFormat, *, level: int = logging.INFO) -> None:
    """Send our own and the libraries' logs to one handler. Call once per process."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    plain_traceback = structlog.dev.plain_traceback
    last: list[structlog.typing.Processor] = (
        [structlog.processors.format_exc_info, _scrub_event, structlog.processors.JSONRenderer()]
        if style is LogFormat.json
        else [
            structlog.processors.format_exc_info,
            _scrub_event,
            structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=plain_traceback),
        ]
    )
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        # What is below the level is dropped before anything is made of it.
        wrapper_class=structlog.make_filtering_bound_logger(level),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    # Access lines carry tokens in their paths; our own middleware logs requests by route instead.
    for name in ("uvicorn.access", "httpx", "twilio.http_client"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    for name in ("pgqueuer", "alembic", "sqlalchemy"):
        logging.getLogger(name).setLevel(logging.WARNING)


def logger(name: str) -> structlog.stdlib.BoundLogger:
    """A logger for one module; events are short sentences, facts are keyword arguments."""
    return structlog.stdlib.get_logger(name)
