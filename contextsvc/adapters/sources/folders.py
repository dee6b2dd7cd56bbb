"""Walks a folder without leaving it, in an order that is always the same."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Entry:
    """A file that was found, or something that could not be followed.

    Attributes:
        path: Where to open it.
        relative: Posix path inside the folder.
        problem: Why it cannot be read, one sentence; empty for a file.
        is_folder: What cannot be followed is a folder.
    """

    path: Path
    relative: str
    problem: str = ""
    is_folder: bool = False


def walk(folder: Path) -> Iterator[Entry]:
    """Files of a folder and the folders in it, by name, each folder where its name stands.

    Names that start with a dot are passed over in silence. A symlink is followed when its target
    lies inside the folder: to a folder once a target, and never to one it lies in, so every walk
    ends. Anything else that is not followed gives an entry with a problem.
    """
    root = os.path.realpath(folder)
    followed: set[str] = set()
    waiting = [Entry(folder, "", is_folder=True)]
    # A stack, not recursion: a path may hold more folders than Python allows frames.
    while waiting:
        entry = waiting.pop()
        if entry.problem or not entry.is_folder:
            yield entry
            continue
        try:
            names = sorted(path.name for path in entry.path.iterdir())
        except OSError as error:
            yield Entry(entry.path, entry.relative, f"cannot be read: {error.strerror}", is_folder=True)
            continue
        children = (_entry(entry, name) for name in names if not name.startswith("."))
        waiting.extend(reversed([_followed(child, root, followed) for child in children]))


def _entry(parent: Entry, name: str) -> Entry:
    path = parent.path / name
    shown = os.fsencode(name).decode("utf-8", "backslashreplace")
    relative = f"{parent.relative}/{shown}".lstrip("/")
    problem = "" if shown == name else "its name is not UTF-8; rename it"
    # Path.is_dir() raises where a folder may be listed but not entered.
    return Entry(path, relative, problem, os.path.isdir(path))  # noqa: PTH112


def _followed(entry: Entry, root: str, followed: set[str]) -> Entry:
    """The entry itself, or with the problem why a symlink is not followed."""
    if entry.problem or not entry.path.is_symlink():
        return entry
    try:
        target = os.path.realpath(entry.path, strict=True)
    except OSError as error:
        return _refused(entry, f"a symlink that leads nowhere: {error.strerror}")
    if not _lies_in(target, root):
        return _refused(entry, "a symlink out of the folder; copy its target in, or name it as a SOURCE")
    if not entry.is_folder:
        return entry
    if _lies_in(os.path.realpath(entry.path.parent), target):
        return _refused(entry, "a symlink to a folder that it lies in")
    if target in followed:
        return _refused(entry, "a symlink to a folder that another symlink led to before")
    followed.add(target)
    return entry


def _refused(entry: Entry, problem: str) -> Entry:
    return Entry(entry.path, entry.relative, problem, entry.is_folder)


def _lies_in(path: str, folder: str) -> bool:
    return os.path.commonpath((path, folder)) == folder
