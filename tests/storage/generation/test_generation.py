import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contextsvc.errors import (
    CorruptIndex,
    Fault,
    IndexBusy,
    InvalidRequest,
    SettingError,
    ShapeError,
    UnknownIndex,
)
from contextsvc.storage.generation import (
    Published,
    Stage,
    check_name,
    current,
    disk_writes,
    index_names,
    open_manifest,
    problems,
    stage,
)

DESCRIPTION: dict[str, Any] = {
    "embedder": "tiny", "dim": 2, "num_documents": 1, "num_chunks": 3, "num_sentences": 4, "num_vectors": 5,
    "settings": {"chunk_max_tokens": 9},
}  # fmt: skip


def publish(root: Path, text: str, **changes: Any) -> Published:
    with stage(root, "docs") as staged:
        (staged.folder / "a.txt").write_text(text)
        staged.seal(DESCRIPTION | changes)
        return staged.publish()


def test_what_was_published_is_what_is_opened(tmp_path: Path) -> None:
    published = publish(tmp_path, "abc")
    folder, manifest = open_manifest(tmp_path, "docs")
    assert manifest == published.manifest
    assert published.changed
    assert (folder / "a.txt").read_text() == "abc"
    assert manifest.settings == {"chunk_max_tokens": 9}
    assert manifest.files["a.txt"].num_bytes == 3
    # printf abc | sha256sum
    assert manifest.files["a.txt"].sha256.startswith("ba7816bf8f01cfea")
    assert current(tmp_path, "docs") == manifest.generation == "00000001-" + manifest.content_hash[:12]
    assert index_names(tmp_path) == ["docs"]


def test_the_same_content_publishes_nothing(tmp_path: Path) -> None:
    first = publish(tmp_path, "abc")
    again = publish(tmp_path, "abc")
    assert again == Published(first.manifest, changed=False)
    assert [path.name for path in (tmp_path / "docs/generations").iterdir()] == [first.manifest.generation]


@pytest.mark.parametrize("change", [{"dim": 3}, {"embedder": "other"}, {"settings": {}}])
def test_another_description_is_another_generation(tmp_path: Path, change: dict[str, Any]) -> None:
    publish(tmp_path, "abc")
    assert publish(tmp_path, "abc", **change).manifest.generation.startswith("00000002-")


def test_a_damaged_current_generation_is_published_anew(tmp_path: Path) -> None:
    publish(tmp_path, "abc")
    (open_manifest(tmp_path, "docs")[0] / "a.txt").write_text("abd")
    assert publish(tmp_path, "abc").changed
    assert open_manifest(tmp_path, "docs")[1].generation.startswith("00000002-")


def test_the_previous_generation_is_kept_and_can_be_opened(tmp_path: Path) -> None:
    ids = [publish(tmp_path, text).manifest.generation for text in "abc"]
    assert sorted(path.name for path in (tmp_path / "docs/generations").iterdir()) == ids[1:]
    folder, _ = open_manifest(tmp_path, "docs", ids[1])
    assert (folder / "a.txt").read_text() == "b"
    with pytest.raises(InvalidRequest, match=f"there: {ids[1]}, {ids[2]}"):
        open_manifest(tmp_path, "docs", ids[0])
    with pytest.raises(InvalidRequest, match="no generation"):
        open_manifest(tmp_path, "docs", "../../other")


def _write_half(staged: Stage) -> None:
    (staged.folder / "a.txt").write_text("half")
    raise ShapeError("the builder failed")


def test_a_failed_build_leaves_no_trace(tmp_path: Path) -> None:
    first = publish(tmp_path, "abc").manifest
    with pytest.raises(ShapeError), stage(tmp_path, "docs") as staged:
        _write_half(staged)
    assert open_manifest(tmp_path, "docs")[1] == first
    assert [path.name for path in (tmp_path / "docs/generations").iterdir()] == [first.generation]


def test_an_index_that_was_never_published_is_unknown(tmp_path: Path) -> None:
    with stage(tmp_path, "half"):
        pass
    publish(tmp_path, "abc")
    with pytest.raises(UnknownIndex, match="there: docs"):
        current(tmp_path, "half")
    assert index_names(tmp_path / "nowhere") == []


def test_one_writer_at_a_time(tmp_path: Path) -> None:
    with (
        stage(tmp_path, "docs"),
        pytest.raises(IndexBusy, match="'docs' is being written by process"),
        stage(tmp_path, "docs"),
    ):
        pass
    publish(tmp_path, "the lock is free again")


def test_a_full_disk_or_a_lost_root_is_in_the_tree_of_errors(tmp_path: Path) -> None:
    with pytest.raises(Fault, match="writing index 'docs' failed"), stage(tmp_path, "docs"), disk_writes():
        raise OSError(28, "No space left on device")
    (tmp_path / "file").touch()
    with pytest.raises(SettingError, match="CONTEXTSVC_ROOT"), stage(tmp_path / "file", "docs"):
        pass


@given(st.text() | st.from_regex(r"[a-z0-9./\\_-]+", fullmatch=True))
def test_no_name_leaves_the_root(name: str) -> None:
    try:
        check_name(name)
    except InvalidRequest:
        return
    root = Path("/root")
    assert (root / name).resolve().parent == root
    assert 1 <= len(name) <= 64


def test_a_description_is_complete_and_json(tmp_path: Path) -> None:
    with pytest.raises(ShapeError, match="expected the fields"):
        publish(tmp_path, "abc", colour="red")
    for bad in ({"settings": {"x": {1}}}, {"settings": {"x": float("nan")}}, {"dim": "2"}):
        with pytest.raises(ShapeError, match="JSON"):
            publish(tmp_path, "abc", **bad)
    with stage(tmp_path, "docs") as staged:
        with pytest.raises(ShapeError, match="before seal"):
            staged.publish()
        (staged.folder / "inner").mkdir()
        with pytest.raises(ShapeError, match="plain files only in a generation, found inner"):
            staged.seal(DESCRIPTION)


def _edit_manifest(folder: Path, **changes: Any) -> None:
    content = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps(content | changes))


@pytest.mark.parametrize(
    ("damage", "problem"),
    [
        (lambda folder: (folder / "a.txt").unlink(), "a.txt: missing"),
        (lambda folder: (folder / "a.txt").write_text("abd"), "a.txt: changed since the index was built"),
        (lambda folder: (folder / "a.txt").write_text("ab"), "a.txt: 2 bytes, expected 3"),
        (lambda folder: (folder / "b.txt").touch(), "b.txt: not in the manifest"),
        (lambda folder: (folder / "manifest.json").unlink(), "manifest.json: .*No such file"),
        (lambda folder: (folder / "manifest.json").write_bytes(b"\xff{"), "manifest.json: "),
        (lambda folder: (folder / "manifest.json").write_text("[" * 100_000), "manifest.json: "),
        (lambda folder: (folder / "manifest.json").write_text("[]"), "manifest.json: holds no JSON object"),
        (lambda folder: _edit_manifest(folder, dim=3), "manifest.json: changed since the index was built"),
        (lambda folder: _edit_manifest(folder, format=2), "format 2, this version reads format 4"),
    ],
)
def test_damage_is_found_before_anything_is_opened(tmp_path: Path, damage: Any, problem: str) -> None:
    publish(tmp_path, "abc")
    folder, _ = open_manifest(tmp_path, "docs")
    assert problems(folder) == []
    damage(folder)
    assert len(problems(folder)) == 1
    with pytest.raises(CorruptIndex, match=problem):
        open_manifest(tmp_path, "docs")


def test_a_generation_under_another_id_is_damage(tmp_path: Path) -> None:
    publish(tmp_path, "abc")
    folder, manifest = open_manifest(tmp_path, "docs")
    moved = folder.with_name("00000007-" + manifest.content_hash[:12])
    folder.rename(moved)
    assert problems(folder) == [f"{folder.name}: this generation does not exist"]
    assert problems(moved) == [
        f"manifest.json: describes generation {folder.name}, the folder is {moved.name}"
    ]


@pytest.mark.parametrize("found", ["", "../../etc", "00000001-0123456789ab"])
def test_a_current_that_leads_nowhere_is_damage(tmp_path: Path, found: str) -> None:
    publish(tmp_path, "abc")
    (tmp_path / "docs/CURRENT").write_text(found)
    with pytest.raises(CorruptIndex):
        open_manifest(tmp_path, "docs")
    assert publish(tmp_path, "abc").changed
    assert open_manifest(tmp_path, "docs")[1].num_chunks == 3


CRASH = """
import os, sys
from pathlib import Path
from contextsvc.storage.generation import stage
with stage(Path(sys.argv[1]), "docs") as staged:
    (staged.folder / "a.txt").write_text("new")
    staged.seal({description})
    for step in staged.publish_steps():
        if step == sys.argv[2]:
            os._exit(9)
"""


@pytest.mark.parametrize(
    ("step", "survives"),
    [
        ("renamed", "old"),
        ("generations synced", "old"),
        ("CURRENT.tmp written", "old"),
        ("CURRENT replaced", "new"),
        ("published", "new"),
    ],
)
def test_a_writer_killed_after_any_step_leaves_a_whole_index(
    tmp_path: Path, step: str, survives: str
) -> None:
    publish(tmp_path, "old")
    code = CRASH.format(description=DESCRIPTION)
    assert subprocess.run([sys.executable, "-c", code, str(tmp_path), step], check=False).returncode == 9
    folder, _ = open_manifest(tmp_path, "docs")
    assert (folder / "a.txt").read_text() == survives
    publish(tmp_path, "next")
    kept = sorted((tmp_path / "docs/generations").iterdir())
    assert [(path / "a.txt").read_text() for path in kept] == [survives, "next"]


def test_a_dead_writers_staging_folder_is_removed(tmp_path: Path) -> None:
    left = tmp_path / "docs/generations/staging-999999999"
    left.mkdir(parents=True)
    (left / "half.txt").touch()
    publish(tmp_path, "abc")
    assert not left.exists()
