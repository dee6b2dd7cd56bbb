"""CURRENT: the published generation and the generations before it.

    00000003-0123456789ab        the published generation
    00000002-ba9876543210        previous ones, newest first: a reader may fall back to them
    sha256 <64 hex digits>       over the lines above

CURRENT is replaced by one rename, so that a reader finds the old content or the new one. The history is part
of the same file because it must change at the same moment: after a roll back the generation that was left is
no fallback any more, although its number is higher.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from contextsvc.errors import CorruptIndex, InvalidRequest, UnknownIndex
from contextsvc.storage.generation.disk import disk_writes, sync_folder, write_synced

POINTER = "CURRENT"
GENERATION = re.compile(r"[0-9]{8,}-[0-9a-f]{12}")
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_MOST_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Pointer:
    """Content of CURRENT.

    Attributes:
        generation: Id of the published generation.
        before: Ids of the previous generations that were not rolled back, newest first.
    """

    generation: str
    before: tuple[str, ...] = ()

    def encode(self) -> bytes:
        """Return the content of the file."""
        lines = "".join(f"{line}\n" for line in (self.generation, *self.before)).encode()
        return lines + b"sha256 " + hashlib.sha256(lines).hexdigest().encode() + b"\n"

    @classmethod
    def decode(cls, data: bytes) -> "Pointer":
        """Return the pointer that `encode` wrote; ValueError, which says what was found, for other data."""
        lines = data.split(b"\n")
        ids = [line.decode("ascii", "replace") for line in lines[:-2]]
        wrong = [line for line in ids if not GENERATION.fullmatch(line)]
        if not ids or wrong:
            found = data[:80].decode("utf-8", "replace")
            raise ValueError(f"holds {found!r}, expected generation ids and a checksum")
        pointer = cls(ids[0], tuple(ids[1:]))
        if pointer.encode() != data:
            raise ValueError("its checksum does not fit its content")
        return pointer


def check_name(name: str) -> str:
    """Return a valid index name unchanged.

    Valid are 1 to 64 of a-z 0-9 . _ - with a letter or digit first, so that no name is a path.

    Raises:
        InvalidRequest: the name is not valid.
    """
    if not _NAME.fullmatch(name):
        expected = "1 to 64 of a-z 0-9 . _ - starting with a letter or digit"
        raise InvalidRequest(f"{name[:80]!r} is not an index name; expected {expected}")
    return name


def index_names(root: Path) -> list[str]:
    """Return the names of the published indexes under a root, sorted; [] if there is no root."""
    if not root.is_dir():
        return []
    return sorted(
        path.name for path in root.iterdir() if _NAME.fullmatch(path.name) and (path / POINTER).exists()
    )


def read_pointer(root: Path, name: str) -> Pointer:
    """Read CURRENT and verify its checksum.

    Raises:
        InvalidRequest: the name is not valid.
        UnknownIndex: nothing was published under the name.
        CorruptIndex: CURRENT cannot be read or changed since it was written.
    """
    try:
        with (root / check_name(name) / POINTER).open("rb") as file:
            data = file.read(_MOST_BYTES)
        return Pointer.decode(data)
    except (FileNotFoundError, NotADirectoryError):
        raise UnknownIndex(name, str(root), index_names(root)) from None
    except OSError as error:
        raise CorruptIndex(name, [f"{POINTER}: {error.strerror}"]) from error
    except ValueError as error:
        raise CorruptIndex(name, [f"{POINTER}: {error}"]) from error


def current(root: Path, name: str) -> str:
    """Return the id of the published generation; errors as `read_pointer`."""
    return read_pointer(root, name).generation


def generations(index: Path) -> list[str]:
    """Return the ids of the generations in an index's folder, oldest first."""
    folder = index / "generations"
    if not folder.is_dir():
        return []
    return sorted(path.name for path in folder.iterdir() if GENERATION.fullmatch(path.name))


def no_generation(name: str, generation: str, there: Sequence[str]) -> str:
    """Return the message for a generation that an index does not have."""
    return f"index {name!r} has no generation {generation!r} (there: {', '.join(there) or 'none'})"


def best_pointer(root: Path, name: str) -> Pointer | None:
    """Return the content of CURRENT or, if it is damaged, all generations by number, newest first.

    None if there is no generation.

    Raises:
        InvalidRequest: the name is not valid.
    """
    try:
        return read_pointer(root, name)
    except UnknownIndex:
        return None
    except CorruptIndex:
        found = list(reversed(generations(root / name)))
        return Pointer(found[0], tuple(found[1:])) if found else None


def next_pointer(generation: str, previous: Pointer | None, keep: int, index: Path) -> Pointer:
    """Return the pointer after a publish: the new generation and the newest `keep` - 1 previous ones."""
    there = set(generations(index))
    history = (previous.generation, *previous.before) if previous else ()
    kept = [g for g in dict.fromkeys(history) if g != generation and g in there]
    return Pointer(generation, tuple(kept[: keep - 1]))


def move_pointer(index: Path, pointer: Pointer) -> Iterator[str]:
    """Replace CURRENT in one step; yield the name of each step after it was taken.

    The temporary name is always the same: only the holder of the writer's lock moves the pointer.
    """
    write_synced(index / f"{POINTER}.tmp", pointer.encode())
    yield f"{POINTER}.tmp written"
    with disk_writes():
        (index / f"{POINTER}.tmp").rename(index / POINTER)
    yield f"{POINTER} replaced"
    sync_folder(index)
    yield "published"


def run_steps(steps: Iterable[str]) -> None:
    """Take every step."""
    for _ in steps:
        pass
