"""What a command line asks for, and what rows say of it."""

import json
from pathlib import Path

import pytest

from benchmarks import rows
from benchmarks.rows import Row
from benchmarks.switches import asked_for

COMMAND = "python -m benchmarks.some"
ROW = Row("some", "share", 0.5, None, 4, "d@1", {"mode": "m"}, 1, COMMAND, {})


def test_usual_sizes_are_not_spelled_and_others_are() -> None:
    usual = asked_for(COMMAND, None, [], questions=40, pages=7)
    assert (usual.command, usual.dry, usual["questions"], usual["pages"]) == (COMMAND, False, 40, 7)
    small = asked_for(COMMAND, None, ["--dry", "--questions", "3", "--pages", "7"], questions=40, pages=7)
    assert (small.command, small.dry, small["questions"]) == (f"{COMMAND} --questions 3", True, 3)


@pytest.mark.parametrize("argv", [["--questions", "0"], ["--questions", "few"], ["--query", "3"], ["3"]])
def test_what_is_no_size_is_refused(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        asked_for(COMMAND, None, argv, questions=40)
    assert COMMAND in capsys.readouterr().err


def test_rows_are_kept_with_the_command_that_makes_them(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(rows, "RESULTS", tmp_path)
    asked_for(COMMAND, None, ["--questions", "3"], questions=40, pages=7).keep([ROW])
    (kept,) = (json.loads(line) for line in (tmp_path / "some.jsonl").read_text("utf-8").splitlines())
    assert kept["command"] == f"{COMMAND} --questions 3"
    assert kept["settings"] == {"mode": "m", "questions": 3}


def test_a_dry_run_shows_and_writes_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(rows, "RESULTS", tmp_path)
    asked_for(COMMAND, None, ["--dry"]).keep([ROW])
    assert capsys.readouterr().out == "some: share = 0.5 (n = 4, d@1)\n"
    assert list(tmp_path.iterdir()) == []


def test_names_are_all_unless_some_are_said() -> None:
    every = {"modes": ("masked", "blocks", "exact")}
    usual = asked_for(COMMAND, None, [], every, questions=40)
    assert (usual.command, usual.names["modes"]) == (COMMAND, ("masked", "blocks", "exact"))
    some = asked_for(COMMAND, None, ["--questions", "3", "--modes", "exact", "blocks"], every, questions=40)
    assert some.names["modes"] == ("exact", "blocks")
    assert some.command == f"{COMMAND} --modes exact blocks --questions 3"
    with pytest.raises(SystemExit):
        asked_for(COMMAND, None, ["--modes", "fast"], every)
