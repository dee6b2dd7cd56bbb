"""Changes that wait for the next publish: an append-only file beside the generations, synced at once.

    contextsvc journal 1 BASE CHECK      CHECK: 16 hex digits over what stands before it
    DIGEST RECORD                        SHA-256 in hex and the record, which holds no line end

A record's position is BASE and the bytes up to its end, the first line not counted: it only ever grows, also
when what was published is dropped, so that a generation can say how far into the journal it goes. What an
interrupted append left at the end has no line end, was never acknowledged, and is cut off by the next append.
Anything else that does not fit is damage and is told, never passed over: a record was acknowledged.
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
from contextsvc.storage.generation.disk import sync_folder, write_synced
from contextsvc.storage.generation.manifest import Manifest, read_manifest
from contextsvc.storage.generation.pointer import generations

JOURNAL = "journal"
APPLIED = "applied_changes"
"""Setting of a generation: how far into the journal its documents go."""

_HEADER = re.compile(rb"contextsvc journal 1 (\d{1,18}) [0-9a-f]{16}\n")
_DIGEST_BYTES = 64
_BLOCK_BYTES = 1 << 20
_MOST_HEADER_BYTES = 64


@dataclass(frozen=True, slots=True)
class Record:
    """A change that waits; `position` is where it ends."""

    position: int
    data: bytes


def append(index: Path, records: Sequence[bytes]) -> int:
    """Append records and sync them, once; the position of the last. Several threads and processes may.

    After a crash meanwhile some of them may be there, in order: none was acknowledged.

    Args:
        index: The index's folder.
        records: Each of at least one byte, without a line end.

    Raises:
        ShapeError: there is none, or one is empty or holds a line end.
        Fault: they could not be written, on a full disk for one; nothing was appended then.
        CorruptIndex: the journal is none.
    """
    if not records or any(not data or b"\n" in data for data in records):
        raise ShapeError("a journal's record holds at least one byte and no line end")
    lines = b"".join(hashlib.sha256(data).hexdigest().encode() + b" " + data + b"\n" for data in records)
    try:
        with _locked(index), _opened(index) as file:
            base, header = _base(index, file)
            end = _cut_torn(file, header)
            try:
                file.seek(end)
                file.write(lines)
                file.flush()
                os.fsync(file.fileno())
            except OSError:
                file.truncate(end)
                raise
            return base + end - header + len(lines)
    except OSError as error:
        raise Fault(f"the change could not be written to the journal: {error}; nothing was kept") from error


def read(index: Path, after: int = 0) -> Iterator[Record]:
    """The records that end past a position, in order, each verified.

    Raises:
        CorruptIndex: a record, or the header, is damaged.
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


def drop_until(index: Path, position: int) -> None:
    """Remove the records that end at or before a position, at once or not at all.

    Raises:
        CorruptIndex: the journal is damaged.
    """
    if not (index / JOURNAL).exists():
        return
    with _locked(index), _opened(index) as file:
        base, header = _base(index, file)
        if position <= base:
            return
        size = os.fstat(file.fileno()).st_size
        start = min(position - base + header, size)
        file.seek(start)
        write_synced(index / f"{JOURNAL}.tmp", _header(max(position, base)) + file.read())
        (index / f"{JOURNAL}.tmp").rename(index / JOURNAL)
        sync_folder(index)


def applied(manifest: Manifest) -> int:
    """How far into the journal a generation's documents go."""
    return int(manifest.settings.get(APPLIED, 0))


@contextmanager
def _locked(index: Path) -> Iterator[None]:
    # A file of its own: the journal itself is replaced when records are dropped.
    with (index / f"{JOURNAL}.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextmanager
def _opened(index: Path) -> Iterator[BinaryIO]:
    if not (index / JOURNAL).exists():
        # Past all that generations say: else what comes would pass for published.
        write_synced(index / f"{JOURNAL}.tmp", _header(_furthest(index)))
        (index / f"{JOURNAL}.tmp").rename(index / JOURNAL)
        sync_folder(index)
    with (index / JOURNAL).open("r+b") as file:
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
    """Where positions start, and how long the header is."""
    file.seek(0)
    found = _HEADER.match(file.read(_MOST_HEADER_BYTES))
    if not found or found[0] != _header(int(found[1])):
        raise _damage(index, "its first line is none of a journal")
    return int(found[1]), found.end()


def _cut_torn(file: BinaryIO, header: int) -> int:
    """Cut off what has no line end; where the file ends then."""
    end = os.fstat(file.fileno()).st_size
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
    """What has no line end is an append that was interrupted, unless only the line end is another."""
    file.seek(start)
    tail = file.read()
    if _is_sound(tail):
        raise _damage(index, "its last line end is damaged")


def _verified(index: Path, line: bytes, position: int) -> bytes:
    if not _is_sound(line):
        raise _damage(index, f"the record before position {position} differs from what was acknowledged")
    return line[_DIGEST_BYTES + 1 : -1]


def _is_sound(line: bytes) -> bool:
    """Whether a line, its last byte not looked at, is a record under its digest."""
    digest, data = line[:_DIGEST_BYTES], line[_DIGEST_BYTES + 1 : -1]
    spaced = line[_DIGEST_BYTES : _DIGEST_BYTES + 1] == b" "
    return bool(data) and spaced and hashlib.sha256(data).hexdigest().encode() == digest


def _damage(index: Path, what: str) -> CorruptIndex:
    return CorruptIndex(index.name, [f"{JOURNAL}: {what}; what was published is not touched by it"])
