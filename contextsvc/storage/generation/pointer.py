"""The file CURRENT: the ids of an index's published generation and of previous generations.

A generation is one published version of the index. The file has these lines:

    00000003-0123456789ab        id of the published generation
    00000002-ba9876543210        ids of previous generations, newest first, which can replace a damaged one
    sha256 <64 hex digits>       hash of the lines above

CURRENT is replaced by one rename, so that any process finds the old content or the new content. The previous
ids are in this file because they must change at the same moment as the published id. After a roll back, the
generation that was current before is no longer a replacement, although its number is higher.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from contextsvc.errors import CorruptIndex, InvalidRequest, UnknownIndex
from contextsvc.storage.generation.disk import disk_writes, sync_folder, write_synced
from contextsvc.storage.generation.verified import read_seen

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
        """Return the content of the file CURRENT."""
        lines = "".join(f"{line}\n" for line in (self.generation, *self.before)).encode()
        return lines + b"sha256 " + hashlib.sha256(lines).hexdigest().encode() + b"\n"

    @classmethod
    def decode(cls, data: bytes) -> "Pointer":
        """Return the pointer whose file content `encode` returned.

        Raises:
            ValueError: the data is not such content. The message says what was found.
        """
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
    """Check the name of an index and return it unchanged.

    A valid name has 1 to 64 of the characters a-z 0-9 . _ - and begins with a letter or digit, so that no
    name is a path.

    Raises:
        InvalidRequest: the name is not valid.
    """
    if not _NAME.fullmatch(name):
        expected = "1 to 64 of a-z 0-9 . _ - starting with a letter or digit"
        raise InvalidRequest(f"{name[:80]!r} is not an index name; expected {expected}")
    return name


def index_names(root: Path) -> list[str]:
    """Return the names of all published indexes in a folder, sorted; [] if the folder does not exist."""
    if not root.is_dir():
        return []
    return sorted(
        path.name
        for path in root.iterdir()
        if _NAME.fullmatch(path.name) and ((path / POINTER).exists() or _was_published(path))
    )


def read_pointer(root: Path, name: str) -> Pointer:
    """Read CURRENT and verify its checksum.

    Raises:
        InvalidRequest: the name is not valid.
        UnknownIndex: no index was published under the name.
        CorruptIndex: CURRENT is missing though an index was published, cannot be read, or changed since it
            was written.
    """
    try:
        with (root / check_name(name) / POINTER).open("rb") as file:
            data = file.read(_MOST_BYTES)
        return Pointer.decode(data)
    except (FileNotFoundError, NotADirectoryError):
        if _was_published(root / name):
            raise CorruptIndex(name, [f"{POINTER}: missing"]) from None
        raise UnknownIndex(name, str(root), index_names(root)) from None
    except OSError as error:
        raise CorruptIndex(name, [f"{POINTER}: {error.strerror}"]) from error
    except ValueError as error:
        raise CorruptIndex(name, [f"{POINTER}: {error}"]) from error


def current(root: Path, name: str) -> str:
    """Return the id of the published generation of an index.

    Raises:
        ContextError: for the same reasons as `read_pointer`.
    """
    return read_pointer(root, name).generation


def generations(index: Path) -> list[str]:
    """Return the ids of all generations in the folder of an index, oldest first."""
    folder = index / "generations"
    if not folder.is_dir():
        return []
    return sorted(path.name for path in folder.iterdir() if GENERATION.fullmatch(path.name))


def no_generation(name: str, generation: str, there: Sequence[str]) -> str:
    """Return the error message which says that an index does not have a generation.

    Args:
        name: Name of the index.
        generation: Id of the generation that was not found.
        there: Ids of the generations that the index has.
    """
    return f"index {name!r} has no generation {generation!r} (there: {', '.join(there) or 'none'})"


def _was_published(index: Path) -> bool:
    """Return whether a generation in the folder was published before: only those are remembered as verified.

    A first build that was killed before it wrote CURRENT leaves a generation that was never published.
    """
    return any(read_seen(index, generation) for generation in generations(index))


def best_pointer(root: Path, name: str) -> Pointer | None:
    """Return the content of CURRENT or, if CURRENT is damaged, a guess from the generations in the folder.

    The guess takes the generation with the highest number as current, and all other generations as previous
    ones. The result is None if no index was published under the name, or if there is no generation.

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
    """Return the pointer after a publish: the new generation and the newest previous generations.

    Args:
        generation: Id of the new generation.
        previous: Pointer before the publish; None for the first generation.
        keep: Number of generations in the new pointer, the new one included; at least 1.
        index: Folder of the index. Previous generations that it no longer holds are left out.
    """
    there = set(generations(index))
    history = (previous.generation, *previous.before) if previous else ()
    kept = [g for g in dict.fromkeys(history) if g != generation and g in there]
    return Pointer(generation, tuple(kept[: keep - 1]))


def move_pointer(index: Path, pointer: Pointer) -> Iterator[str]:
    """Replace CURRENT by one rename, and yield a name after each step of the work.

    The temporary file always has the same name, because only the holder of the writer's lock calls this
    function.
    """
    write_synced(index / f"{POINTER}.tmp", pointer.encode())
    yield f"{POINTER}.tmp written"
    with disk_writes():
        (index / f"{POINTER}.tmp").rename(index / POINTER)
    yield f"{POINTER} replaced"
    sync_folder(index)
    yield "published"


def run_steps(steps: Iterable[str]) -> None:
    """Run an iterator of steps to its end."""
    for _ in steps:
        pass
