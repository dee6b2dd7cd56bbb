"""The journal of an index: a file of changes that wait for the next publish.

Records are only appended, and each append is synced to the disk before it returns. The file has a first line
and then one line per record:

    contextsvc journal 1 BASE CHECK      BASE is a number; CHECK is 16 hex digits of a hash of the text before
    DIGEST RECORD                        SHA-256 of the record in hex, and the record, which has no line end

The position of a record is BASE plus the number of bytes from the end of the first line to the end of the
record. When published records are dropped, BASE grows, so that the positions of the remaining records do not
change. Thus a generation (a published version of the index) can store the position up to which it holds the
changes.

An interrupted append leaves a last line without a line end. That record was never acknowledged to its caller,
so the next append cuts the line off. Any other damaged line is an error and is never skipped, because its
record was acknowledged.
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
"""Name of a generation's setting: the position of the last journal record whose change it holds."""

_HEADER = re.compile(rb"contextsvc journal 1 (\d{1,18}) [0-9a-f]{16}\n")
_DIGEST_BYTES = 64
_BLOCK_BYTES = 1 << 20
_MOST_HEADER_BYTES = 64


@dataclass(frozen=True, slots=True)
class Record:
    """A change that waits for the next publish.

    Attributes:
        position: Position of the record's end in the journal (see the module).
        data: Content of the record.
    """

    position: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Mark:
    """A bookmark in a journal file, so that a later call reads only the records after the bookmark.

    `holds` says whether the bookmark is still valid.

    Attributes:
        position: Position of the last record that was read.
        file: Device and inode of the journal file.
        base: BASE of the journal file.
        size: Number of bytes of the last record's line; 0 if no record was read.
        digest: SHA-256 of the last record, in hex.
    """

    position: int
    file: tuple[int, int]
    base: int
    size: int = 0
    digest: bytes = b""

    def moved_to(self, record: Record) -> "Mark":
        """Return the mark after a record that was read from the journal file of this mark."""
        digest = hashlib.sha256(record.data).hexdigest().encode()
        size = _DIGEST_BYTES + len(record.data) + 2
        return Mark(record.position, self.file, self.base, size, digest)


def append(index: Path, records: Sequence[bytes]) -> int:
    """Append records to the journal, sync the file once and return the position of the last record.

    Several threads and processes may append at the same time. If the machine crashes during a call, the
    journal may hold the first records of the batch, in order, although none was acknowledged.

    Args:
        index: Folder of the index.
        records: At least one record. Each has at least one byte and no line end.

    Raises:
        ShapeError: there is no record, or a record is empty or has a line end.
        Fault: the records could not be written, for example because the disk is full. None of them is kept.
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
    """Yield the records that end after a position, in order. Each record is verified.

    Of the bytes before the position, only the first line is read.

    Args:
        index: Folder of the index.
        after: Position of the last record that is not wanted; 0 for all records.

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
    """Return a mark at a position without a last record, or None if there is no journal.

    Take the mark before reading the records. If another process replaces the file in between, `holds` then
    returns False for the mark.

    Raises:
        CorruptIndex: the first line is damaged.
    """
    with suppress(FileNotFoundError), (index / JOURNAL).open("rb", buffering=0) as file:
        return Mark(position, _identity(file), _base(index, file)[0])
    return None


def holds(index: Path, mark: Mark) -> bool:
    """Return whether a mark is still valid: the journal is the same file and holds the mark's record.

    The result is False after records were dropped, because that makes a new file. The function reads only the
    first line and one digest, even in a long journal.

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
        WriteError: the operating system refused to write. The journal still holds all records.
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
        # The temporary name can always be the same, because the journal's lock is held.
        write_synced(index / f"{JOURNAL}.tmp", _header(max(position, base)) + file.read())
        (index / f"{JOURNAL}.tmp").rename(index / JOURNAL)
        sync_folder(index)


def applied(manifest: Manifest) -> int:
    """Return the position of the last journal record whose change a generation holds; 0 if it holds none."""
    return int(manifest.settings.get(APPLIED, 0))


def _identity(file: BinaryIO) -> tuple[int, int]:
    status = os.fstat(file.fileno())
    return status.st_dev, status.st_ino


@contextmanager
def _locked(index: Path) -> Iterator[None]:
    # The lock is on a separate file, because the journal itself is replaced when records are dropped.
    with (index / f"{JOURNAL}.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextmanager
def _opened(index: Path) -> Iterator[BinaryIO]:
    if not (index / JOURNAL).exists():
        # BASE must not be below the position of any generation, else new records would count as published.
        write_synced(index / f"{JOURNAL}.tmp", _header(_furthest(index)))
        (index / f"{JOURNAL}.tmp").rename(index / JOURNAL)
        sync_folder(index)
    # Without a buffer: if the disk is full, `truncate` and closing would write the buffer again.
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
    """Cut off the last line if it has no line end, and return the length of the file in bytes."""
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
    """Check that what follows the last line end is an interrupted append, not a whole record.

    A whole record without a line end means that its line end is damaged. A whole record with one was appended
    since the lines were read.

    Args:
        index: Folder of the index.
        file: The journal.
        start: Offset in the file after the last line end.

    Raises:
        CorruptIndex: it is a whole record.
    """
    file.seek(start)
    tail = file.read()
    if not tail.endswith(b"\n") and _is_sound(tail):
        raise _damage(index, "its last line end is damaged")


def _verified(index: Path, line: bytes, position: int) -> bytes:
    if not _is_sound(line):
        raise _damage(index, f"the record before position {position} differs from what was acknowledged")
    return line[_DIGEST_BYTES + 1 : -1]


def _is_sound(line: bytes) -> bool:
    """Return whether a line holds a record that fits its digest. The last byte may be any byte."""
    digest, data = line[:_DIGEST_BYTES], line[_DIGEST_BYTES + 1 : -1]
    spaced = line[_DIGEST_BYTES : _DIGEST_BYTES + 1] == b" "
    return bool(data) and spaced and hashlib.sha256(data).hexdigest().encode() == digest


def _damage(index: Path, what: str) -> CorruptIndex:
    return CorruptIndex(index.name, [f"{JOURNAL}: {what}; published generations are not affected"])
