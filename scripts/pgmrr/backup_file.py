"""The file of a backup: what pg_dump writes, and behind it the manifest.

    dump        an archive of pg_dump, in its custom format
    manifest    JSON: what the database held when it was dumped, and the dump's own length and SHA-256
    end         SHA-256 and length of the manifest, and the mark by which the file is known

pg_restore reads such a file as it is, and stops before the manifest. A file that was cut short has no end.
"""

import hashlib
import json
import os
import stat
import struct
from dataclasses import asdict, dataclass, field, fields
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any, BinaryIO

from pgmrr.errors import PgmrrError

_ARCHIVE = b"PGDMP"  # how pg_dump's archives begin
_MARK = b"pgmrr backup 1\r\n"
_END = struct.Struct(f">32sQ{len(_MARK)}s")
_CHUNK = 1024 * 1024
_LARGEST_MANIFEST = 16 * 1024 * 1024

_FETCH_AGAIN = "use another copy, or an older backup"


@dataclass(frozen=True)
class TableContent:
    """What a table holds: how many rows, and a digest of them that their order does not change."""

    rows: int
    digest: str


@dataclass(frozen=True)
class Manifest:
    """What a backup holds. Amounts are text, as exact as the database has them.

    ``migrations`` gives each applied migration its checksum, ``code`` is that of the files of procedures/ that were
    loaded. ``objects`` counts tables, views and routines by schema. ``total_mrr`` is what ``kpi.mrr_total_at``
    says of ``complete_through``, in the reporting currency; None where there are no data. ``is_distributed`` tells
    whether Citus had laid the tables over several servers.
    """

    made_at: str
    pgmrr: str
    postgresql: str
    migrations: dict[str, str]
    code: str | None
    roles: list[str]
    tables: dict[str, TableContent]
    objects: dict[str, int]
    observed_from: str | None = None
    complete_through: str | None = None
    total_mrr: str | None = None
    currency: str | None = None
    is_distributed: bool = False
    dump: dict[str, int | str] = field(default_factory=dict)

    @property
    def rows(self) -> int:
        """How many rows all tables hold."""
        return sum(table.rows for table in self.tables.values())

    @property
    def shown_mrr(self) -> str:
        """The total MRR as a person reads it."""
        if self.total_mrr is None:
            return "no MRR is known"
        amount = Decimal(self.total_mrr).quantize(Decimal("0.01"), ROUND_HALF_UP)
        return f"MRR {amount:,} {self.currency or ''}".rstrip() + f" on {self.complete_through}"


def finish(file: BinaryIO, manifest: Manifest) -> None:
    """Put the manifest behind the dump that ``file`` holds, and see to it that all of it is on the disk."""
    length, digest = _measure(file, None)
    content = asdict(manifest) | {"dump": {"bytes": length, "sha256": digest}}
    text = json.dumps(content, indent=1, sort_keys=True).encode()
    file.seek(0, os.SEEK_END)
    file.write(text + _END.pack(hashlib.sha256(text).digest(), len(text), _MARK))
    file.flush()
    os.fsync(file.fileno())


def read(path: Path) -> Manifest:
    """The manifest of the backup at ``path``, every byte of which is checked.

    Raises PgmrrError where the file is none, or is damaged.
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise PgmrrError(f"{path} is not a file", "name a file that pgmrr backup wrote")
        with path.open("rb") as file:
            return _read(path, file)
    except OSError as error:
        raise PgmrrError(f"{path}: {error.strerror}", "check the name of the file") from None


def _read(path: Path, file: BinaryIO) -> Manifest:
    begin = file.read(len(_ARCHIVE))
    size = file.seek(0, os.SEEK_END)
    file.seek(max(size - _END.size, 0))
    end = file.read()
    if len(end) < _END.size or not end.endswith(_MARK):
        if begin == _ARCHIVE:
            raise PgmrrError(f"{path} is cut short, or was not written by pgmrr backup", _FETCH_AGAIN)
        raise PgmrrError(f"{path} is not a backup of pgmrr", "name a file that pgmrr backup wrote")
    seal, length, _ = _END.unpack(end)
    damaged = PgmrrError(f"{path} is damaged: it is not what pgmrr backup wrote", _FETCH_AGAIN)
    if length > min(size - _END.size, _LARGEST_MANIFEST):
        raise damaged
    file.seek(size - _END.size - length)
    text = file.read(length)
    if hashlib.sha256(text).digest() != seal:
        raise damaged
    try:
        manifest = _manifest(json.loads(text))
        expected = int(manifest.dump["bytes"]), manifest.dump["sha256"]
    except (KeyError, TypeError, ValueError, AttributeError):
        raise damaged from None
    if size != expected[0] + length + _END.size or _measure(file, expected[0]) != expected:
        raise damaged
    return manifest


def _manifest(content: dict[str, Any]) -> Manifest:
    """The manifest in its JSON. What a later version adds to it is left alone."""
    known = {name.name for name in fields(Manifest)}
    tables = {name: TableContent(int(table["rows"]), table["digest"]) for name, table in content["tables"].items()}
    return Manifest(**{name: value for name, value in content.items() if name in known} | {"tables": tables})


def _measure(file: BinaryIO, length: int | None) -> tuple[int, str]:
    """How many bytes the file begins with, at most ``length``, and their SHA-256."""
    digest = hashlib.sha256()
    file.seek(0)
    done = 0
    while chunk := file.read(_CHUNK if length is None else min(_CHUNK, length - done)):
        digest.update(chunk)
        done += len(chunk)
    return done, digest.hexdigest()
