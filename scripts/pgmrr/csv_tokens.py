"""A tolerant CSV tokeniser: splits what it can, tells what is wrong with the rest, and goes on.

PostgreSQL's COPY reads well-formed files, and refuses a whole file for one bad line. This module reads such
a file line by line instead. It yields rows of text and nothing else: what a value means, SQL decides.
"""

import csv
import hashlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from io import BufferedIOBase

CHUNK = 1 << 18
LONGEST_LINE = 1 << 20  # bytes; no row of an export comes near
LONGEST_ROW = 1000  # lines that one row may span by line breaks within quotes

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_LINE_END = re.compile(rb"\r\n|\n|\r(?!\Z)")  # a CR that ends a chunk may be half of a CR LF
_NO_TEXT = {
    b"\x1f\x8b": "is compressed by gzip: unpack it first",
    b"PK\x03\x04": "is a zip archive or an Excel workbook, not a CSV file",
    b"\xff\xfe": "is UTF-16, not UTF-8",
    b"\xfe\xff": "is UTF-16, not UTF-8",
}

csv.field_size_limit(LONGEST_LINE)


class NotCsvError(ValueError):
    """The file as a whole cannot be CSV; the message says what it is instead."""


@dataclass(frozen=True)
class Header:
    """What the beginning of a file tells: column names, delimiter, and how many lines it takes."""

    names: list[str]
    delimiter: str
    lines: int


@dataclass(frozen=True, slots=True)
class Row:
    """One row, and the line on which it begins.

    Where ``problem`` is set, the fields are as good as it gets, and ``text`` is the row as it stands.
    """

    line: int
    fields: list[str]
    problem: str | None = None
    text: str | None = None


class Source:
    """A file read in chunks, and what is known of it so far: its bytes, their hash, and its lines."""

    def __init__(self, stream: BufferedIOBase, watch: Callable[[int], None]) -> None:
        """``watch`` is called with the number of lines read, chunk by chunk."""
        self._stream = stream
        self._watch = watch
        self._unread = b""
        self._hash = hashlib.sha256()
        self.bytes = 0
        self._lines = 0  # near enough to watch

    @property
    def sha256(self) -> str:
        """The hash of what was read, in hexadecimal."""
        return self._hash.hexdigest()

    def read(self) -> bytes:
        """The next chunk; empty at the end."""
        if self._unread:
            chunk, self._unread = self._unread, b""
            return chunk
        chunk = self._stream.read(CHUNK)
        self._hash.update(chunk)
        self.bytes += len(chunk)
        self._lines += chunk.count(b"\n")
        self._watch(self._lines)
        return chunk

    def unread(self, chunk: bytes) -> None:
        """Give back the rest of a chunk."""
        self._unread = chunk


class LineCounter:
    """Counts lines, which end with LF, CR LF or CR, over chunks."""

    def __init__(self) -> None:
        self._ended = 0
        self._last = b"\n"

    def add(self, chunk: bytes) -> None:
        """Count the lines that end in a chunk."""
        self._ended += chunk.count(b"\n") + chunk.count(b"\r") - chunk.count(b"\r\n")
        self._ended -= self._last == b"\r" and chunk.startswith(b"\n")
        self._last = chunk[-1:]

    @property
    def lines(self) -> int:
        """How many there were; the last one need not end."""
        return self._ended + (self._last not in b"\r\n")


def read_header(source: Source) -> Header:
    """Read the column names from the first line of a file; blank lines before it are passed over.

    The delimiter is a comma, or the semicolon or tab that spreadsheets write instead.

    Raises NotCsvError where the file is empty or no text.
    """
    start = source.read()
    for signature, what in _NO_TEXT.items():
        if start.startswith(signature):
            raise NotCsvError(what)
    body = start.removeprefix(_BYTE_ORDER_MARK)
    if not body.strip():
        raise NotCsvError("is empty")
    if b"\0" in body.splitlines()[0]:
        raise NotCsvError("is a binary file, not a CSV file")
    is_whole = len(start) < CHUNK
    position = 0
    for number, end in enumerate(_LINE_END.finditer(body + b"\n" if is_whole else body), start=1):
        line = body[position : end.start()]
        if line.strip():
            source.unread(body[end.end() :])
            text = line.decode("utf-8", "replace")
            delimiter = max(",;\t", key=text.count)
            names = next(csv.reader([text], delimiter=delimiter))
            return Header([name.strip() for name in names], delimiter, number)
        position = end.end()
    raise NotCsvError("is no CSV file: its first line does not end")


def read_rows(source: Source, header: Header) -> Iterator[Row]:
    """The rows below the header, in the order of the file; blank lines are none.

    After broken quoting the next line begins a new row, so that a stray quote costs one row and not the rest
    of the file.
    """
    lines = _Lines(_split(source, header.lines + 1))
    width = len(header.names)
    for number, raw in lines:
        if raw is None:
            yield Row(number, [""] * width, "line is too long")
            continue
        text, problem = _decode(raw)
        if problem:
            yield Row(number, _best_effort(text, header), problem, text)
        elif '"' in text:
            yield _quoted_row(number, text, lines, header)
        elif text:
            yield _fitted(number, text.split(header.delimiter), width, text)


def _quoted_row(number: int, text: str, lines: "_Lines", header: Header) -> Row:
    """The row that begins with a line that has quotes; it may go on over the next lines."""
    width = len(header.names)
    fields = _strictly(text, header)
    if fields:
        return _fitted(number, fields, width, text)
    borrowed: list[_Line] = []
    whole = text
    is_open = text.count('"') % 2 == 1
    while is_open and len(borrowed) < LONGEST_ROW and len(whole) < LONGEST_LINE:
        following = lines.take()
        if following is None:
            break
        borrowed.append(following)
        more, problem = _decode(following[1] or b"")
        if problem or following[1] is None:
            break
        whole += "\n" + more
        is_open = more.count('"') % 2 == 0
    fields = _strictly(whole, header)
    if len(fields) == width:
        return Row(number, fields)
    lines.give_back(borrowed)
    return Row(number, _best_effort(text, header), "broken quoting", text)


def _strictly(text: str, header: Header) -> list[str]:
    """The fields of one well-formed row; none where it is not one."""
    try:
        return next(csv.reader([text], delimiter=header.delimiter, strict=True))
    except csv.Error:
        return []


def _fitted(number: int, fields: list[str], width: int, text: str) -> Row:
    """A row of fields that were told apart, made as wide as the header."""
    if len(fields) == width:
        return Row(number, fields)
    problem = "too few fields" if len(fields) < width else "too many fields"
    return Row(number, _padded(fields, width), problem, text)


def _best_effort(text: str, header: Header) -> list[str]:
    """The fields of a broken line as far as they can be told apart."""
    try:
        fields = next(csv.reader([text], delimiter=header.delimiter), [])
    except csv.Error:
        fields = text.split(header.delimiter)
    return _padded(fields, len(header.names))


def _padded(fields: list[str], width: int) -> list[str]:
    return (fields + [""] * width)[:width]


def _decode(raw: bytes) -> tuple[str, str | None]:
    """A line as text that a database can hold, and what was wrong with it."""
    problem = None
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        text, problem = raw.decode("utf-8", "backslashreplace"), "not valid UTF-8"
    if "\0" in text:
        text, problem = text.replace("\0", "\\x00"), problem or "contains a NUL character"
    return text, problem


_Line = tuple[int, bytes | None]


def _split(source: Source, number: int) -> Iterator[_Line]:
    """The lines of a source with their numbers, without their ends; None for one that is too long."""
    rest = b""
    is_too_long = False
    while chunk := source.read():
        text = rest + chunk
        start = 0
        for end in _LINE_END.finditer(text, max(len(rest) - 1, 0)):
            is_too_long = is_too_long or end.start() - start > LONGEST_LINE
            yield number, None if is_too_long else text[start : end.start()]
            start, is_too_long, number = end.end(), False, number + 1
        rest = text[start:]
        if len(rest) > LONGEST_LINE:
            rest, is_too_long = rest[-1:], True
    if rest or is_too_long:
        yield number, None if is_too_long else rest.removesuffix(b"\r")


class _Lines:
    """Numbered lines that can be given back."""

    def __init__(self, lines: Iterator[_Line]) -> None:
        self._lines = lines
        self._returned: list[_Line] = []

    def take(self) -> _Line | None:
        return self._returned.pop() if self._returned else next(self._lines, None)

    def give_back(self, lines: list[_Line]) -> None:
        self._returned.extend(reversed(lines))

    def __iter__(self) -> Iterator[_Line]:
        while (line := self.take()) is not None:
            yield line
