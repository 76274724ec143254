"""The lists that can be exported, the formats, and how an export stands. Pure."""

from enum import StrEnum


class ExportName(StrEnum):
    """The lists that can be exported."""

    responses = "responses"
    referrers = "referrers"
    codes = "codes"
    redemptions = "redemptions"
    ledger = "ledger"
    customers = "customers"
    orders = "orders"
    rewards = "rewards"
    messages = "messages"
    audit = "audit"


class ExportFormat(StrEnum):
    """The formats of an export, by the end of the file's name."""

    csv = "csv"
    jsonl = "jsonl"


class ExportState(StrEnum):
    """How an export stands."""

    running = "running"
    whole = "whole"
    """Every row has left; whether the file arrived, its last record tells."""
    broken_off = "broken_off"
