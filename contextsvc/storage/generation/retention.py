"""Retention: the return to a previous generation, and the removal of generations that nobody needs.

A generation is one published version of an index.
"""

import shutil
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

from contextsvc.errors import CorruptIndex, InvalidRequest
from contextsvc.storage.generation.companions import remove_companions
from contextsvc.storage.generation.journal import applied, drop_until
from contextsvc.storage.generation.locking import writing
from contextsvc.storage.generation.manifest import Manifest, problems, read_manifest
from contextsvc.storage.generation.pointer import (
    Pointer,
    best_pointer,
    generations,
    move_pointer,
    no_generation,
    read_pointer,
    run_steps,
)
from contextsvc.storage.generation.verified import drop_partial_files


def roll_back(root: Path, name: str, generation: str | None = None) -> Manifest:
    """Verify a previous generation, make it current and return its manifest.

    This works even if CURRENT is damaged. The generation that was current before stays on disk until the next
    publish or the next call of `collect`. To undo the roll back, pass the id of that generation.

    Args:
        root: Folder of all indexes.
        name: Name of the index.
        generation: Id of the generation that becomes current. None stands for the generation before the
            current one or, if CURRENT cannot be read, for the newest generation.

    Raises:
        UnknownIndex: no index was published under the name.
        InvalidRequest: there is no such generation, or there is none before the current one.
        CorruptIndex: the wanted generation is damaged.
        IndexBusy: another process or thread writes the index.
        Fault: CURRENT could not be written.
    """
    require_published(root, name)
    with writing(root, name) as index:
        there = generations(index)
        pointer, is_whole = _pointer(root, name)
        target = generation or (_before(name, pointer, there) if is_whole else pointer.generation)
        if target not in there:
            raise InvalidRequest(no_generation(name, target, there))
        found = problems(index / "generations" / target)
        if found:
            raise CorruptIndex(name, found)
        # If CURRENT is damaged, the pointer is a guess: its generation may never have been published.
        if is_whole and target != pointer.generation:
            _forget_published(index, pointer.generation)
        if target != pointer.generation or not is_whole:
            run_steps(move_pointer(index, _after_roll_back(target, pointer)))
        return read_manifest(index / "generations" / target)


def collect(root: Path, name: str, keep: int) -> list[str]:
    """Remove old generations of an index and return their ids, oldest first.

    The current generation and the newest generations before it are kept. The calibrations and measured scores
    of removed generations are removed, too, and so is everything that a killed writer left.

    Args:
        root: Folder of all indexes.
        name: Name of the index.
        keep: Number of generations that are kept, the current one included.

    Raises:
        InvalidRequest: `keep` is below 1.
        UnknownIndex: no index was published under the name.
        CorruptIndex: CURRENT cannot be read. Then nothing is removed.
        IndexBusy: another process or thread writes the index.
        Fault: CURRENT could not be written.
    """
    if keep < 1:
        raise InvalidRequest(f"--keep is {keep}; expected at least 1, the current generation")
    require_published(root, name)
    with writing(root, name) as index:
        pointer = read_pointer(root, name)
        kept = Pointer(pointer.generation, pointer.before[: keep - 1])
        if kept != pointer:
            run_steps(move_pointer(index, kept))
        gone = [found for found in generations(index) if found not in (kept.generation, *kept.before)]
        remove_others(index, {kept.generation, *kept.before})
        for leftover in (*(index / "generations").glob("staging-*"), index / "parts"):
            shutil.rmtree(leftover, ignore_errors=True)
        drop_partial_files(index)
        return gone


def remove_others(index: Path, keep: Collection[str]) -> None:
    """Remove all generations except some, with their calibrations and measured scores.

    If a file cannot be removed, it stays and the next call tries again.

    Args:
        index: Folder of the index.
        keep: Ids of the generations that are kept.
    """
    for generation in generations(index):
        if generation not in keep:
            shutil.rmtree(index / "generations" / generation, ignore_errors=True)
    remove_companions(index, keep)


def _forget_published(index: Path, generation: str) -> None:
    """Remove from the journal the changes that a generation holds, so that they are not published again."""
    with suppress(OSError, ValueError, RecursionError):
        drop_until(index, applied(read_manifest(index / "generations" / generation)))


def _before(name: str, pointer: Pointer, there: list[str]) -> str:
    before = [found for found in pointer.before if found in there]
    if not before:
        raise InvalidRequest(f"index {name!r} has no generation before {pointer.generation}")
    return before[0]


def _after_roll_back(target: str, pointer: Pointer) -> Pointer:
    if target == pointer.generation:
        return pointer
    if target in pointer.before:
        # Generations newer than the target were rolled back, so they must not replace it if it is damaged.
        return Pointer(target, pointer.before[pointer.before.index(target) + 1 :])
    return Pointer(target, (pointer.generation, *pointer.before))


def require_published(root: Path, name: str) -> None:
    """Check that an index was published under a name.

    Call this function before taking the writer's lock, because taking the lock makes the folder of the index.

    Raises:
        InvalidRequest: the name is not valid.
        UnknownIndex: no index was published under the name.
    """
    with suppress(CorruptIndex):  # a damaged pointer is the pointer of a published index
        read_pointer(root, name)


def _pointer(root: Path, name: str) -> tuple[Pointer, bool]:
    """Return the pointer of an index, and whether CURRENT is undamaged.

    If CURRENT is damaged, the pointer is guessed from the folder (`pointer.best_pointer`).
    """
    try:
        return read_pointer(root, name), True
    except CorruptIndex:
        pointer = best_pointer(root, name)
        if pointer is None:
            raise
        return pointer, False
