"""Read a file of orders record by record, in memory that does not grow with the file.

A record is one order: a line of our own format, or the rows of one order in a table. What cannot be
read is a record with the reason, and the others are read all the same.
"""

import csv
import hashlib
import io
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import BinaryIO

from app.base.errors import AppError
from app.base.frozen import quick
from app.base.log import scrub
from app.base.money import MoneyError
from app.platforms.checkout.order_file import read_line
from app.platforms.events import OrderPaid, PlatformEvent, Unparseable
from app.platforms.order_files import (
    FileFormat,
    FileShop,
    TableFormat,
    TableRow,
    column_name,
    plain_cell,
)
from app.platforms.shopify.order_file import SHOPIFY_FILE
from app.platforms.woocommerce.order_file import WOOCOMMERCE_FILE, names_people

TABLES: Mapping[FileFormat, TableFormat] = {each.name: each for each in (SHOPIFY_FILE, WOOCOMMERCE_FILE)}
LINE_BYTES = 1024 * 1024
"""The most that one line or one cell may have, as a delivery's body."""
MOST_ROWS = 5_000
"""Rows of one order that are read; it keeps no more lines than that in any case."""
_HEAD_BYTES = 65_536
_DELIMITERS = (",", ";", "\t")
_NOT_TEXT = re.compile("[\udc80-\udcff]")
NO_UTF8 = "It is not UTF-8; save the file as UTF-8."


@quick
@dataclass(frozen=True, slots=True)
class FileRecord:
    """One order of a file; without events and reason it was not paid, or is nothing we use."""

    line: int
    events: Sequence[PlatformEvent] = ()
    refused: str | None = None


@dataclass(frozen=True, slots=True)
class OrderFile:
    """A file that can be read, as far as its beginning shows."""

    path: Path
    format: FileFormat
    size: int
    content_hash: bytes
    """SHA-256."""
    delimiter: str = ","
    notes: tuple[str, ...] = ()
    """What to know of its contents, in sentences."""


def open_order_file(path: Path, wanted: FileFormat | None = None) -> OrderFile:
    """Look at the beginning of a file, and guess its format where none is given.

    Raises `AppError` `bad_file`: for a file that cannot be read, or of another format.
    """
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES)
            file.seek(0)
            content_hash = hashlib.file_digest(file, "sha256").digest()
    except OSError as error:
        raise bad_file(f"{path} cannot be read ({error.strerror}).") from None
    if head[:2] in {b"\xff\xfe", b"\xfe\xff"}:
        raise bad_file("The file is UTF-16; save it as CSV in UTF-8.")
    text = head.decode("utf-8-sig", "replace").lstrip()
    if not text:
        raise bad_file("The file is empty.")
    if wanted is FileFormat.tenfold or (wanted is None and text[0] in "{["):
        if text[0] != "{":
            raise bad_file("Write one JSON object a line, without a list around them.")
        return OrderFile(path, FileFormat.tenfold, size, content_hash)
    delimiter, columns = _header(text)
    table = TABLES[wanted] if wanted else _guess(columns)
    if problem := table.problem(columns):
        raise bad_file(problem)
    notes: tuple[str, ...] = ()
    if table is WOOCOMMERCE_FILE and not names_people(columns):
        notes = ("The file has neither e-mail addresses nor phone numbers, so its orders count for nobody.",)
    return OrderFile(path, table.name, size, content_hash, delimiter, notes)


def bad_file(detail: str) -> AppError:
    """The error of a file that cannot be imported."""
    return AppError("bad_file", detail)


def _header(text: str) -> tuple[str, set[str]]:
    """The delimiter under which the first row has most columns, and these."""
    found = []
    for delimiter in _DELIMITERS:
        row = next(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter), [])
        found.append((delimiter, {column_name(each) for each in row} - {""}))
    return max(found, key=lambda each: len(each[1]))


def _guess(columns: set[str]) -> TableFormat:
    fitting = [table for table in TABLES.values() if table.problem(columns) is None]
    if not fitting:
        raise bad_file(
            "The file is no export of Shopify's or WooCommerce's orders that we know, and not one JSON object a"
            " line. Name its format with --format to see what is missing."
        )
    return fitting[0]


class OrderFileReader:
    """The records of a file; `position` is how many bytes of it were read."""

    def __init__(self, file: OrderFile, shop: FileShop) -> None:
        self._file = file
        self._shop = shop
        self._raw: BinaryIO | None = None
        self._is_read = False
        self.rows = 0

    @property
    def position(self) -> int:
        """Bytes."""
        if self._is_read:
            return self._file.size
        return self._raw.tell() if self._raw is not None else 0

    def records(self, *, skip: int = 0) -> Iterator[FileRecord]:
        """Every record after the first `skip`, which are not parsed."""
        with self._file.path.open("rb") as raw:
            self._raw = raw
            if self._file.format is FileFormat.tenfold:
                yield from self._lines(raw, skip)
            else:
                yield from self._orders(raw, TABLES[self._file.format], skip)
            self._raw, self._is_read = None, True

    def _lines(self, raw: BinaryIO, skip: int) -> Iterator[FileRecord]:
        while line := raw.readline(LINE_BYTES + 1):
            self.rows += 1
            place, is_long = self.rows, len(line) > LINE_BYTES
            while is_long and not line.endswith(b"\n") and line:
                line = raw.readline(LINE_BYTES)  # the rest of it
            if not (is_long or line.strip()):
                continue
            if skip:
                skip -= 1
            elif is_long:
                yield FileRecord(place, refused="The line is longer than 1 MiB.")
            else:
                yield self._parsed(place, partial(read_line, line, self._shop.received_at))

    def _orders(self, raw: BinaryIO, table: TableFormat, skip: int) -> Iterator[FileRecord]:
        for rows in self._groups(raw, table):
            if skip:
                skip -= 1
                continue
            if isinstance(rows, FileRecord):
                yield rows
                continue
            record = self._parsed(rows[0].line, partial(table.read, rows, self._shop))
            # An order that was cancelled before it was paid is none for us.
            paid = any(isinstance(each, OrderPaid) for each in record.events)
            yield record if record.refused or paid else FileRecord(record.line)

    def _groups(self, raw: BinaryIO, table: TableFormat) -> Iterator[list[TableRow] | FileRecord]:
        """The rows of each order, which stand together; a row that is broken stands alone."""
        group: list[TableRow] = []
        key: str | None = None
        for row in self._table(raw):
            if isinstance(row, FileRecord):
                yield row
                continue
            row_key = table.order_of(row)
            if group and (row_key is None or row_key == key):
                if len(group) < MOST_ROWS:
                    group.append(row)
                continue
            if group:
                yield group
            group, key = [row], row_key
        if group:
            yield group

    def _table(self, raw: BinaryIO) -> Iterator[TableRow | FileRecord]:
        text = io.TextIOWrapper(raw, encoding="utf-8-sig", errors="surrogateescape", newline="")
        csv.field_size_limit(LINE_BYTES)
        reader = csv.reader(text, delimiter=self._file.delimiter)
        columns: list[str] | None = None
        while True:
            line = reader.line_num + 1
            try:
                cells = next(reader, None)
            except csv.Error:
                yield FileRecord(line, refused="A cell is longer than 1 MiB: is a quotation mark left open?")
                continue
            if cells is None:
                text.detach()
                return
            if columns is None:
                names = [column_name(each) for each in cells]
                columns = names if any(names) else None
                continue
            self.rows = reader.line_num
            if row := _row(line, columns, cells):
                yield row

    def _parsed(self, line: int, read: Callable[[], Sequence[PlatformEvent]]) -> FileRecord:
        try:
            return FileRecord(line, read())
        except (Unparseable, MoneyError) as error:
            return FileRecord(line, refused=scrub(str(error)))


def _row(line: int, columns: Sequence[str], cells: Sequence[str]) -> TableRow | FileRecord | None:
    """The row; None for an empty one, a record with the reason for one that is broken."""
    if len(cells) > len(columns) and any(cell.strip() for cell in cells[len(columns) :]):
        return FileRecord(line, refused="The row has more cells than the first row has columns.")
    values: dict[str, str] = {}
    is_ascii = True
    for name, cell in zip(columns, cells, strict=False):
        if cell and name and name not in values and (plain := cell.strip()):
            values[name] = plain if plain[0] != "'" else plain_cell(plain)
            is_ascii = is_ascii and plain.isascii()
    if not values:
        return None
    if not is_ascii and any(_NOT_TEXT.search(value) for value in values.values()):
        return FileRecord(line, refused=NO_UTF8)
    return TableRow(line, values)
