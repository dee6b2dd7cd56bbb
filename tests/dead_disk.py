"""A process that dies at a chosen call of the file system, without the cost of a process.

Every call that changes something on disk is counted, by Python's own audit events and `os.fsync`. At the
chosen one, before it happens, `Died` is raised, and from then on every further one raises it, too: nothing
that runs after a death, a `finally` for one, can touch the disk.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

_CHANGES = {"os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.truncate", "os.link", "shutil.rmtree"}
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC


class Died(BaseException):
    """No `except Exception` may stop it."""


@dataclass
class Disk:
    """Calls so far; at number `last` the process dies."""

    root: str
    last: float
    calls: list[str] = field(default_factory=list)

    def call(self, name: str) -> None:
        """Count a call; or die."""
        if len(self.calls) >= self.last:
            raise Died(name)
        self.calls.append(name)


_disks: list[Disk] = []


def _audit(event: str, arguments: tuple[Any, ...]) -> None:
    if not _disks:
        return
    changes = event in _CHANGES or (event == "open" and _writes(arguments))
    if changes and (not isinstance(arguments[0], str | os.PathLike) or _is_inside(arguments[0])):
        _disks[-1].call(f"{event} {arguments[0]}")


def _writes(arguments: tuple[Any, ...]) -> bool:
    _, mode, flags = arguments
    return bool(set(mode) & set("wax+")) if isinstance(mode, str) else bool((flags or 0) & _WRITES)


def _is_inside(path: Any) -> bool:
    name = os.fspath(path)
    # What is opened by a descriptor of its folder is part of removing a tree.
    return not isinstance(name, str) or not name.startswith("/") or name.startswith(_disks[-1].root)


sys.addaudithook(_audit)


@contextmanager
def dying_after(
    monkeypatch: pytest.MonkeyPatch, root: object, num_calls: float = float("inf")
) -> Iterator[Disk]:
    """Inside, the disk stands still after so many calls under a folder; what dies of it is let go."""
    disk = Disk(str(root), num_calls)
    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", lambda _: disk.call("fsync"))
        _disks.append(disk)
        try:
            yield disk
        except Died:
            pass
        finally:
            _disks.pop()
