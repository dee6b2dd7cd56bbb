"""What a command line asks for, and what rows say of it."""

import json
from pathlib import Path

import pytest

from benchmarks import rows
from benchmarks.switches import Asked, asked_for

COMMAND = "python -m benchmarks.some"


def test_usual_sizes_are_not_spelled_and_others_are() -> None:
    usual = asked_for(COMMAND, None, [], questions=40, pages=7)
    assert (usual.command(), usual.dry, usual["questions"], usual["pages"]) == (COMMAND, False, 40, 7)
    small = asked_for(COMMAND, None, ["--dry", "--questions", "3", "--pages", "7"], questions=40, pages=7)
    assert (small.command(), small.dry, small["questions"]) == (f"{COMMAND} --questions 3", True, 3)


@pytest.mark.parametrize("argv", [["--questions", "0"], ["--questions", "few"], ["--query", "3"], ["3"]])
def test_what_is_no_size_is_refused(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        asked_for(COMMAND, None, argv, questions=40)
    assert COMMAND in capsys.readouterr().err


def test_rows_are_kept_with_the_command_that_makes_them(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(rows, "RESULTS", tmp_path)
    asked = asked_for(COMMAND, None, ["--questions", "3"], questions=40, pages=7)
    asked.keep([asked.sheet("some", "d@1", 1, mode="m").row("share", 0.5, 4)])
    (kept,) = (json.loads(line) for line in (tmp_path / "some.jsonl").read_text("utf-8").splitlines())
    assert kept["command"] == f"{COMMAND} --questions 3"
    assert kept["settings"] == {"mode": "m", "questions": 3}


def test_a_dry_run_shows_and_writes_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(rows, "RESULTS", tmp_path)
    asked = asked_for(COMMAND, None, ["--dry"])
    asked.keep([asked.sheet("some", "d@1", 1).row("share", 0.5, 4)])
    assert capsys.readouterr().out == "some: share = 0.5 (n = 4, d@1)\n"
    assert list(tmp_path.iterdir()) == []


def test_names_are_all_unless_some_are_said() -> None:
    every = {"modes": ("masked", "blocks", "exact")}
    usual = asked_for(COMMAND, None, [], every, questions=40)
    assert (usual.command(), usual.names["modes"]) == (COMMAND, ("masked", "blocks", "exact"))
    some = asked_for(COMMAND, None, ["--questions", "3", "--modes", "exact", "blocks"], every, questions=40)
    assert some.names["modes"] == ("exact", "blocks")
    assert some.command() == f"{COMMAND} --modes exact blocks --questions 3"
    with pytest.raises(SystemExit):
        asked_for(COMMAND, None, ["--modes", "fast"], every)


def test_runs_parts_limits_and_folders_are_taken_where_a_benchmark_has_them() -> None:
    def read(*argv: str) -> Asked:
        return asked_for(
            COMMAND, None, argv, {"sides": ("a", "b")}, runs=("one", "two"), part="all", limit="documents",
            folder="keep", queries=5,
        )  # fmt: skip

    usual = read()
    assert (usual.runs, usual.part, usual.limit, usual.folder) == (["one", "two"], "all", None, None)
    assert not usual.dry
    some = read("two", "--part", "tune", "--keep", "here", "--queries", "4", "--sides", "a")
    assert (some.runs, some.part, some.folder) == (["two"], "tune", Path("here"))
    assert some.command("two") == f"{COMMAND} two --sides a --part tune --queries 4"
    assert some.command("two", only=["queries"]) == f"{COMMAND} two --queries 4"
    tried = read("--documents", "9")
    assert (tried.limit, tried.dry) == (9, True)  # a part of the data is never kept
    with pytest.raises(SystemExit):
        read("three")
