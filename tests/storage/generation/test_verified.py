"""Files that were hashed before and not touched since are not read again; all others are."""

import hashlib
import os
import random
import time
from pathlib import Path

import pytest

from contextsvc.errors import CorruptIndex
from contextsvc.storage.generation import current, open_manifest, stage, staging, verified
from tests.storage.generation.test_generation import DESCRIPTION, publish

SETTLED_NS = 20_000_000


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An index whose one file was verified and is known to be."""
    monkeypatch.setattr(verified, "SETTLED_NS", SETTLED_NS)
    publish(tmp_path, "abc")
    (tmp_path / "docs" / verified.VERIFIED).unlink(missing_ok=True)  # what sealing knew
    settle()
    open_manifest(tmp_path, "docs", trust_seen=True)
    return tmp_path / "docs"


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the files that are hashed from now on."""
    names: list[str] = []
    digest = hashlib.file_digest

    def noted(file: object, kind: str) -> object:
        names.append(Path(file.name).name)  # type: ignore[attr-defined]
        return digest(file, kind)  # type: ignore[arg-type]

    monkeypatch.setattr(hashlib, "file_digest", noted)
    return names


def settle() -> None:
    time.sleep(2 * SETTLED_NS / 1e9)


def a_file(index: Path) -> Path:
    return open_manifest(index.parent, "docs", trust_seen=True)[0] / "a.txt"


def test_what_was_verified_and_not_touched_is_not_read(index: Path, hashed: list[str]) -> None:
    open_manifest(index.parent, "docs", trust_seen=True)
    assert hashed == []


def test_who_does_not_trust_reads_every_byte(index: Path, hashed: list[str]) -> None:
    open_manifest(index.parent, "docs")
    assert hashed == ["a.txt"]


def test_a_touched_file_is_read_again_and_then_known(index: Path, hashed: list[str]) -> None:
    os.utime(a_file(index))
    settle()
    for _ in range(2):
        open_manifest(index.parent, "docs", trust_seen=True)
    assert hashed == ["a.txt"]


def test_what_sealing_hashed_is_known_when_it_is_opened(tmp_path: Path, hashed: list[str]) -> None:
    with stage(tmp_path, "docs") as staged:
        (staged.folder / "a.txt").write_text("abc")
        settle()
        staged.seal(DESCRIPTION)
        staged.publish()
    for _ in range(2):
        open_manifest(tmp_path, "docs", trust_seen=True)
    assert hashed == ["a.txt"]
    a_file(tmp_path / "docs").write_text("abd")
    with pytest.raises(CorruptIndex, match=r"a\.txt: changed since the index was built"):
        open_manifest(tmp_path, "docs", trust_seen=True)


@pytest.mark.parametrize("clock", [0, 1])
def test_a_file_written_a_moment_ago_is_not_trusted(
    tmp_path: Path, hashed: list[str], monkeypatch: pytest.MonkeyPatch, clock: int
) -> None:
    # The file system's steps are so long that a later change could bear the same time; or it tells none.
    monkeypatch.setattr(staging, "clock_of", lambda folder: clock * next(folder.iterdir()).stat().st_ctime_ns)
    publish(tmp_path, "abc")
    hashed.clear()
    for _ in range(2):
        open_manifest(tmp_path, "docs", trust_seen=True)
    assert hashed == ["a.txt", "a.txt"]


def test_a_change_right_after_sealing_is_found_every_time(tmp_path: Path) -> None:
    for number in range(50):
        publish(tmp_path, f"text {number}")
        path = tmp_path / "docs/generations" / current(tmp_path, "docs") / "a.txt"
        path.write_text(f"xext {number}")
        with pytest.raises(CorruptIndex):
            open_manifest(tmp_path, "docs", trust_seen=True)
        path.write_text(f"text {number}")


def test_the_clock_of_a_folder_is_that_of_its_files(tmp_path: Path) -> None:
    (tmp_path / "before").touch()
    settle()
    clock = verified.clock_of(tmp_path)
    settle()
    (tmp_path / "after").touch()
    assert (tmp_path / "before").stat().st_ctime_ns < clock < (tmp_path / "after").stat().st_ctime_ns
    assert sorted(path.name for path in tmp_path.iterdir()) == ["after", "before"]
    assert verified.clock_of(tmp_path / "nowhere") == 0


def test_a_changed_byte_is_found_even_with_its_old_time(index: Path) -> None:
    path = a_file(index)
    before = path.stat()
    path.write_text("abd")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert path.stat().st_mtime_ns == before.st_mtime_ns
    with pytest.raises(CorruptIndex, match=r"a\.txt: changed since the index was built"):
        open_manifest(index.parent, "docs", trust_seen=True)


def test_100_flips_of_a_known_file_are_found(index: Path) -> None:
    path, draw = a_file(index), random.Random(0)
    for _ in range(100):
        flipped = bytearray(b"abc")
        flipped[draw.randrange(3)] ^= draw.randint(1, 255)
        path.write_bytes(flipped)
        with pytest.raises(CorruptIndex):
            open_manifest(index.parent, "docs", trust_seen=True)
        path.write_bytes(b"abc")
        open_manifest(index.parent, "docs", trust_seen=True)


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b'{"%s": 3}', b'{"%s": {"a.txt": []}}', b"\xff"])
def test_damaged_knowledge_is_no_knowledge(index: Path, hashed: list[str], damage: bytes) -> None:
    generation = a_file(index).parent.name
    (index / verified.VERIFIED).write_bytes(damage.replace(b"%s", generation.encode()))
    open_manifest(index.parent, "docs", trust_seen=True)
    assert hashed == ["a.txt"]
    assert verified.read_seen(index, generation)["a.txt"][0] == hashlib.sha256(b"abc").hexdigest()


def test_knowledge_of_another_content_does_not_count(index: Path, hashed: list[str]) -> None:
    generation = a_file(index).parent.name
    known = verified.read_seen(index, generation)
    known["a.txt"][0] = "0" * 64
    verified.write_seen(index, generation, known)
    open_manifest(index.parent, "docs", trust_seen=True)
    assert hashed == ["a.txt"]


def test_generations_that_are_gone_are_forgotten(index: Path) -> None:
    first = a_file(index).parent.name
    for text in ("abd", "abe", "abf"):
        publish(index.parent, text)
    settle()
    now = a_file(index).parent.name
    assert verified.read_seen(index, first) == {}
    assert set(verified.read_seen(index, now)) == {"a.txt"}


def test_a_folder_that_cannot_be_written_costs_time_alone(
    index: Path, hashed: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path, *_: object) -> int:
        raise PermissionError(path)

    os.utime(a_file(index))
    settle()
    monkeypatch.setattr(Path, "replace", refuse)
    for _ in range(2):
        open_manifest(index.parent, "docs", trust_seen=True)
    assert hashed == ["a.txt", "a.txt"]
