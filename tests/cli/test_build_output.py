"""Copies on the command line."""

import json
from pathlib import Path

import pytest

from contextsvc.cli.build_output import print_duplicates
from contextsvc.indexing.build import build_index
from contextsvc.indexing.deduplication import Deduplicator
from contextsvc.records.documents import Document
from tests.cli.test_cli import ran
from tests.world import fake_parts


def documents(number: int) -> list[Document]:
    return [Document(f"v{n}", "Take a snapshot of the cluster.", source=f"v{n}.md") for n in range(number)]


def built(root: Path, number: int, keep_one: bool = True) -> Deduplicator:
    watch = Deduplicator(1.0, None, keep_one)
    build_index(root, "pages", documents(number), fake_parts(), deduplicator=watch)
    return watch


def test_show_lists_aliases(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    built(tmp_path, 3)
    assert ran("index", "show", "pages", "--root", str(tmp_path), "--json") == 0
    shown = json.loads(capsys.readouterr().out)
    assert [(a["doc_id"], a["kept"], a["exact"]) for a in shown["aliases"]] == [
        ("v1", "v0", True),
        ("v2", "v0", True),
    ]
    assert (shown["settings"]["num_aliases"], shown["settings"]["vector_index"]) == (2, "exact")
    assert ran("index", "show", "pages", "--root", str(tmp_path)) == 0
    assert [line.split() for line in capsys.readouterr().out.splitlines()][-2:] == [
        ["v1", "v0", "equal"],
        ["v2", "v0", "equal"],
    ]


def test_show_shows_twenty_and_says_how_many_more(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    built(tmp_path, 25)
    assert ran("index", "show", "pages", "--root", str(tmp_path)) == 0
    assert "and 4 more; --json shows all" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("keep_one", "said"), [(True, "kept as aliases"), (False, "--dedupe keeps one of each")]
)
def test_a_build_says_what_it_found(
    keep_one: bool, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    print_duplicates(built(tmp_path, 3, keep_one).found, keep_one)
    out = " ".join(capsys.readouterr().out.split())
    assert "2 equal to another document, 0 nearly equal" in out
    assert said in out
    print_duplicates(built(tmp_path, 1).found, keep_one)
    assert capsys.readouterr().out == ""


def test_check_names_an_alias_of_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    watch = Deduplicator(1.0, None, keep_one=True)
    pages = documents(2)
    list(watch.read(pages))
    # What stands for v1 never gets into the index.
    left = Deduplicator(1.0, None, keep_one=True)
    left.found = watch.found
    build_index(tmp_path, "pages", [Document("other", "Apples ripen.")], fake_parts(), deduplicator=left)
    assert ran("index", "check", "pages", "--root", str(tmp_path)) == 2
    assert "alias 'v1' names document 'v0', which does not exist" in " ".join(capsys.readouterr().err.split())
