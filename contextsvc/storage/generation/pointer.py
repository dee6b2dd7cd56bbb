"""CURRENT: which generation is published, and which were before it.

    00000003-0123456789ab        the published generation
    00000002-ba9876543210        those before it, newest first: what a reader may fall back to
    sha256 <64 hex digits>       over the lines above

One small file that is replaced by one rename, so that a reader finds an answer or the answer before it. The
history stands in the same file because it must change in the same instant: after a roll back the generation
that was left is no fallback any more, although its number is higher.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from contextsvc.errors import CorruptIndex, InvalidRequest, UnknownIndex
from contextsvc.storage.generation.disk import sync_folder, write_synced

POINTER = "CURRENT"
GENERATION = re.compile(r"[0-9]{8,}-[0-9a-f]{12}")
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_MOST_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Pointer:
    """What CURRENT says.

    Attributes:
        generation: Id of the published generation.
        before: Ids of those published before it and not rolled back, newest first.
    """

    generation: str
    before: tuple[str, ...] = ()

    def encode(self) -> bytes:
        """As the file holds it."""
        lines = "".join(f"{line}\n" for line in (self.generation, *self.before)).encode()
        return lines + b"sha256 " + hashlib.sha256(lines).hexdigest().encode() + b"\n"

    @classmethod
    def decode(cls, data: bytes) -> "Pointer":
        """The inverse of `encode`; ValueError, saying what was found, for anything else."""
        lines = data.split(b"\n")
        ids = [line.decode("ascii", "replace") for line in lines[:-2]]
        wrong = [line for line in ids if not GENERATION.fullmatch(line)]
        if not ids or wrong:
            found = data[:80].decode("utf-8", "replace")
            raise ValueError(f"holds {found!r}, expected generation ids and a checksum")
        pointer = cls(ids[0], tuple(ids[1:]))
        if pointer.encode() != data:
            raise ValueError("its checksum does not fit what it holds")
        return pointer


def check_name(name: str) -> str:
    """The name, if it is one: 1 to 64 of a-z 0-9 . _ - starting with a letter or digit, so no path.

    Raises:
        InvalidRequest: it is not.
    """
    if not _NAME.fullmatch(name):
        expected = "1 to 64 of a-z 0-9 . _ - starting with a letter or digit"
        raise InvalidRequest(f"{name[:80]!r} is no index name; expected {expected}")
    return name


def index_names(root: Path) -> list[str]:
    """Names of the indexes under the root that have been published, sorted; [] without a root."""
    if not root.is_dir():
        return []
    return sorted(
        path.name for path in root.iterdir() if _NAME.fullmatch(path.name) and (path / POINTER).exists()
    )


def read_pointer(root: Path, name: str) -> Pointer:
    """What CURRENT says, its checksum verified.

    Raises:
        InvalidRequest: the name is none.
        UnknownIndex: nothing was published under it.
        CorruptIndex: CURRENT cannot be read, or differs from what was written.
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
    """Id of the published generation; raises what `read_pointer` raises."""
    return read_pointer(root, name).generation


def generations(index: Path) -> list[str]:
    """Ids of the generations in an index's folder, oldest first."""
    folder = index / "generations"
    if not folder.is_dir():
        return []
    return sorted(path.name for path in folder.iterdir() if GENERATION.fullmatch(path.name))


def best_pointer(root: Path, name: str) -> Pointer | None:
    """What CURRENT says; where it is damaged, the generations by number, newest first; None without any.

    Raises:
        InvalidRequest: the name is none.
    """
    try:
        return read_pointer(root, name)
    except UnknownIndex:
        return None
    except CorruptIndex:
        found = list(reversed(generations(root / name)))
        return Pointer(found[0], tuple(found[1:])) if found else None


def pointed(generation: str, former: Pointer | None, keep: int, index: Path) -> Pointer:
    """The pointer once a generation is published over a former one; of its history what is to be kept."""
    there = set(generations(index))
    history = (former.generation, *former.before) if former else ()
    kept = [g for g in dict.fromkeys(history) if g != generation and g in there]
    return Pointer(generation, tuple(kept[: keep - 1]))


def move_pointer(index: Path, pointer: Pointer) -> Iterator[str]:
    """Replace CURRENT at once or not at all; pauses after each step, with its name."""
    write_synced(index / f"{POINTER}.tmp", pointer.encode())
    yield f"{POINTER}.tmp written"
    (index / f"{POINTER}.tmp").rename(index / POINTER)
    yield f"{POINTER} replaced"
    sync_folder(index)
    yield "published"


def through(steps: Iterable[str]) -> None:
    """Take every step."""
    for _ in steps:
        pass
