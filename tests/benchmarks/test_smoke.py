"""Which benchmarks are tried, and what is said of them."""

import argparse
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from benchmarks import smoke
from benchmarks.rows import read
from benchmarks.smoke import TRIALS, main, main_of, tried

BENCHMARKS = Path(smoke.__file__).parent

ELSEWHERE: Mapping[str, str] = {
    "crashes": "needs no data set; the tests kill writers and damage files by the same means"
}
"""Benchmarks without a trial here, and the reason."""

LEFT_THE_TREE: Mapping[str, str] = {
    "ablation.choices": "0005-effects.md",
    "second_stage": "0012-second-stage.md",
    "selection": "0014-greedy-packing.md",
}
"""Finished benchmarks whose rows stay. The decision named here says at which commit the command runs."""


def commands() -> set[str]:
    """Names of all benchmarks that say their command."""
    pattern = re.compile(r'^COMMAND = "python -m benchmarks\.([\w.]+)"$', re.MULTILINE)
    return {name for path in BENCHMARKS.rglob("*.py") for name in pattern.findall(path.read_text("utf-8"))}


def test_every_benchmark_is_tried_or_said_why_not() -> None:
    assert commands() == TRIALS.keys() | ELSEWHERE.keys()
    assert not TRIALS.keys() & ELSEWHERE.keys()


def test_rows_are_made_by_a_command_that_exists_or_has_left_the_tree() -> None:
    made_by = {row["command"].split()[2].removeprefix("benchmarks.") for row in read()}
    assert made_by - commands() == LEFT_THE_TREE.keys()


@pytest.mark.parametrize("name", sorted(LEFT_THE_TREE))
def test_a_decision_says_at_which_commit_a_former_benchmark_runs(name: str) -> None:
    text = (BENCHMARKS.parent / "docs" / "decisions" / LEFT_THE_TREE[name]).read_text("utf-8")
    assert f"`python -m benchmarks.{name}" in text
    assert re.search(r"runs\s+at\s+commit\s+[0-9a-f]{12}\b", text)


class Parsed(Exception):
    """The command line was read without an error."""


@pytest.mark.parametrize("name", sorted(TRIALS))
def test_a_trial_is_understood(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    parse = argparse.ArgumentParser.parse_args

    def parse_and_stop(parser: argparse.ArgumentParser, argv: Sequence[str]) -> None:
        assert parse(parser, argv).dry
        raise Parsed

    monkeypatch.setattr(argparse.ArgumentParser, "parse_args", parse_and_stop)
    for line in TRIALS[name]:
        with pytest.raises(Parsed):
            main_of(name)([*line.split(), "--dry"])


def test_what_is_tried_is_dry_and_in_a_folder_that_goes(capsys: pytest.CaptureFixture[str]) -> None:
    seen: list[Sequence[str]] = []

    def load(_: str) -> smoke.Main:
        def run(argv: Sequence[str]) -> None:
            seen.append(argv)
            (Path(argv[1]) / "kept").touch()
            sys.stdout.write("figures that nobody needs\n")

        return run

    assert tried("some", "--keep {folder} --queries 2", load)
    ((keep, folder, *rest),) = seen
    assert (keep, rest) == ("--keep", ["--queries", "2", "--dry"])
    assert not Path(folder).exists()
    told = capsys.readouterr()
    assert told.out.endswith(" s  benchmarks.some --keep {folder} --queries 2: ok\n")
    assert (told.out.count("\n"), told.err) == (1, "")


def ends_with(error: BaseException) -> smoke.Main:
    def run(_: Sequence[str]) -> None:
        sys.stdout.write("as far as it came\n")
        raise error

    return run


def test_absent_data_is_skipped(capsys: pytest.CaptureFixture[str]) -> None:
    absent = SystemExit("skipped: no data set squad; name its folder in CONTEXTSVC_DATA")
    assert tried("some", "", lambda _: ends_with(absent))
    assert ": skipped: no data set squad; name its folder" in capsys.readouterr().out


@pytest.mark.parametrize("error", [ValueError("found none"), SystemExit(2), SystemExit("no such file")])
def test_a_failure_is_told_with_what_was_printed(
    error: BaseException, capsys: pytest.CaptureFixture[str]
) -> None:
    assert not tried("some", "", lambda _: ends_with(error))
    told = capsys.readouterr()
    assert told.out.endswith("FAILED\n")
    assert "as far as it came" in told.err
    assert str(error.args[0]) in told.err


def test_one_failure_fails_all_and_the_others_run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fine(_: Sequence[str]) -> None:
        return

    mains = {"bad": ends_with(ValueError("found none")), "good": fine}
    monkeypatch.setattr(smoke, "TRIALS", {"bad": ["--a 1"], "good": ["one", "two"]})
    monkeypatch.setattr(smoke, "main_of", mains.__getitem__)
    with pytest.raises(SystemExit) as end:
        main([])
    assert end.value.code == 1
    told = capsys.readouterr().out.splitlines()
    assert [line.rpartition(": ")[2] for line in told[:-1]] == ["FAILED", "ok", "ok"]
    assert told[-1].endswith("2 of 3 ran")
    with pytest.raises(SystemExit) as end:
        main(["good"])
    assert end.value.code == 0
    with pytest.raises(SystemExit, match="2"):
        main(["worse"])
    assert "unknown: worse; choose from bad, good" in capsys.readouterr().err
