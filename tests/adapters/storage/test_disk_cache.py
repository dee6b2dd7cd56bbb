import os
import pickle
import resource
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from contextsvc.adapters.storage.disk_cache import DiskcacheCache
from contextsvc.errors import SettingError

LARGE = b"v" * 40_000


class Trap:
    """Unpickling it makes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return (os.mkdir, (str(self.path),))


@pytest.fixture
def cache(tmp_path: Path) -> Iterator[DiskcacheCache]:
    cache = DiskcacheCache(tmp_path / "cache", size_limit_bytes=10_000_000)
    yield cache
    cache.close()


def tamper(tmp_path: Path, statement: str, *values: object) -> None:
    connection = sqlite3.connect(tmp_path / "cache/cache.db")
    with connection:
        assert connection.execute(statement, values).rowcount == 1
    connection.close()


def value_files(tmp_path: Path) -> list[Path]:
    return list((tmp_path / "cache").rglob("*.val"))


def test_it_outlives_the_process(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path;"
        "from contextsvc.adapters.storage.disk_cache import DiskcacheCache;"
        "DiskcacheCache(Path(sys.argv[1]), 1000000).put('k', b'v' * 40000)"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "cache")], check=True)
    assert DiskcacheCache(tmp_path / "cache", 1_000_000).get("k") == LARGE


@pytest.mark.parametrize("in_file", [False, True])
def test_a_pickled_row_is_a_miss_and_stays_pickled(
    cache: DiskcacheCache, tmp_path: Path, in_file: bool
) -> None:
    cache.put("k", LARGE if in_file else b"small")
    data = pickle.dumps(Trap(tmp_path / "sprung"))
    if in_file:
        value_files(tmp_path)[0].write_bytes(data)
        tamper(tmp_path, "UPDATE Cache SET mode = 4")
    else:
        tamper(tmp_path, "UPDATE Cache SET mode = 4, value = ?", data)
    assert cache.get("k") is None
    assert not (tmp_path / "sprung").exists()
    pickle.loads(data)
    assert (tmp_path / "sprung").exists(), "the trap works"


def test_a_pickled_key_is_never_loaded(cache: DiskcacheCache, tmp_path: Path) -> None:
    cache.put("k", b"v")
    tamper(tmp_path, "UPDATE Cache SET raw = 0, key = ?", pickle.dumps(Trap(tmp_path / "sprung")))
    assert cache.get("k") is None
    with pytest.raises(OSError, match="not bytes"):
        list(cache._cache)
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize("mode", [1, 2, 3, 4, None])
def test_a_foreign_file_is_neither_read_nor_removed(
    cache: DiskcacheCache, tmp_path: Path, mode: int | None
) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(b"secret")
    for name in ("../secret", str(secret), "aa/../../secret", "cache.db", b"\x00", None):
        cache.put("k", LARGE)
        tamper(tmp_path, "UPDATE Cache SET mode = ?, filename = ?", mode, name)
        assert cache.get("k") is None
        cache.put("k", b"new")
        assert cache.get("k") == b"new"
        assert secret.read_bytes() == b"secret"


def test_a_link_in_place_of_a_file_is_not_followed(cache: DiskcacheCache, tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"secret")
    cache.put("k", LARGE)
    path = value_files(tmp_path)[0]
    path.unlink()
    path.symlink_to(tmp_path / "secret")
    assert cache.get("k") is None


@pytest.mark.parametrize(
    "change", ["value = 'text'", "value = 7", "value = NULL", "mode = 2", "mode = 'x'", "mode = NULL"]
)
def test_a_row_that_is_no_bytes_is_a_miss(cache: DiskcacheCache, tmp_path: Path, change: str) -> None:
    cache.put("k", b"small")
    tamper(tmp_path, f"UPDATE Cache SET {change}")
    assert cache.get("k") is None


def test_a_lost_file_is_a_miss(cache: DiskcacheCache, tmp_path: Path) -> None:
    cache.put("k", LARGE)
    value_files(tmp_path)[0].unlink()
    assert cache.get("k") is None
    cache.put("k", LARGE)
    assert cache.get("k") == LARGE


def test_another_writers_lock_is_a_miss(cache: DiskcacheCache, tmp_path: Path) -> None:
    cache.put("k", b"old")
    other = sqlite3.connect(tmp_path / "cache/cache.db", isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    cache.put("k", b"new")
    cache.put("l", LARGE)
    assert cache.get("k") == b"old"
    other.execute("ROLLBACK")
    other.close()
    assert cache.get("l") is None
    assert value_files(tmp_path) == []


def test_a_damaged_database_is_a_miss_and_refused_at_the_next_start(tmp_path: Path) -> None:
    cache = DiskcacheCache(tmp_path / "cache", 1_000_000)
    for number in range(50):
        cache.put(str(number), b"v" * 1000)
    cache.close()
    for path in (tmp_path / "cache").iterdir():
        path.write_bytes(b"no database" * 1000)
    assert cache.get("7") is None
    cache.put("7", b"x")
    assert cache.get("7") is None
    with pytest.raises(SettingError, match=r"cannot be used.*remove the folder"):
        DiskcacheCache(tmp_path / "cache", 1_000_000)


def test_a_full_disk_is_a_miss_and_leaves_no_part_of_a_file(cache: DiskcacheCache, tmp_path: Path) -> None:
    cache.put("k", b"old")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    # A limit on the size of files fails as a full disk does: after a part was written.
    resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, hard))
    try:
        cache.put("l", LARGE)
        cache.put("m", b"m" * 32_000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert cache.get("l") is None
    assert cache.get("m") is None
    assert value_files(tmp_path) == []
    cache.put("l", LARGE)
    assert cache.get("l") == LARGE
    assert cache.get("k") == b"old"


def test_a_folder_that_cannot_be_made_is_seen_at_start(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SettingError, match="CONTEXTSVC_HOME"):
        DiskcacheCache(tmp_path / "file", 1_000_000)


def test_it_stays_about_its_size_and_refuses_what_exceeds_it(tmp_path: Path) -> None:
    cache = DiskcacheCache(tmp_path / "cache", size_limit_bytes=2_000_000)
    cache.put("huge", b"x" * 2_000_001)
    assert cache.get("huge") is None
    for number in range(100):
        cache.put(str(number), LARGE)
    # 2,000,000 / 40,000; diskcache evicts ten at a time.
    assert 1 <= len(value_files(tmp_path)) <= 50
    assert cache.get("99") == LARGE
    assert cache.get("0") is None
