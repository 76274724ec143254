"""Structured logs on stderr, with the request's id and without secrets or addresses."""

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

from app.base.config import LogFormat

_ADDRESS = re.compile(r"[^\s<>\"'=:,;]+@[^\s<>\"',;]+\.[^\s<>\"',;]+|\+\d{7,15}\b")
_SECRET = re.compile(
    r"\b(?:whsec_|tf_|SG\.)[\w.+/=-]+|(?<=://)[^/@\s:]+:[^/@\s]+(?=@)|(?<=/[supr]/)[\w-]{20,}"
)
_HIDDEN = "[hidden]"


def scrub(text: str) -> str:
    """The text with e-mail addresses, phone numbers, keys and link tokens taken out."""
    return _SECRET.sub(_HIDDEN, _ADDRESS.sub(_HIDDEN, text))


def _scrub_event(_logger: object, _name: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for key, value in event.items():
        if isinstance(value, str):
            event[key] = scrub(value)
    return event


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
