"""The README's table and the page of all rows."""

from dataclasses import replace

from benchmarks.claims import CLAIMS, Claim, Shown, claim_table, shown
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


def test_only_the_marked_part_of_the_readme_changes() -> None:
    text = f"before\n{START}\nstale line\n{END}\nafter"
    assert updated(text).startswith(f"before\n{START}\n")
    assert updated(text).endswith(f"{END}\nafter")
    assert "stale line" not in updated(text)


def test_a_claim_is_answered_by_its_row() -> None:
    claim = CLAIMS[0]
    row = {
        **ROW,
        "benchmark": claim.benchmark,
        "figure": claim.figure,
        "value": 0.9125,
        "interval": [0.85, 1],
    }
    line = f"| {claim.what} | {claim.asked} | 91.2 % | 85 to 100 | 3 | `c` |"
    assert claim_table([row]).splitlines()[2] == line


def test_a_claim_against_sides_is_answered_by_the_nearest() -> None:
    claim = Claim("w", "at least 1.1 times", "b", "ours less {side}", sides=("x", "y"))
    key = {side: ("b", f"ours less {side}") for side in ("x", "y")}
    made = {
        key["x"]: {**ROW, "details": {"ratio": 1.5, "ratio_interval": [1.2, 1.9]}},
        key["y"]: {**ROW, "details": {"ratio": 1.3, "ratio_interval": [1.1, 1.6]}},
    }
    assert claim.found(made) == (made[key["y"]], Shown(1.3, [1.1, 1.6], "times y"))
    assert replace(claim, fewer=True).found(made) == (made[key["x"]], Shown(1.5, [1.2, 1.9], "times x"))
    assert claim.found({key["x"]: made[key["x"]]}) is None  # the other might be nearer


def test_a_claim_without_a_row_says_so() -> None:
    lines = claim_table([]).splitlines()[2:]
    assert len(lines) == len(CLAIMS)
    assert all("no row yet" in line for line in lines)


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
