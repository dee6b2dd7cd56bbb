"""Going back to a former generation, and removing those that nobody needs."""

import shutil
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

from contextsvc.errors import CorruptIndex, InvalidRequest, UnknownIndex
from contextsvc.storage.generation.journal import applied, drop_until
from contextsvc.storage.generation.locking import writing
from contextsvc.storage.generation.manifest import Manifest, problems, read_manifest
from contextsvc.storage.generation.pointer import (
    Pointer,
    best_pointer,
    check_name,
    generations,
    index_names,
    move_pointer,
    read_pointer,
    through,
)


def roll_back(root: Path, name: str, generation: str | None = None) -> Manifest:
    """Make a former generation current again, once it is verified; works where CURRENT is damaged, too.

    What it leaves stays in the folder until the next publish or `collect`, so that the roll back can
    itself be undone by naming the generation.

    Args:
        root: Folder of the indexes.
        name: The index.
        generation: Its id; None: the one before the current, or the newest where CURRENT cannot be read.

    Raises:
        UnknownIndex: nothing was published under the name.
        InvalidRequest: there is no such generation, or none before the current.
        CorruptIndex: it is damaged, too.
        IndexBusy: another writer is at work.
    """
    require_published(root, name)
    with writing(root, name) as index:
        there = generations(index)
        pointer, is_whole = _pointer(root, name)
        target = generation or (_before(name, pointer, there) if is_whole else pointer.generation)
        if target not in there:
            known = ", ".join(there) or "none"
            raise InvalidRequest(f"index {name!r} has no generation {target!r} (there: {known})")
        found = problems(index / "generations" / target)
        if found:
            raise CorruptIndex(name, found)
        if is_whole and target != pointer.generation:  # guessed, it may never have been published
            _forget_published(index, pointer.generation)
        if target != pointer.generation or not is_whole:
            through(move_pointer(index, _after_roll_back(target, pointer)))
        return read_manifest(index / "generations" / target)


def collect(root: Path, name: str, keep: int) -> list[str]:
    """Keep the current generation and those published before it, `keep` in all; ids of what was removed.

    Whatever a dead writer left goes, too.

    Raises:
        InvalidRequest: `keep` is below 1.
        UnknownIndex: nothing was published under the name.
        CorruptIndex: CURRENT cannot be read: nothing is removed then.
        IndexBusy: another writer is at work.
    """
    if keep < 1:
        raise InvalidRequest(f"--keep is {keep}; expected at least 1, the current generation")
    require_published(root, name)
    with writing(root, name) as index:
        pointer = read_pointer(root, name)
        kept = Pointer(pointer.generation, pointer.before[: keep - 1])
        if kept != pointer:
            through(move_pointer(index, kept))
        gone = [found for found in generations(index) if found not in (kept.generation, *kept.before)]
        remove_others(index, {kept.generation, *kept.before})
        for leftover in (*(index / "generations").glob("staging-*"), index / "parts"):
            shutil.rmtree(leftover, ignore_errors=True)
        return gone


def remove_others(index: Path, keep: Collection[str]) -> None:
    """Remove the generations not named; one that resists is left for the next time."""
    for generation in generations(index):
        if generation not in keep:
            shutil.rmtree(index / "generations" / generation, ignore_errors=True)


def _forget_published(index: Path, generation: str) -> None:
    """Drop from the journal what a generation holds: rolled back, it would pass for still to be published."""
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
        # Those newer than the target were left, and are no fallback for it.
        return Pointer(target, pointer.before[pointer.before.index(target) + 1 :])
    return Pointer(target, (pointer.generation, *pointer.before))


def require_published(root: Path, name: str) -> None:
    """Raise unless there is such an index; before the lock, for taking that makes a folder.

    Raises:
        InvalidRequest: the name is none.
        UnknownIndex: nothing was published under it.
    """
    if not (root / check_name(name) / "CURRENT").exists():
        raise UnknownIndex(name, str(root), index_names(root))


def _pointer(root: Path, name: str) -> tuple[Pointer, bool]:
    """What CURRENT says and whether it is whole; damaged, it is taken from the generations there are."""
    try:
        return read_pointer(root, name), True
    except CorruptIndex:
        pointer = best_pointer(root, name)
        if pointer is None:
            raise
        return pointer, False
