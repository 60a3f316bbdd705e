"""The tolerant tokeniser: well-formed files as the csv module reads them, anything at all without a failure."""

import hashlib
import io
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pgmrr import csv_tokens
from pgmrr.csv_tokens import Header, LineCounter, Row, Source, read_header, read_rows

HEADER = "a,b,c\n"
texts = st.text(st.sampled_from('ab ,;"\n\r\\é€'), max_size=8)
tables = st.lists(st.tuples(texts, texts, texts), max_size=12)
newlines = st.sampled_from(["\n", "\r\n", "\r"])


def source(data: bytes) -> Source:
    return Source(io.BytesIO(data), lambda done: None)


def tokens(data: bytes) -> tuple[Header, list[Row]]:
    file = source(data)
    header = read_header(file)
    return header, list(read_rows(file, header))


@pytest.fixture(autouse=True, params=[7, 64, csv_tokens.CHUNK], ids="chunks of {}".format, scope="module")
def chunk(request: pytest.FixtureRequest) -> None:
    """Chunks end anywhere: within a CR LF, a character, a quoted field."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(csv_tokens, "CHUNK", request.param)
        yield


def normal(text: str) -> str:
    """Line breaks within quotes come out as LF."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


def quoted(field: str) -> str:
    return '"' + field.replace('"', '""') + '"'


def written(field: str) -> str:
    return quoted(field) if set(field) & set(',"\r\n') else field


@given(tables, newlines, st.sampled_from([quoted, written]), st.booleans())
def test_a_well_formed_file_is_split_as_it_was_written(
    table: list[tuple[str, ...]], newline: str, write: Callable[[str], str], ends: bool
) -> None:
    data = [",".join(map(write, row)) for row in table]
    starts = [
        2 + len(normal("".join(line + "\n" for line in data[:place])).split("\n")) - 1 for place in range(len(data))
    ]
    _, rows = tokens((HEADER + newline.join(data) + newline * ends).encode())
    assert [row.problem for row in rows] == [None] * len(table)
    assert [row.fields for row in rows] == [[normal(field) for field in row] for row in table]
    assert [row.line for row in rows] == starts


@given(st.binary(max_size=200) | texts.map(str.encode))
def test_nothing_makes_it_fail_and_every_line_is_a_row_or_a_part_of_one(data: bytes) -> None:
    _, rows = tokens(HEADER.encode() + data)
    assert all(len(row.fields) == 3 for row in rows)
    assert all("\0" not in field for row in rows for field in row.fields)
    assert all((row.problem is None) == (row.text is None) or row.problem == "line is too long" for row in rows)
    numbers = [row.line for row in rows]
    assert numbers == sorted(set(numbers))


@given(st.lists(st.binary(max_size=5), max_size=20))
def test_lines_are_counted_whatever_chunks_they_come_in(chunks: list[bytes]) -> None:
    counter = LineCounter()
    for part in filter(None, chunks):
        counter.add(part)
    assert counter.lines == len(b"".join(chunks).splitlines())


@given(st.binary(max_size=100))
def test_the_hash_is_that_of_the_file(data: bytes) -> None:
    file = source(data)
    while file.read():
        pass
    assert (file.bytes, file.sha256) == (len(data), hashlib.sha256(data).hexdigest())


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"a,b\n", Header(["a", "b"], ",", 1)),
        (b"\xef\xbb\xbfa;b\r\n1;2", Header(["a", "b"], ";", 1)),
        (b"\n\na\tb", Header(["a", "b"], "\t", 3)),
        (b'"a","b, c"\r1,2', Header(["a", "b, c"], ",", 1)),
        (b" a , b \n", Header(["a", "b"], ",", 1)),
        (b"a\n", Header(["a"], ",", 1)),
    ],
)
def test_the_header_tells_names_and_delimiter(monkeypatch: pytest.MonkeyPatch, data: bytes, expected: Header) -> None:
    monkeypatch.setattr(csv_tokens, "CHUNK", 1 << 10)
    assert read_header(source(data)) == expected


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b'1,"2,3', ("broken quoting", ["1", "2,3", ""])),
        (b'1,"2"x,3', ("broken quoting", ["1", "2x", "3"])),
        (b"1,2", ("too few fields", ["1", "2", ""])),
        (b"1,2,3,4", ("too many fields", ["1", "2", "3"])),
        (b"1,\xff,3", ("not valid UTF-8", ["1", "\\xff", "3"])),
        (b"1,\0,3", ("contains a NUL character", ["1", "\\x00", "3"])),
        (b'1,5" pipe,3', (None, ["1", '5" pipe', "3"])),
    ],
)
def test_a_broken_line_is_a_row_of_its_own(line: bytes, expected: tuple) -> None:
    _, rows = tokens(HEADER.encode() + line + b"\n4,5,6\n7,8,9")
    assert [row.line for row in rows] == [2, 3, 4]
    assert (rows[0].problem, rows[0].fields) == expected
    assert [row.fields for row in rows[1:]] == [["4", "5", "6"], ["7", "8", "9"]]


def test_a_line_without_end_is_not_held_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_tokens, "CHUNK", 1 << 16)
    long = b"1," + b"x" * (3 * csv_tokens.LONGEST_LINE) + b",3"
    _, rows = tokens(HEADER.encode() + long + b"\n4,5,6\n" + long)
    assert [(row.line, row.problem) for row in rows] == [(2, "line is too long"), (3, None), (4, "line is too long")]
    assert rows[0].text is None


def test_quotes_far_apart_do_not_make_it_slow() -> None:
    """Each of them could begin a row that goes on to the end of the file."""
    lines = [b'1,"2,3', *[b"4,5,6"] * 1500] * 20
    _, rows = tokens(HEADER.encode() + b"\n".join(lines))
    assert len(rows) == len(lines)
    assert sum(row.problem == "broken quoting" for row in rows) == 20
