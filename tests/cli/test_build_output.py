"""Copies and the answer threshold on the command line."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from contextsvc.cli.build_output import print_duplicates
from contextsvc.indexing.build import build_index
from contextsvc.indexing.deduplication import Deduplicator
from contextsvc.records.documents import Document
from contextsvc.records.json import Json
from contextsvc.records.packs import AnswerCalibration
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


@pytest.mark.parametrize(
    ("calibration", "chosen", "said", "shown"),
    [
        (
            AnswerCalibration(threshold=0.41, num_questions=99, flagged=0.01, passed=0.111),
            "auto",
            "an answer score of at least 0.41; of 99 questions made from the chunks, 1% are flagged, and 11% "
            "pass without their subject",
            {"threshold": 0.41, "origin": "index", "num_questions": 99, "flagged": 0.01, "passed": 0.111},
        ),
        (
            AnswerCalibration(threshold=0.41, num_questions=99, flagged=0.01, passed=0.111),
            "0.3",
            "an answer score of at least 0.3 (CONTEXTSVC_ANSWERABLE)",
            {"threshold": 0.3, "origin": "setting", "num_questions": 99, "flagged": None, "passed": None},
        ),
        (
            AnswerCalibration(num_questions=7),
            "auto",
            "an answer score of at least 0.35, the default of small indexes; 7 chunks make a question",
            {"threshold": 0.35, "origin": "default", "num_questions": 7, "flagged": None, "passed": None},
        ),
        (
            AnswerCalibration(),
            "auto",
            "an answer score of at least 0.45, the default; an index that is built now gets a threshold "
            "of its own",
            {"threshold": 0.45, "origin": "default", "num_questions": None, "flagged": None, "passed": None},
        ),
    ],
)
def test_show_says_the_answer_threshold_and_its_expected_error(
    calibration: AnswerCalibration,
    chosen: str,
    said: str,
    shown: Json,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    parts = replace(fake_parts(), calibrate=lambda _: calibration)
    build_index(tmp_path, "pages", documents(1), parts)
    monkeypatch.setenv("CONTEXTSVC_ANSWERABLE", chosen)
    assert ran("index", "show", "pages", "--root", str(tmp_path), "--json") == 0
    view = json.loads(capsys.readouterr().out)
    assert (view["answerable"], "answerable" in view["settings"]) == (shown, False)
    assert ran("index", "show", "pages", "--root", str(tmp_path)) == 0
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert f"answerable {said}" in lines


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
