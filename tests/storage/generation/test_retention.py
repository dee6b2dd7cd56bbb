"""Going back, collecting, and what CURRENT says meanwhile."""

from pathlib import Path

import pytest

from contextsvc.errors import CorruptIndex, IndexBusy, InvalidRequest, UnknownIndex
from contextsvc.storage.generation import (
    Pointer,
    collect,
    generations,
    open_manifest,
    read_pointer,
    roll_back,
    stage,
)
from tests.storage.generation.test_generation import DESCRIPTION

ONE, TWO = "00000001-0123456789ab", "00000002-ba9876543210"


def published(root: Path, texts: str, keep: int = 5) -> list[str]:
    ids = []
    for text in texts:
        with stage(root, "docs", keep) as staged:
            (staged.folder / "a.txt").write_text(text)
            staged.seal(DESCRIPTION)
            ids.append(staged.publish().manifest.generation)
    return ids


def text(root: Path) -> str:
    return (open_manifest(root, "docs")[0] / "a.txt").read_text()


def test_a_pointer_comes_back_as_it_was_written() -> None:
    for pointer in (Pointer(ONE), Pointer(TWO, (ONE,))):
        assert Pointer.decode(pointer.encode()) == pointer
    assert Pointer(ONE).encode().startswith(ONE.encode() + b"\nsha256 ")


@pytest.mark.parametrize(
    "data", [b"", ONE.encode(), Pointer(ONE).encode()[:-1], b"\n" + Pointer(ONE).encode()]
)
def test_anything_else_is_no_pointer(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"expected generation ids|checksum"):
        Pointer.decode(data)


def test_a_publish_keeps_as_many_as_asked(tmp_path: Path) -> None:
    ids = published(tmp_path, "abcde", keep=3)
    assert generations(tmp_path / "docs") == ids[2:]
    assert read_pointer(tmp_path, "docs") == Pointer(ids[4], (ids[3], ids[2]))


def test_back_is_one_generation_a_time_and_can_be_undone(tmp_path: Path) -> None:
    ids = published(tmp_path, "abc")
    assert roll_back(tmp_path, "docs").generation == ids[1]
    assert text(tmp_path) == "b"
    # What was left is no fallback, but it is there and can be named.
    assert read_pointer(tmp_path, "docs") == Pointer(ids[1], (ids[0],))
    assert roll_back(tmp_path, "docs", ids[2]).generation == ids[2]
    assert read_pointer(tmp_path, "docs") == Pointer(ids[2], (ids[1], ids[0]))
    assert roll_back(tmp_path, "docs", ids[0]).generation == ids[0]
    with pytest.raises(InvalidRequest, match="no generation before"):
        roll_back(tmp_path, "docs")
    assert text(tmp_path) == "a"


def test_what_was_rolled_back_goes_with_the_next_publish_and_its_number_is_not_used_again(
    tmp_path: Path,
) -> None:
    ids = published(tmp_path, "abc")
    roll_back(tmp_path, "docs")
    (new,) = published(tmp_path, "d")
    assert new.startswith("00000004-")
    assert generations(tmp_path / "docs") == [ids[0], ids[1], new]


def test_a_damaged_generation_is_not_gone_back_to(tmp_path: Path) -> None:
    ids = published(tmp_path, "ab")
    (tmp_path / "docs" / "generations" / ids[0] / "a.txt").write_text("X")
    with pytest.raises(CorruptIndex, match=r"a.txt: changed"):
        roll_back(tmp_path, "docs")
    assert text(tmp_path) == "b"


def test_a_damaged_pointer_is_mended_by_going_back(tmp_path: Path) -> None:
    ids = published(tmp_path, "ab")
    (tmp_path / "docs" / "CURRENT").write_text("nonsense")
    with pytest.raises(CorruptIndex, match="holds 'nonsense'"):
        open_manifest(tmp_path, "docs")
    with pytest.raises(CorruptIndex, match="CURRENT"):
        collect(tmp_path, "docs", 1)
    assert generations(tmp_path / "docs") == ids
    assert roll_back(tmp_path, "docs", ids[1]).generation == ids[1]
    assert text(tmp_path) == "b"


def test_only_what_is_asked_for_is_kept(tmp_path: Path) -> None:
    ids = published(tmp_path, "abcd")
    (tmp_path / "docs" / "generations" / "staging-1").mkdir()
    (tmp_path / "docs" / "parts").mkdir()
    assert collect(tmp_path, "docs", 2) == ids[:2]
    assert collect(tmp_path, "docs", 2) == []
    assert sorted(path.name for path in (tmp_path / "docs" / "generations").iterdir()) == ids[2:]
    assert not (tmp_path / "docs" / "parts").exists()
    roll_back(tmp_path, "docs")
    assert collect(tmp_path, "docs", 1) == [ids[3]]
    assert text(tmp_path) == "c"


def test_refusals(tmp_path: Path) -> None:
    for ask in (lambda: roll_back(tmp_path, "docs"), lambda: collect(tmp_path, "docs", 1)):
        with pytest.raises(UnknownIndex):
            ask()
    assert not (tmp_path / "docs").exists()
    published(tmp_path, "ab")
    with pytest.raises(InvalidRequest, match="--keep is 0"):
        collect(tmp_path, "docs", 0)
    with pytest.raises(InvalidRequest, match=r"no generation '../x'"):
        roll_back(tmp_path, "docs", "../x")
    with stage(tmp_path, "docs"):
        for ask in (lambda: roll_back(tmp_path, "docs"), lambda: collect(tmp_path, "docs", 1)):
            with pytest.raises(IndexBusy):
                ask()
