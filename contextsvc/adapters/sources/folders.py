"""Walk a folder in a fixed order, without leaving it through a symlink."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class PathEntry:
    """A file of the walked folder, or a path that cannot be read.

    Attributes:
        path: Path to open.
        relative: Posix path relative to the walked folder.
        problem: Reason why the path cannot be read; empty for a file that can be read.
        is_folder: Whether the path is a folder.
    """

    path: Path
    relative: str
    problem: str = ""
    is_folder: bool = False


def walk(folder: Path) -> Iterator[PathEntry]:
    """Yield the files of a folder and its subfolders, in order of names at each level.

    Names that start with a dot are ignored. A symlink is followed only if its target lies inside the folder.
    A target folder is followed only once, and a symlink to a parent folder is never followed, so every walk
    ends. A symlink that is not followed gives an entry with a problem.
    """
    root = os.path.realpath(folder)
    followed: set[str] = set()
    waiting = [PathEntry(folder, "", is_folder=True)]
    # A stack replaces recursion, because folders may be nested deeper than the recursion limit.
    while waiting:
        entry = waiting.pop()
        if entry.problem or not entry.is_folder:
            yield entry
            continue
        try:
            names = sorted(path.name for path in entry.path.iterdir())
        except OSError as error:
            yield PathEntry(entry.path, entry.relative, f"cannot be read: {error.strerror}", is_folder=True)
            continue
        children = (_path_entry(entry, name) for name in names if not name.startswith("."))
        waiting.extend(reversed([_resolve_symlink(child, root, followed) for child in children]))


def _path_entry(parent: PathEntry, name: str) -> PathEntry:
    path = parent.path / name
    shown = os.fsencode(name).decode("utf-8", "backslashreplace")
    relative = f"{parent.relative}/{shown}".lstrip("/")
    problem = "" if shown == name else "its name is not UTF-8; rename it"
    # Path.is_dir() raises in a folder that may be listed but not entered.
    return PathEntry(path, relative, problem, os.path.isdir(path))  # noqa: PTH112


def _resolve_symlink(entry: PathEntry, root: str, followed: set[str]) -> PathEntry:
    """Return the entry, or an entry with a problem if the path is a symlink that must not be followed.

    Args:
        entry: Entry to check.
        root: Real path of the walked folder.
        followed: Real paths of the folders that symlinks led to so far; a new one is added.
    """
    if entry.problem or not entry.path.is_symlink():
        return entry
    try:
        target = os.path.realpath(entry.path, strict=True)
    except OSError as error:
        return _with_problem(entry, f"a symlink without a target: {error.strerror}")
    if not _lies_in(target, root):
        return _with_problem(
            entry, "a symlink out of the folder; copy its target in, or give that as a SOURCE"
        )
    if not entry.is_folder:
        return entry
    if _lies_in(os.path.realpath(entry.path.parent), target):
        return _with_problem(entry, "a symlink to a folder that contains it")
    if target in followed:
        return _with_problem(entry, "a symlink to a folder that another symlink already led to")
    followed.add(target)
    return entry


def _with_problem(entry: PathEntry, problem: str) -> PathEntry:
    return PathEntry(entry.path, entry.relative, problem, entry.is_folder)


def _lies_in(path: str, folder: str) -> bool:
    return os.path.commonpath((path, folder)) == folder
