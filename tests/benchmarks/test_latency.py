"""Who is asked when, and what the figures make of the times."""

from collections.abc import Sequence

import pytest

from benchmarks.latency.__main__ import RUNS, main
from benchmarks.latency.peers import SIDES, WARM, Timed, in_turns
from benchmarks.latency.peers import rows as rows_of
from benchmarks.peers import running


class Log:
    """Sides that say which of them was asked what, and take as many seconds as a query has letters."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, list[str]]] = []

    def side(self, name: str) -> Timed:
        def ask(queries: Sequence[str]) -> tuple[list[float], list[int]]:
            self.asked.append((name, [query for query in queries if query != WARM]))
            assert queries[0] == WARM
            return [float(len(query)) for query in queries], [10 * len(query) for query in queries]

        return Timed(ask)


def test_another_side_begins_each_round_and_all_have_the_same_queries() -> None:
    log = Log()
    sides = {name: log.side(name) for name in "abc"}
    in_turns(sides, ["1", "22", "333", "4444", "55555"], 3)
    assert log.asked == [
        ("a", ["1", "22"]), ("b", ["1", "22"]), ("c", ["1", "22"]),
        ("b", ["333", "4444"]), ("c", ["333", "4444"]), ("a", ["333", "4444"]),
        ("c", ["55555"]), ("a", ["55555"]), ("b", ["55555"]),
    ]  # fmt: skip
    for side in sides.values():
        assert side.milliseconds.tolist() == [1000, 2000, 3000, 4000, 5000]
        assert side.num_tokens == [10, 20, 30, 40, 50]


def test_with_fewer_queries_than_rounds_no_round_is_empty() -> None:
    log = Log()
    in_turns({name: log.side(name) for name in "ab"}, ["1", "22"], 10)
    assert log.asked == [("a", ["1"]), ("b", ["1"]), ("b", ["22"]), ("a", ["22"])]


def timed(seconds: list[float]) -> Timed:
    return Timed(lambda _: ([], []), {"num_chunks": 7}, seconds, [400, 500, 900][: len(seconds)])


def test_figures_of_a_side_and_its_distance_from_ours() -> None:
    sides = {"ours": timed([0.01, 0.02, 0.03]), "theirs": timed([0.05, 0.06, 0.07])}
    made = {row.figure: row for row in rows_of(sides, "d@1", "c")}
    assert {figure: pytest.approx(row.value) for figure, row in made.items()} == {
        "ours: p50, ms": 20,
        "ours: p95, ms": 29,
        "theirs: p50, ms": 60,
        "theirs: p95, ms": 69,
        "theirs: p50, times as long as ours": 3,
    }
    assert all(row.interval and row.n == 3 and row.command == "c" for row in made.values())
    assert made["ours: p50, ms"].settings["budget_tokens"] == 800
    assert made["theirs: p50, ms"].settings["num_passages"] == 10
    assert made["theirs: p50, ms"].details == {"num_chunks": 7, "mean_tokens": 600}


def test_without_ours_nothing_is_compared() -> None:
    assert len(rows_of({"theirs": timed([0.05])}, "d@1", "c")) == 2


def test_sides_are_ours_and_every_peer_with_a_plain_splitter() -> None:
    assert SIDES[:2] == ("ours", "ours-float32")
    assert {"llamaindex-plain", "langchain-plain"} <= set(SIDES)
    assert not [name for name in SIDES if name.endswith("-semantic") or name == "bare"]


def test_rows_say_the_command_that_makes_them(monkeypatch: pytest.MonkeyPatch) -> None:
    commands = []

    def run(_: object, command: str) -> list[object]:
        commands.append(command)
        return []

    for name in RUNS:
        monkeypatch.setitem(RUNS, name, run)
    main(["--dry"])
    main(["peers", "--dry", "--queries", "5", "--pages", "3", "--sides", "ours"])
    assert commands == [
        "python -m benchmarks.latency socket",
        "python -m benchmarks.latency peers",
        "python -m benchmarks.latency peers --sides ours --queries 5",
    ]
    with pytest.raises(SystemExit):
        main(["nothing"])


def test_peers_without_an_environment_are_left_out(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(running, "peers_python", lambda: None)
    assert [name for name in ("ours", "llamaindex-plain") if running.can_run(name)] == ["ours"]
    assert "llamaindex-plain is left out" in capsys.readouterr().out
