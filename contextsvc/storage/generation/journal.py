"""The journal: changes that wait for the next publish, in an append-only file that is synced at once.

    contextsvc journal 1 BASE CHECK      CHECK: 16 hex digits over the text before it
    DIGEST RECORD                        SHA-256 in hex, and the record without a line end

The position of a record is BASE plus the bytes up to its end, without the first line. Positions only grow,
also when published records are dropped, so that a generation can store how far into the journal it goes. An
interrupted append leaves a last line without a line end. It was never acknowledged, and the next append cuts
it off. Any other line that does not fit is an error, never skipped: the record was acknowledged.
"""

import fcntl
import hashlib
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from contextsvc.errors import CorruptIndex, Fault, ShapeError
from contextsvc.storage.generation.disk import disk_writes, sync_folder, write_synced
from contextsvc.storage.generation.manifest import Manifest, read_manifest
from contextsvc.storage.generation.pointer import generations

JOURNAL = "journal"
APPLIED = "applied_changes"
"""Setting of a generation: position of the last journal record that it holds."""

_HEADER = re.compile(rb"contextsvc journal 1 (\d{1,18}) [0-9a-f]{16}\n")
_DIGEST_BYTES = 64
_BLOCK_BYTES = 1 << 20
_MOST_HEADER_BYTES = 64


@dataclass(frozen=True, slots=True)
class Record:
    """A change that waits; `position` is its end."""

    position: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Mark:
    """A place in a journal file, so that a later call reads only the records after it (`holds`).

    Attributes:
        position: End of the last record that was read.
        file: Device and inode of the file.
        base: Its BASE.
        size: Bytes of the last record's line; 0 if no record was read.
        digest: Hex SHA-256 of the last record.
    """

    position: int
    file: tuple[int, int]
    base: int
    size: int = 0
    digest: bytes = b""

    def moved_to(self, record: Record) -> "Mark":
        """Return the mark after a record that was read from the same file."""
        digest = hashlib.sha256(record.data).hexdigest().encode()
        size = _DIGEST_BYTES + len(record.data) + 2
        return Mark(record.position, self.file, self.base, size, digest)


def append(index: Path, records: Sequence[bytes]) -> int:
    """Append records and sync the file once. Several threads and processes may append at the same time.

    After a crash meanwhile the first records of the batch may be there, in order; none was acknowledged.

    Args:
        index: Folder of the index.
        records: At least one; each of at least one byte, without a line end.

    Returns:
        The position of the last record.

    Raises:
        ShapeError: no record, or one that is empty or has a line end.
        Fault: the records could not be written, because the disk is full for example; none was kept.
        CorruptIndex: the file is not a journal.
    """
    if not records or any(not data or b"\n" in data for data in records):
        raise ShapeError("a journal record has at least one byte and no line end")
    lines = b"".join(hashlib.sha256(data).hexdigest().encode() + b" " + data + b"\n" for data in records)
    try:
        with _locked(index), _opened(index) as file:
            base, header = _base(index, file)
            end = _cut_torn(file, header)
            try:
                file.seek(end)
                unwritten = memoryview(lines)
                while unwritten:
                    unwritten = unwritten[file.write(unwritten) :]
                os.fsync(file.fileno())
            except OSError:
                file.truncate(end)
                raise
            return base + end - header + len(lines)
    except OSError as error:
        raise Fault(f"the change could not be written to the journal: {error}; nothing was kept") from error


def read(index: Path, after: int = 0) -> Iterator[Record]:
    """Yield the records that end after a position, in order, each verified.

    It reads nothing before the position but the first line.

    Raises:
        CorruptIndex: a record or the first line is damaged.
    """
    try:
        with (index / JOURNAL).open("rb") as file:
            base, header = _base(index, file)
            position = max(base, after)
            for line in _whole_lines(file, position - base + header):
                position += len(line)
                yield Record(position, _verified(index, line, position))
            _check_tail(index, file, position - base + header)
    except FileNotFoundError:
        return
    except OSError as error:
        raise CorruptIndex(index.name, [f"{JOURNAL}: {error.strerror}"]) from error


def mark_at(index: Path, position: int) -> Mark | None:
    """Return the mark of a position at which no record was read yet; None if there is no journal.

    Take it before reading: if the file is replaced meanwhile, `holds` then says so.

    Raises:
        CorruptIndex: the first line is damaged.
    """
    with suppress(FileNotFoundError), (index / JOURNAL).open("rb", buffering=0) as file:
        return Mark(position, _identity(file), _base(index, file)[0])
    return None


def holds(index: Path, mark: Mark) -> bool:
    """Say whether the journal is still the file of a mark and holds the record there.

    False after records were dropped, which makes a new file. It reads the first line and one digest, however
    long the journal is.

    Raises:
        CorruptIndex: the first line is damaged.
    """
    with suppress(FileNotFoundError), (index / JOURNAL).open("rb", buffering=0) as file:
        base, header = _base(index, file)
        if (_identity(file), base) != (mark.file, mark.base):
            return False
        if not mark.digest:
            return True
        file.seek(mark.position - mark.size - base + header)
        return file.read(_DIGEST_BYTES) == mark.digest
    return False


def drop_until(index: Path, position: int) -> None:
    """Remove the records that end at or before a position, in one step.

    Raises:
        CorruptIndex: the journal is damaged.
        WriteError: the operating system refused; all records are still there.
    """
    if not (index / JOURNAL).exists():
        return
    with disk_writes(), _locked(index), _opened(index) as file:
        base, header = _base(index, file)
        if position <= base:
            return
        size = os.fstat(file.fileno()).st_size
        start = min(position - base + header, size)
        file.seek(start)
        # One temporary name for all: the journal's lock is held.
        write_synced(index / f"{JOURNAL}.tmp", _header(max(position, base)) + file.read())
        (index / f"{JOURNAL}.tmp").rename(index / JOURNAL)
        sync_folder(index)


def applied(manifest: Manifest) -> int:
    """Return the position of the last journal record that a generation holds; 0 if it holds none."""
    return int(manifest.settings.get(APPLIED, 0))


def _identity(file: BinaryIO) -> tuple[int, int]:
    status = os.fstat(file.fileno())
    return status.st_dev, status.st_ino


@contextmanager
def _locked(index: Path) -> Iterator[None]:
    # A file of its own: the journal itself is replaced when records are dropped.
    with (index / f"{JOURNAL}.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextmanager
def _opened(index: Path) -> Iterator[BinaryIO]:
    if not (index / JOURNAL).exists():
        # After the position of every generation: otherwise new records would count as published.
        write_synced(index / f"{JOURNAL}.tmp", _header(_furthest(index)))
        (index / f"{JOURNAL}.tmp").rename(index / JOURNAL)
        sync_folder(index)
    # Unbuffered: a buffer that a full disk refuses would be written again by `truncate` and on closing.
    with (index / JOURNAL).open("r+b", buffering=0) as file:
        yield file


def _furthest(index: Path) -> int:
    positions = [0]
    for generation in generations(index):
        with suppress(OSError, ValueError, RecursionError):
            positions.append(applied(read_manifest(index / "generations" / generation)))
    return max(positions)


def _header(base: int) -> bytes:
    said = f"contextsvc journal 1 {base} ".encode()
    return said + hashlib.sha256(said).hexdigest()[:16].encode() + b"\n"


def _base(index: Path, file: BinaryIO) -> tuple[int, int]:
    """Return BASE and the length of the first line in bytes."""
    file.seek(0)
    found = _HEADER.match(file.read(_MOST_HEADER_BYTES))
    if not found or found[0] != _header(int(found[1])):
        raise _damage(index, "its first line is not that of a journal")
    return int(found[1]), found.end()


def _cut_torn(file: BinaryIO, header: int) -> int:
    """Cut off a last line without a line end; return the length of the file in bytes."""
    end = os.fstat(file.fileno()).st_size
    file.seek(max(header, end - 1))
    if end <= header or file.read(1) == b"\n":
        return end
    whole = header
    position = end
    while position > header:
        start = max(header, position - _BLOCK_BYTES)
        file.seek(start)
        at = file.read(position - start).rfind(b"\n")
        if at >= 0:
            whole = start + at + 1
            break
        position = start
    if whole < end:
        file.truncate(whole)
    return whole


def _whole_lines(file: BinaryIO, start: int) -> Iterator[bytes]:
    file.seek(start)
    while (line := file.readline()).endswith(b"\n"):
        yield line


def _check_tail(index: Path, file: BinaryIO, start: int) -> None:
    """Raise if the last line is a whole record with a changed line end; else it is an interrupted append."""
    file.seek(start)
    tail = file.read()
    if _is_sound(tail):
        raise _damage(index, "its last line end is damaged")


def _verified(index: Path, line: bytes, position: int) -> bytes:
    if not _is_sound(line):
        raise _damage(index, f"the record before position {position} differs from what was acknowledged")
    return line[_DIGEST_BYTES + 1 : -1]


def _is_sound(line: bytes) -> bool:
    """Say whether a line is a record with its digest; the last byte is not compared."""
    digest, data = line[:_DIGEST_BYTES], line[_DIGEST_BYTES + 1 : -1]
    spaced = line[_DIGEST_BYTES : _DIGEST_BYTES + 1] == b" "
    return bool(data) and spaced and hashlib.sha256(data).hexdigest().encode() == digest


def _damage(index: Path, what: str) -> CorruptIndex:
    return CorruptIndex(index.name, [f"{JOURNAL}: {what}; published generations are not affected"])
