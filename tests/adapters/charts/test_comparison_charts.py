"""Pictures as a page holds them: read back as XML."""

import re
import subprocess
import sys
from dataclasses import replace
from xml.etree import ElementTree

import matplotlib
import pytest

from contextsvc.adapters.charts.comparison_charts import draw
from contextsvc.ports.reading import Cost
from tests.comparisons import comparison

NAMES = ["utilization", "quality", "verdicts", "cost"]
SVG = "{http://www.w3.org/2000/svg}"


def words(picture: str) -> list[str]:
    return [element.text or "" for element in ElementTree.fromstring(picture).iter(f"{SVG}text")]


def test_four_pictures_say_what_was_measured() -> None:
    pictures = draw(comparison(["wide", "half"]))
    assert list(pictures) == NAMES
    for picture in pictures.values():
        assert {"wide (widest)", "half (recommended)"} <= set(words(picture))
        assert ElementTree.fromstring(picture).get("role") == "img"
    assert words(pictures["utilization"]).count("30 %  [30, 30]") == 2
    assert {"live", "dead"} <= set(words(pictures["verdicts"]))
    assert not {"redundant", "harmful", "unmeasured"} & set(words(pictures["verdicts"]))
    assert {"30 %", "70 %"} <= set(words(pictures["verdicts"]))
    # 400 tokens and half a second for each query, whatever their number
    assert words(pictures["cost"]).count("0.50 s") == 2
    assert words(pictures["cost"]).count("400") == 3  # two bars and a tick
    assert "quality: log-probability per token, nats" in words(pictures["quality"])


def test_equal_comparisons_give_equal_bytes_and_the_process_is_left_alone() -> None:
    once = draw(comparison(["wide", "half"]))
    before = dict(matplotlib.rcParams)
    with matplotlib.rc_context({"font.size": 30, "svg.fonttype": "path", "axes.facecolor": "red"}):
        assert draw(comparison(["wide", "half"])) == once
        assert matplotlib.rcParams["font.size"] == 30
    assert dict(matplotlib.rcParams) == before


def test_nothing_refers_outside_and_no_id_occurs_twice() -> None:
    page = "".join(draw(comparison([f"c{number}" for number in range(8)])).values())
    ids = re.findall(r'\bid="([^"]+)"', page)
    assert len(ids) == len(set(ids)) > 0
    assert set(re.findall(r'(?:href="|url\()#([^")]+)', page)) == set(ids)
    assert set(re.findall(r'(?:href="|url\()(.)', page)) == {"#"}
    addresses = set(re.findall(r"https?://[^\"' ]+", page))
    assert addresses == {"http://www.w3.org/2000/svg"}
    for foreign in ("<style", "<script", "<?xml", "<!", "DejaVu"):
        assert foreign not in page


def test_colours_are_the_pages_where_it_has_them() -> None:
    picture = draw(comparison(["wide", "half"]))["utilization"]
    assert "fill: var(--ink, #1f2933)" in picture
    assert "stroke: var(--grid, #dde3e8)" in picture
    bare = re.sub(r"var\(--\w+, #\w+\)", "", picture)
    assert not re.search(r"#[0-9a-f]{6}\b", bare.replace("#fdfefe", ""))


@pytest.mark.parametrize(
    "name",
    ["<script>alert(1)</script>", "--></svg><b>", "$\\frac{1}{2}$ of $x", "línea 日本語 🙂", "a\"b'c & d"],
)
def test_names_come_out_as_they_are(name: str) -> None:
    for picture in draw(comparison([name, "half"])).values():
        assert f"{name} (widest)" in words(picture)
        assert "<script" not in picture


def test_names_that_no_picture_can_hold_are_mended() -> None:
    long = "first words " + "x" * 100 + " last words"
    picture = draw(comparison(["a\x00b\nc\ud800", long]))["utilization"]
    assert "ab c (widest)" in words(picture)
    (shortened,) = [word for word in words(picture) if word.startswith("first words")]
    assert shortened.endswith("x last words (recommended)")
    assert len(shortened) == 56 + len(" (recommended)")


def test_many_configurations_are_numbered_and_a_lone_one_has_no_role() -> None:
    names = [f"c{number}" for number in range(8)]
    pictures = draw(comparison(names))
    assert {"1. c0 (widest)", "2. c1", "8. c7 (recommended)"} <= set(words(pictures["cost"]))
    assert {"1 (widest)", "2", "7", "8 (recommended)"} <= set(words(pictures["quality"]))
    assert "only" in words(draw(comparison(["only"]))["quality"])


def test_nothing_measured_is_said() -> None:
    made = comparison(["wide"])
    (found,) = made.results
    result = replace(
        found,
        score=None,
        score_interval=None,
        tokens=0.0,
        tokens_interval=(0.0, 0.0),
        cost=Cost(),
        verdict_shares=dict.fromkeys(found.verdict_shares, 0.0),
    )
    pictures = draw(replace(made, outcome="likeness", results=(result,)))
    assert "no query was measured completely" in words(pictures["utilization"])
    assert "quality: likeness" in words(pictures["quality"])
    assert "0.00 s" in words(pictures["cost"])


def test_without_the_library_the_error_names_the_extra() -> None:
    # In an interpreter of its own: an import that failed once must not spoil the other tests.
    program = (
        "import sys; sys.modules['matplotlib'] = None\n"
        "from contextsvc.adapters.charts.comparison_charts import draw\n"
        "try: draw(None)\n"
        "except Exception as error: print(type(error).__name__, error)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert (
        done.stdout.strip()
        == "MissingExtra drawing charts needs the extra 'report': pip install 'contextsvc[report]'"
    )
