"""Report files: CSV, Parquet and XLSX, written row by row, so that a large report needs no more memory than a small one."""

import csv
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import fields
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, get_args, get_type_hints

import pyarrow as pa
import pyarrow.parquet as pq
from openpyxl import Workbook
from openpyxl.cell import Cell, WriteOnlyCell
from openpyxl.styles import Font

from domain.analytics.exports import ExportFormat, TooManyRows
from domain.analytics.reports import Row

MOST_SHEET_ROWS = 1_048_575
"""A sheet's rows, without the header."""

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
"""What a spreadsheet may take for the beginning of a formula, in full width, too."""
_ARROW: Mapping[type, pa.DataType] = {str: pa.string(), int: pa.int64(), float: pa.float64(), bool: pa.bool_(), date: pa.date32()}


def harmless(value: object) -> object:
    """Returns a cell that no spreadsheet runs: a text that begins like a formula gets an apostrophe before it. Numbers stay numbers."""
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value


class OpenFile(ABC):
    """A file that is being written; closing it makes it whole."""

    def __init__(self, path: Path, row: type[Row]) -> None:
        self.path = path
        self._whole = False
        self._columns = [each.name for each in fields(row)]

    def write(self, rows: Sequence[Row]) -> None:
        self._write([[getattr(each, name) for name in self._columns] for each in rows])

    @abstractmethod
    def _write(self, rows: Sequence[Sequence[Any]]) -> None: ...

    def close(self) -> int:
        if not self._whole:
            self._whole = True
            self._finish()
        return self.path.stat().st_size

    @abstractmethod
    def _finish(self) -> None: ...


class CsvFile(OpenFile):
    """RFC 4180 in UTF-8. Days are written 2026-12-01; what is not known is left empty; true and false are in lower case."""

    def __init__(self, path: Path, row: type[Row]) -> None:
        super().__init__(path, row)
        self._file = path.open("w", encoding="utf-8", newline="")
        self._csv = csv.writer(self._file)
        self._csv.writerow(self._columns)

    def _write(self, rows: Sequence[Sequence[Any]]) -> None:
        self._csv.writerows([str(each).lower() if isinstance(each, bool) else harmless(each) for each in row] for row in rows)

    def _finish(self) -> None:
        self._file.close()


class ParquetFile(OpenFile):
    def __init__(self, path: Path, row: type[Row]) -> None:
        super().__init__(path, row)
        hints = get_type_hints(row)
        self._schema = pa.schema([(name, _arrow_type(hints[name])) for name in self._columns])
        self._parquet = pq.ParquetWriter(path, self._schema, compression="zstd")

    def _write(self, rows: Sequence[Sequence[Any]]) -> None:
        if rows:
            self._parquet.write_table(pa.table(list(zip(*rows, strict=True)), schema=self._schema))

    def _finish(self) -> None:
        self._parquet.close()


class XlsxFile(OpenFile):
    """A workbook with one sheet."""

    def __init__(self, path: Path, row: type[Row]) -> None:
        super().__init__(path, row)
        self._workbook = Workbook(write_only=True)
        self._sheet = self._workbook.create_sheet(row.__name__)
        self._sheet.freeze_panes = "A2"
        self._sheet.append([self._heading(name) for name in self._columns])
        self._rows = 0

    def _heading(self, name: str) -> Cell:
        cell = WriteOnlyCell(self._sheet, name)
        cell.font = Font(bold=True)
        return cell

    def _write(self, rows: Sequence[Sequence[Any]]) -> None:
        self._rows += len(rows)
        if self._rows > MOST_SHEET_ROWS:
            raise TooManyRows(f"a workbook holds at most {MOST_SHEET_ROWS:,} rows: export as CSV or Parquet")
        for row in rows:
            self._sheet.append([harmless(each) for each in row])

    def _finish(self) -> None:
        self._workbook.save(self.path)


def _arrow_type(hint: Any) -> pa.DataType:
    """Of `int`, or of `int | None`."""
    return _ARROW[next((each for each in get_args(hint) if each is not type(None)), hint)]


_FILES: Mapping[ExportFormat, Callable[[Path, type[Row]], OpenFile]] = {
    ExportFormat.CSV: CsvFile,
    ExportFormat.PARQUET: ParquetFile,
    ExportFormat.XLSX: XlsxFile,
}


@contextmanager
def opened(format: ExportFormat, row: type[Row]) -> Iterator[OpenFile]:
    """A new file in a directory of its own, which is deleted at the end."""
    with TemporaryDirectory(prefix="paideia-export-") as directory:
        file = _FILES[format](Path(directory) / "report", row)
        try:
            yield file
        finally:
            file.close()  # one that was given up, too: the libraries keep open files, and some of their own, until then
