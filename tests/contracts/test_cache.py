"""The contract of every Cache."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from contextsvc.adapters.storage.disk_cache import DiskcacheCache
from contextsvc.ports import Cache
from tests.fakes.cache import MemoryCache

Build = Callable[[Path], Cache]


def build_memory(_: Path) -> Cache:
    return MemoryCache()


def build_diskcache(folder: Path) -> Cache:
    return DiskcacheCache(folder, size_limit_bytes=10_000_000)


pytestmark = pytest.mark.parametrize("build", [build_memory, build_diskcache])


def test_get_returns_the_value_that_was_put_last(build: Build, tmp_path: Path) -> None:
    cache = build(tmp_path)
    assert cache.get("k") is None
    cache.put("k", b"one")
    cache.put("l", b"other")
    assert cache.get("k") == b"one"
    cache.put("k", b"two")
    assert cache.get("k") == b"two"
    assert cache.get("l") == b"other"


@pytest.mark.parametrize("value", [b"", b"\x00\xff", b"\x80\x04K\x01.", b"x" * 2**15, b"y" * 1_000_000])
def test_any_bytes_come_back_as_bytes(build: Build, tmp_path: Path, value: bytes) -> None:
    cache = build(tmp_path)
    cache.put("k", value)
    found = cache.get("k")
    assert type(found) is bytes
    assert found == value


def test_any_text_is_a_key(build: Build, tmp_path: Path) -> None:
    cache = build(tmp_path)
    keys = ["", "ü", "a\x00b", "a", "\ud800", "../x", "%s" * 500]
    for number, key in enumerate(keys):
        cache.put(key, bytes([number]))
    assert [cache.get(key) for key in keys] == [bytes([number]) for number in range(len(keys))]


def test_only_bytes_are_kept(build: Build, tmp_path: Path) -> None:
    cache = build(tmp_path)
    with pytest.raises(TypeError, match="bytes"):
        cache.put("k", "text")  # type: ignore[arg-type]
    assert cache.get("k") is None


def test_threads_share_it(build: Build, tmp_path: Path) -> None:
    cache = build(tmp_path)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda number: cache.put(str(number), bytes([number])), range(40)))
        found = list(pool.map(lambda number: cache.get(str(number)), range(40)))
    # A busy cache may miss, but what it gives is right.
    assert set(found) <= {None, *(bytes([number]) for number in range(40))}
    assert all(value in (None, bytes([number])) for number, value in enumerate(found))
    assert any(value is not None for value in found)


def test_a_tag_is_dropped_whole_and_nothing_else(build: Build, tmp_path: Path) -> None:
    cache = build(tmp_path)
    for number in range(25):
        cache.put(f"a{number}", b"x" * 2**15 if number % 2 else b"x", tag="a")
    cache.put("b", b"other", tag="b")
    cache.put("plain", b"untagged")
    assert cache.drop("a")
    assert cache.drop("never seen")
    assert [cache.get(f"a{number}") for number in range(25)] == [None] * 25
    assert (cache.get("b"), cache.get("plain")) == (b"other", b"untagged")
    assert not list(tmp_path.rglob("*.val"))
