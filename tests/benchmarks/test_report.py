"""The figures page and the page of all rows."""

from dataclasses import replace

import pytest

from benchmarks.claims import CLAIMS, Claim, Limit, Shown, claim_tables, shown
from benchmarks.report import END, START, page, updated
from benchmarks.rows import read

ROW = {
    "benchmark": "b", "figure": "f, ms", "value": 1.23456, "interval": [1.0, 2.0], "n": 3,
    "dataset": "d@1", "command": "c", "machine": "m", "commit": "abc",
}  # fmt: skip


def test_a_page_holds_every_row_under_its_benchmark() -> None:
    found = page([ROW, {**ROW, "interval": None}, {**ROW, "benchmark": "z", "commit": "abd"}])
    assert "## b\n\n`c`\n\n- d@1; m; commit abc\n\n" in found
    assert "| f, ms | 1.235 | 1 to 2 | 3 |\n| f, ms | 1.235 |  | 3 |" in found
    assert found.index("## b") < found.index("## z") < found.index("commit abd")


def test_only_the_marked_part_of_the_page_changes() -> None:
    text = f"before\n{START}\nstale line\n{END}\nafter"
    assert updated(text).startswith(f"before\n{START}\n")
    assert updated(text).endswith(f"{END}\nafter")
    assert "stale line" not in updated(text)


def sections(tables: str) -> dict[str, list[str]]:
    """Lines that are not head, by title."""
    parts = (part.splitlines() for part in tables.split("## ")[1:])
    return {title: [line for line in lines if line][2 * ("What" in title) :] for title, *lines in parts}


@pytest.mark.parametrize(
    ("value", "title", "measured"),
    [
        (0.9125, "What holds", "91.2 % | 85 to 100 *"),
        (0.9, "What holds", "90 % | 85 to 100 *"),
        (0.8875, "What falls short", "88.8 % | 85 to 100 *"),
    ],
)
def test_a_claim_stands_where_its_row_puts_it(value: float, title: str, measured: str) -> None:
    claim = CLAIMS[0]
    assert claim.limit == Limit("at least", 0.9)
    row = {**ROW, "benchmark": claim.benchmark, "figure": claim.figure, "value": value, "interval": [0.85, 1]}
    found = sections(claim_tables([row]))
    assert found[title] == [f"| {claim.what} | at least 90 % | {measured} | 3 |  | `c` |"]
    assert sum(len(lines) for name, lines in found.items() if name.startswith("What")) == 1


def test_a_timed_claim_names_its_machine_and_another_does_not() -> None:
    claim = next(claim for claim in CLAIMS if claim.timed and not claim.sides and claim.limit)
    row = {**ROW, "benchmark": claim.benchmark, "figure": claim.figure, "machine": "CPU with amx_bf16"}
    found = sections(claim_tables([row]))
    assert found["Machines"] == ["1. CPU with amx_bf16"]
    (line,) = found["What holds"] + found["What falls short"]
    assert line.endswith("| 3 | 1 | `c` |")


def test_a_limit_can_be_a_share_of_other_rows() -> None:
    claim = Claim(what="w", limit=Limit("at most", 0.5, "half", ("x", "y")), benchmark="b", figure="f")
    rows = {("b", "x"): {**ROW, "value": 8}, ("b", "y"): {**ROW, "value": 6}}
    assert claim.bound(rows) == 3
    assert claim.bound({("b", "x"): rows["b", "x"]}) is None


def test_a_claim_against_sides_is_answered_by_the_nearest() -> None:
    claim = Claim(what="w", benchmark="b", figure="ours less {side}", sides=("x", "y"))
    key = {side: ("b", f"ours less {side}") for side in ("x", "y")}
    made = {
        key["x"]: {**ROW, "details": {"ratio": 1.5, "ratio_interval": [1.2, 1.9]}},
        key["y"]: {**ROW, "details": {"ratio": 1.3, "ratio_interval": [1.1, 1.6]}},
    }
    assert claim.found(made) == (made[key["y"]], Shown(1.3, [1.1, 1.6], "times y"))
    assert replace(claim, fewer=True).found(made) == (made[key["x"]], Shown(1.5, [1.2, 1.9], "times x"))
    assert claim.found({key["x"]: made[key["x"]]}) is None  # the other might be nearer


def test_a_claim_without_a_row_says_so() -> None:
    lines = claim_tables([]).split("## No row yet\n\n")[1].split("\n\n")[0].splitlines()
    assert len(lines) == len(CLAIMS)
    assert lines[0] == f"- {CLAIMS[0].what} (`{CLAIMS[0].benchmark}`)"


def test_numbers_are_shown_in_their_unit() -> None:
    assert (shown(0.5, "%", named=True), shown(0.5, "%")) == ("50 %", "50")
    assert (shown(3.1937, "s", named=True), shown(0.2469, "")) == ("3.19 s", "0.247")
    assert shown(0.0, "", named=True) == "0"


def test_a_claim_names_one_row() -> None:
    keys = [(claim.benchmark, claim.figure, claim.sides) for claim in CLAIMS]
    assert len(keys) == len(set(keys))


def test_a_claim_finds_its_figure_where_its_benchmark_has_rows() -> None:
    figures = {(row["benchmark"], row["figure"]) for row in read()}
    made = {benchmark for benchmark, _ in figures}
    asked = [(c.benchmark, c.figure.format(side=side)) for c in CLAIMS for side in c.sides or ("",)]
    assert [key for key in asked if key[0] in made and key not in figures] == []
