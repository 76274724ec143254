"""How rows are written into a file: CSV that is safe to open in a spreadsheet, and JSON Lines."""

import csv
import io
import json
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from operator import attrgetter
from typing import Protocol

from pydantic import BaseModel

from app.admin.export_rules import ExportFormat
from app.base.schemas import RowModel

_FORMULA = re.compile(r"(^|[;\t\r\n])([\s\"']*)(?=[=+\-@|%\uff1d\uff0b\uff0d\uff20])")
"""What begins a formula at the start of a cell. Excel splits at semicolons in many countries, and
programs at tabs and line breaks, so these start one too. Full-width signs count as the others."""
_BROKEN_START = re.compile(r"[\t\r\n]")
BYTE_ORDER_MARK = "\ufeff"
"""Without it Excel reads UTF-8 as the machine's old encoding."""
_NUMBER = re.compile(r"-?\d+(\.\d+)?")
END = "end"
"""The first cell of the record that ends a CSV file, where one is asked for."""


class FileWriter(Protocol):
    """Writes one file as texts, one after the other."""

    def head(self) -> str:
        """What stands before the rows."""
        ...

    def rows(self, rows: Sequence[RowModel]) -> str:
        """Some rows."""
        ...

    def end(self, count: int, digest: str) -> str:
        """The last record: the number of rows, and the SHA-256 of all bytes before, in hex."""
        ...


class CsvWriter:
    """CSV with these columns; the last record is written only where it is asked for."""

    def __init__(self, columns: Sequence[str], *, with_end: bool) -> None:
        self._columns = columns
        self._fields = attrgetter(*columns)
        self._with_end = with_end

    def head(self) -> str:
        """A byte order mark and the names of the columns."""
        return BYTE_ORDER_MARK + _csv([[column.replace(".", "_") for column in self._columns]])

    def rows(self, rows: Sequence[RowModel]) -> str:
        """A line for each row."""
        return _csv([[cell(value) for value in self._fields(row)] for row in rows])

    def end(self, count: int, digest: str) -> str:
        """`end`, the number and the digest in the first three cells."""
        record = [END, str(count), digest]
        return _csv([record + [""] * (len(self._columns) - len(record))]) if self._with_end else ""


class JsonLinesWriter:
    """One object a line, as the API has the row; the last line is an object with `end`."""

    def head(self) -> str:
        """Nothing."""
        return ""

    def rows(self, rows: Sequence[RowModel]) -> str:
        """A line for each row."""
        return "".join(f"{row.model_dump_json(by_alias=True)}\n" for row in rows)

    def end(self, count: int, digest: str) -> str:
        """`{"end": true, "rows": …, "sha256": …}`."""
        return json.dumps({"end": True, "rows": count, "sha256": digest}) + "\n"


def file_writer(made: ExportFormat, columns: Sequence[str], *, with_end: bool) -> FileWriter:
    """The writer of this format."""
    return CsvWriter(columns, with_end=with_end) if made is ExportFormat.csv else JsonLinesWriter()


def cell(value: object) -> str:
    """A value as the text of a cell: times in UTC with `Z`, lists with commas, objects as JSON.

    An apostrophe stands before whatever a spreadsheet would take for a formula, also after a
    semicolon, a tab or a line break inside the text; plain numbers have none.
    """
    match value:
        case None:
            return ""
        case bool():
            return str(value).lower()
        case datetime():
            return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
        case list():
            text = ", ".join(str(each) for each in value)
        case dict():
            text = json.dumps(value, default=_in_json, ensure_ascii=False)
        case _:
            text = str(value)
    if _NUMBER.fullmatch(text):
        return text
    inert = _FORMULA.sub(lambda found: f"{found[1]}'{found[2]}", text)
    return f"'{inert}" if _BROKEN_START.match(inert) else inert


def _in_json(value: object) -> object:
    return value.model_dump(mode="json") if isinstance(value, BaseModel) else str(value)


def _csv(rows: Sequence[Sequence[str]]) -> str:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue()
