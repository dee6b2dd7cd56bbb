"""A writer that dies at any moment loses nothing that was acknowledged, and leaves an index that is sound."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from contextsvc.indexing.build import build_index
from contextsvc.records.documents import Document
from contextsvc.service.publishing import Publisher, pending
from contextsvc.storage.checking import check_index
from contextsvc.storage.corpus import Corpus
from contextsvc.storage.generation import collect, open_manifest, roll_back
from contextsvc.storage.library import Library
from contextsvc.wiring import open_search
from tests.dead_disk import dying_after
from tests.fakes.embedder import FakeEmbedder
from tests.world import documents, fake_parts

OLD = {document.doc_id: document.text for document in documents()[:3]}
MORE = [Document("backup", "Another text about backups."), Document("new", "A page that is new.")]


def publisher(root: Path) -> Publisher:
    return Publisher(Library(root, FakeEmbedder().fingerprint, open_search), fake_parts, keep=2)


def texts(root: Path) -> dict[str, str]:
    folder, manifest = open_manifest(root, "pages")
    return {d.doc_id: d.text for d in Corpus.open(folder, manifest).documents()}


def put(root: Path) -> None:
    publisher(root).put("pages", MORE)


def delete(root: Path) -> None:
    publisher(root).delete("pages", "restore")


def publish(root: Path) -> None:
    publisher(root).publish("pages")


def build(root: Path) -> None:
    build_index(root, "pages", documents()[2:5], fake_parts())


def back(root: Path) -> None:
    roll_back(root, "pages")


def gc(root: Path) -> None:
    collect(root, "pages", 1)


BUILT = {document.doc_id: document.text for document in documents()[2:5]}
PUT = {**OLD, "backup": MORE[0].text, "new": MORE[1].text}
DELETED = {doc_id: text for doc_id, text in OLD.items() if doc_id != "restore"}


def prepared(root: Path, first: list[Callable[[Path], None]]) -> None:
    build_index(root, "pages", documents()[:3], fake_parts())
    for step in first:
        step(root)


@pytest.mark.parametrize(
    ("first", "step", "before", "after"),
    [
        ([put], publish, OLD, PUT),
        ([delete], publish, OLD, DELETED),
        ([], build, OLD, BUILT),
        ([put, publish], back, PUT, OLD),
        ([put, publish], gc, PUT, PUT),
    ],
    ids=["publish", "publish a deletion", "build", "roll back", "collect"],
)
def test_a_death_at_any_call_leaves_the_old_or_the_new(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    first: list[Callable[[Path], None]],
    step: Callable[[Path], None],
    before: dict[str, str],
    after: dict[str, str],
) -> None:
    prepared(tmp_path / "whole", first)
    seen = []
    for number in range(10_000):
        root = tmp_path / str(number)
        shutil.copytree(tmp_path / "whole", root)
        with dying_after(monkeypatch, root, number) as disk:
            step(root)
        found = texts(root)
        assert found in (before, after), disk.calls[-1:]
        assert check_index(root, "pages", open_search)[1] == [], disk.calls[-1:]
        seen.append(found)
        # What was acknowledged before is not lost, and the next writer finishes what this one began.
        if step is publish:
            publish(root)
            assert texts(root) == after
        shutil.rmtree(root)
        if len(disk.calls) < number:
            break
    assert number > 5
    # Never back again: once the new state shows, it stays.
    assert seen == sorted(seen, key=lambda state: state == after)
    assert seen[-1] == after


def test_a_death_while_documents_are_put_keeps_all_or_a_part_that_was_not_acknowledged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared(tmp_path / "whole", [])
    for number in range(100):
        root = tmp_path / str(number)
        shutil.copytree(tmp_path / "whole", root)
        with dying_after(monkeypatch, root, number) as disk:
            put(root)
        acknowledged = len(disk.calls) < number
        publish(root)
        assert texts(root) in ([PUT] if acknowledged else [OLD, PUT])
        if acknowledged:
            break
    assert 3 < number < 99


def test_nothing_acknowledged_is_lost_in_100_trials_of_kill_9(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.killed_writers", str(tmp_path), "--trials", "100"]
    env = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    run = subprocess.run(command, env=env, capture_output=True, text=True, check=False, timeout=600)
    assert run.returncode == 0, run.stderr[-4000:]
    found = json.loads(run.stdout)
    assert (found["trials"], found["faults"]) == (100, [])
    assert found["acknowledged"] > 100
    assert found["killed_within"].keys() >= {"publish", "build", "update"}


def test_what_was_published_and_rolled_back_does_not_wait_any_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A writer that dies after the pointer was moved and before the journal was cut.
    prepared(tmp_path / "whole", [put])
    for number in range(10_000):
        root = tmp_path / str(number)
        shutil.copytree(tmp_path / "whole", root)
        with dying_after(monkeypatch, root, number):
            publish(root)
        if texts(root) == PUT:
            break
    assert pending(root / "pages", 0).records.keys() == {"backup", "new"}
    roll_back(root, "pages")
    assert pending(root / "pages", 0).records == {}
    publish(root)
    assert texts(root) == OLD
