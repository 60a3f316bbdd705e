"""Brings what is to be imported into its staging table: a CSV file, a Parquet file, or the rows of a query.

Python streams bytes and never holds a file in memory; what the text means, SQL decides.
"""

import gzip
import hashlib
import json
import logging
import zlib
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import psycopg
from psycopg import sql
from psycopg.pq import DiagnosticField

from pgmrr import csv_tokens
from pgmrr.confidential import keep
from pgmrr.csv_tokens import Header, LineCounter, NotCsvError, Row, Source
from pgmrr.errors import PgmrrError
from pgmrr.locks import Progress, silent
from pgmrr.meters import Watch, meter
from pgmrr.parquet import ParquetRows
from pgmrr.rows import only_row
from pgmrr.sessions import explained

# Where COPY refuses a file, psycopg warns of it; it is no news to a user.
logging.getLogger("psycopg").addHandler(logging.NullHandler())

_STAGE = b"select pipeline.stage_file(%s, %s, %s, %s, %s, %s, %s, %s)"
_UNDEFINED_TABLE = b"42P01"
_GZIP = b"\x1f\x8b"
_PARQUET = b"PAR1"
_STEP = 1000  # rows between two looks at how far it is

T = TypeVar("T")


@dataclass(frozen=True)
class Place:
    """Where the rows belong: the source of the import, their role in it, and their columns' names in the file.

    ``role`` is invoices, lines, periods or customers. ``columns`` gives the code's names the file's names, as
    ``{"customer": "Account"}``; where it is empty, columns go by the code's own names.
    """

    source: str
    role: str
    columns: dict[str, str] = field(default_factory=dict)


class Input(ABC):
    """Something that is to be imported."""

    name: str
    place: Place
    writes_plain_numbers = True  # 1234.56, as databases and programs do

    @property
    @abstractmethod
    def description(self) -> dict[str, str | int]:
        """What the batch keeps of it: role, name, bytes and SHA-256 of what was read."""

    @abstractmethod
    def copy_to(self, connection: psycopg.Connection) -> None:
        """Stream it into its staging table. Raises PgmrrError where it cannot be read."""

    def _stage(self, cursor: psycopg.Cursor, names: list[str], delimiter: str, first_line: int, by_row: bool) -> bytes:
        """The COPY statement that fills the staging table, which this makes."""
        place = self.place
        values = [place.role, self.name, names, delimiter, first_line, by_row, place.source, json.dumps(place.columns)]
        (statement,) = only_row(cursor.execute(_STAGE, values))
        return str(statement).encode()


def file_at(path: Path, place: Place, progress: Progress = silent) -> Input:
    """The file at ``path``: Parquet, or CSV, which may be compressed by gzip. Its content decides, not its name.

    Raises PgmrrError where it cannot be read.
    """
    try:
        with path.open("rb") as stream:
            is_parquet = stream.read(len(_PARQUET)) == _PARQUET
    except OSError as error:
        raise PgmrrError(f"{path}: {error.strerror}", "check the name of the file") from None
    return ParquetFile(path, place, progress) if is_parquet else CsvFile(path, place, progress)


class _NotForCopyError(Exception):
    """COPY would read the file, but not as it should."""


class CsvFile(Input):
    """A CSV file on its way into the database."""

    writes_plain_numbers = False  # whoever wrote it may have used a comma, or thousands separators

    def __init__(self, path: Path, place: Place, progress: Progress = silent) -> None:
        self.path = path
        self.name = path.name
        self.place = place
        self._progress = progress
        self._source: Source

    @property
    def description(self) -> dict[str, str | int]:
        """Of a compressed file, bytes and hash are those of its content."""
        return {
            "role": self.place.role,
            "name": self.name,
            "bytes": self._source.bytes,
            "sha256": self._source.sha256,
        }

    def copy_to(self, connection: psycopg.Connection) -> None:
        """Stream the file as it is, or, where COPY refuses it, split row by row."""
        try:
            rows = self._copy(connection, by_row=False)
            if rows is None:
                rows = self._copy(connection, by_row=True)
        except NotCsvError as error:
            raise PgmrrError(f"{self.path} {error}", self._how) from None
        except (gzip.BadGzipFile, EOFError, zlib.error):
            raise PgmrrError(f"{self.path} is compressed by gzip, and damaged", "fetch or export it again") from None
        except OSError as error:
            raise PgmrrError(f"{self.path}: {error.strerror}", "check the name of the file") from None
        if not rows:
            raise PgmrrError(f"{self.path} has no rows below its header", self._how)

    @property
    def _how(self) -> str:
        if self.place.source == "stripe":
            return "export it again as CSV with all columns: Stripe dashboard, Billing, Invoices, Export"
        return "write it as CSV in UTF-8, with the names of its columns in the first line"

    def _copy(self, connection: psycopg.Connection, *, by_row: bool) -> int | None:
        """How many rows came in; None, with nothing changed, where the file is none for COPY as it is."""
        with self._opened(f"reading {self.name}{' line by line' if by_row else ''}") as self._source:
            header = csv_tokens.read_header(self._source)
            try:
                with connection.transaction(), connection.cursor() as cursor:
                    statement = self._stage(cursor, header.names, header.delimiter, header.lines + 1, by_row)
                    if by_row:
                        _copy_rows(cursor, statement, csv_tokens.read_rows(self._source, header))
                    else:
                        _copy_whole(cursor, statement, self._source)
                    return cursor.rowcount
            except (psycopg.DataError, _NotForCopyError):
                if by_row:
                    raise
                return None
            except psycopg.errors.ProgramLimitExceeded:
                raise _too_wide(self.name, header) from None

    @contextmanager
    def _opened(self, what: str) -> Iterator[Source]:
        with self.path.open("rb") as stream:
            watch = meter(self._progress, what, self.path.stat().st_size)
            is_compressed = stream.read(len(_GZIP)) == _GZIP
            stream.seek(0)
            unpacked = gzip.GzipFile(fileobj=stream) if is_compressed else stream
            yield Source(unpacked, lambda lines: watch(lines, stream.tell()))


class ParquetFile(Input):
    """A Parquet file on its way into the database: its values go as the text that databases write."""

    def __init__(self, path: Path, place: Place, progress: Progress = silent) -> None:
        self.path = path
        self.name = path.name
        self.place = place
        self._progress = progress
        self._hash = hashlib.sha256()

    @property
    def description(self) -> dict[str, str | int]:
        """Bytes and hash are those of the file."""
        return {
            "role": self.place.role,
            "name": self.name,
            "bytes": self.path.stat().st_size,
            "sha256": self._hash.hexdigest(),
        }

    def copy_to(self, connection: psycopg.Connection) -> None:
        """Stream the rows of the file; their numbers stand for lines."""
        watch = meter(self._progress, f"reading {self.name}")
        with self.path.open("rb") as stream:
            while chunk := stream.read(csv_tokens.CHUNK):
                self._hash.update(chunk)
        with closing(ParquetRows(self.path)) as parquet:
            try:
                with connection.cursor() as cursor:
                    statement = self._stage(cursor, parquet.names, ",", 1, True)
                    _copy_rows(cursor, statement, _watched(parquet.rows(), watch))
                    rows = cursor.rowcount
            except psycopg.errors.ProgramLimitExceeded:
                raise _too_wide(self.name, Header(parquet.names, ",", 1)) from None
        if not rows:
            raise PgmrrError(f"{self.path} has no rows", "check that it is the right file")


class Query(Input):
    """The rows of a query on another PostgreSQL, on their way into the database.

    ``text`` is one query; ``url`` names the database, and ``schema`` where the query's tables are looked for.
    """

    def __init__(
        self,
        text: str,
        url: str,
        place: Place,
        progress: Progress = silent,
        *,
        name: str = "the query",
        schema: str | None = None,
    ) -> None:
        keep(url)
        self.name = name
        self.place = place
        self._text = text.strip().rstrip(";")
        self._url = url
        self._progress = progress
        self._schema = schema
        self._hash = hashlib.sha256()
        self._bytes = 0

    @property
    def description(self) -> dict[str, str | int]:
        """Bytes and hash are those of the rows, as CSV."""
        return {
            "role": self.place.role,
            "name": self.name,
            "bytes": self._bytes,
            "sha256": self._hash.hexdigest(),
        }

    def copy_to(self, connection: psycopg.Connection) -> None:
        """Stream the rows; their numbers stand for lines. The source is read in a read-only transaction."""
        watch = meter(self._progress, f"reading {self.name}")
        with self._session() as session, connection.cursor() as target:
            names = self._names(session)
            statement = self._stage(target, names, ",", 1, False)
            with target.copy(statement) as incoming:
                for chunk in _watched(self._chunks(session), watch):
                    incoming.write(chunk)
            if not target.rowcount:
                raise PgmrrError(f"{self.name} returns no rows", "check the query and the database it runs on")

    @contextmanager
    def _session(self) -> Iterator[psycopg.Connection]:
        """A session of the source whose text means the same everywhere."""
        try:
            session = psycopg.connect(self._url, fallback_application_name="pgmrr", client_encoding="UTF8")
        except psycopg.Error as error:
            raise PgmrrError(
                f"cannot connect to the source: {str(error).strip()}", "check the URL: postgresql://user@host/database"
            ) from None
        with session:
            session.read_only = True
            session.execute("set local datestyle = 'ISO'; set local timezone = 'UTC'")
            if self._schema:
                session.execute(sql.SQL("set local search_path = {}").format(sql.Identifier(self._schema)))
            yield session
            session.rollback()

    def _names(self, session: psycopg.Connection) -> list[str]:
        """The names of the query's columns. The query is prepared, not run: it must be a single one."""
        result = session.pgconn.prepare(b"", self._text.encode())
        if result.error_field(DiagnosticField.SQLSTATE) == _UNDEFINED_TABLE and self._schema:
            message = (result.error_field(DiagnosticField.MESSAGE_PRIMARY) or b"").decode(errors="replace")
            raise PgmrrError(
                f"{self.name} are not in the schema {self._schema} of the source: {message}",
                "name the schema that holds its tables by --schema NAME",
            )
        if result.error_message:
            message = result.error_message.decode(errors="replace").splitlines()[0].removeprefix("ERROR:").strip()
            raise PgmrrError(f"{self.name} is not one that the source can run: {message}", "try it in psql")
        described = session.pgconn.describe_prepared(b"")
        names = [(described.fname(place) or b"").decode() for place in range(described.nfields)]
        if not names:
            raise PgmrrError(f"{self.name} returns no columns", "write it as: select …")
        return names

    def _chunks(self, session: psycopg.Connection) -> Iterator[bytes]:
        """What the query returns, as CSV."""
        try:
            # The line break ends a comment that may stand behind the query.
            statement = f"copy (\n{self._text}\n) to stdout (format csv)".encode()
            with session.cursor() as cursor, cursor.copy(statement) as outgoing:
                for chunk in outgoing:
                    data = bytes(chunk)
                    self._hash.update(data)
                    self._bytes += len(data)
                    yield data
        except psycopg.Error as error:
            raise explained(f"{self.name} failed at the source", error) from error


def _copy_whole(cursor: psycopg.Cursor, statement: bytes, source: Source) -> None:
    """Send the file below its header as it is.

    Raises _NotForCopyError where rows are not lines: COPY does not tell on which line a row stands. Nor does
    it limit the length of a line.
    """
    counter = LineCounter()
    with cursor.copy(statement) as copy:
        while chunk := source.read():
            ended = counter.lines
            counter.add(chunk)
            if len(chunk) == csv_tokens.CHUNK and counter.lines <= ended:
                raise _NotForCopyError
            copy.write(chunk)
    if cursor.rowcount != counter.lines:
        raise _NotForCopyError


def _copy_rows(cursor: psycopg.Cursor, statement: bytes, rows: Iterator[Row]) -> None:
    """Send rows that were split before, each with its line and what is wrong with it."""
    with cursor.copy(statement) as copy:
        for row in rows:
            copy.write_row([row.line, row.problem, row.text, *(field or None for field in row.fields)])


def _too_wide(name: str, header: Header) -> PgmrrError:
    return PgmrrError(
        f"{name} has {len(header.names):,} columns, more than a row can hold",
        "export it again with the columns that are needed",
    )


def _watched(rows: Iterator[T], watch: Watch) -> Iterator[T]:
    """The rows, counted."""
    for number, row in enumerate(rows, start=1):
        yield row
        if number % _STEP == 0:
            watch(number)
