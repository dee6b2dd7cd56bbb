"""Bytes that this process reads from files, as the system counts them."""

from collections.abc import Callable
from pathlib import Path

_COUNTS = Path("/proc/self/io")


def bytes_read(call: Callable[[], object]) -> int:
    """Return the bytes that a call reads, without those of the counting; what the call raises is raised."""
    before = _COUNTS.read_bytes()
    call()
    return _count(_COUNTS.read_bytes()) - _count(before) - len(before)


def _count(data: bytes) -> int:
    (line,) = (line for line in data.splitlines() if line.startswith(b"rchar: "))
    return int(line.split()[1])
