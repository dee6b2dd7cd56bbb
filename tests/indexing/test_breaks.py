"""Where a text is cut. A part fits if it has at most so many characters."""

from collections.abc import Sequence

import pytest
import regex
from hypothesis import given
from hypothesis import strategies as st

from contextsvc.indexing.breaks import CutRules, cut_to_fit, halves, inline_spans, introduces
from contextsvc.records.spans import Span

FAMILY = "👩\u200d👩\u200d👧\u200d👦"


def prose(text: str) -> CutRules:
    return CutRules((0, len(text)), undivided=inline_spans(text))


def lines(text: str) -> CutRules:
    return CutRules((0, len(text)), by_lines=True)


def cut(text: str, rules: CutRules) -> list[str]:
    """The two parts of a text."""
    found = halves(text, (0, len(text)), rules)
    return [text[slice(*part)] for part in found or ()]


def parts(text: str, most: int, rules: CutRules) -> list[str]:
    def fits(spans: Sequence[Span]) -> list[bool]:
        return [end - start <= most for start, end in spans]

    whole = (0, len(text))
    return [
        text[slice(*span)]
        for span in ([whole] if len(text) <= most else cut_to_fit(text, whole, rules, fits))
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("one two\nthree four five", ["one two", "three four five"]),
        ("One two. Three, four five", ["One two.", "Three, four five"]),
        ("one two, three four five", ["one two,", "three four five"]),
        ("one two three four", ["one two", "three four"]),
        ("short " + "x" * 30, ["short", "x" * 30]),
        ("重新拧紧。螺栓，轴承温度", ["重新拧紧。", "螺栓，轴承温度"]),
        ("重新拧紧螺栓，轴承", ["重新拧紧螺栓，", "轴承"]),
        ("重新拧紧螺栓", ["重新拧", "紧螺栓"]),
        ("path/to/file", ["path/", "to/file"]),
        ("x" * 8, ["xxxx", "xxxx"]),
    ],
)
def test_the_best_kind_of_break_is_taken_near_the_middle(text: str, expected: list[str]) -> None:
    assert cut(text, prose(text)) == expected


def test_no_part_ends_in_a_colon() -> None:
    text = "aaa bbb: ccc ddd"
    assert cut(text, prose(text)) == ["aaa", "bbb: ccc ddd"]
    assert cut("a: b: c: dd", prose("a: b: c: dd")) == ["a: b", ": c: dd"]
    code = "for x in y:\n    f(x)\ng()"
    assert cut(code, lines(code)) == ["for x in y:\n    f(x)", "g()"]


def test_a_part_that_marks_close_may_end_in_a_colon() -> None:
    code = "```\nif x:\n    f(x)\n```"
    rules = CutRules((3, len(code) - 4), by_lines=True, is_closed=True)
    assert cut(code, rules) == ["```\nif x:", "    f(x)\n```"]


def test_code_is_cut_at_lines_and_keeps_its_indent() -> None:
    code = "    a\n        b\n\n        c\n    d"
    assert cut(code, lines(code)) == ["    a\n        b", "        c\n    d"]
    assert parts(code, 9, lines(code)) == ["    a", "        b", "        c", "    d"]


def test_code_is_cut_before_the_least_indented_line_near_its_middle() -> None:
    code = "a {\n  b\n  c\n}\nd {\n  e\n  f\n  g\n}"
    assert cut(code, lines(code)) == ["a {\n  b\n  c\n}", "d {\n  e\n  f\n  g\n}"]


def test_a_line_of_marks_does_not_begin_a_part_if_another_can() -> None:
    code = "f(\n  a\n)\ng(\n  b\n)"
    assert cut(code, lines(code)) == ["f(\n  a\n)", "g(\n  b\n)"]


def test_a_grid_table_is_cut_after_a_border() -> None:
    table = "+--+\n|a |\n+--+\n|b |\n|c |\n+--+"
    assert cut(table, lines(table)) == ["+--+\n|a |\n+--+", "|b |\n|c |\n+--+"]


def test_the_lines_around_the_body_stay_with_its_first_and_last_part() -> None:
    code = "```sh\na\nb\n```"
    rules = CutRules((5, 9), by_lines=True, is_closed=True)
    assert cut(code, rules) == ["```sh\na", "b\n```"]


@pytest.mark.parametrize(
    "span", ["**b c d e f g**", "*b c d e f g*", "_b c d e f g_", "`b c d e f g`", "[b c d](e f g h)"]
)
def test_emphasis_code_and_links_are_divided_last(span: str) -> None:
    text = f"aa {span} zz"
    assert cut(text, prose(text)) == ["aa", f"{span} zz"]
    assert cut(span, prose(span)) != [span, ""]


def test_grapheme_clusters_stay_whole() -> None:
    assert parts(FAMILY * 4, 11, prose(FAMILY * 4)) == [FAMILY] * 4
    accented = "e\u0301" * 4
    assert parts(accented, 4, prose(accented)) == ["e\u0301" * 2] * 2
    flags = "🇩🇪🇫🇷🇮🇹🇪🇸"
    assert parts(flags, 2, prose(flags)) == ["🇩🇪", "🇫🇷", "🇮🇹", "🇪🇸"]


def test_what_is_larger_than_the_limit_even_alone_is_cut_between_characters() -> None:
    stacked = "e" + "\u0301" * 9
    assert [len(part) for part in parts(stacked, 5, prose(stacked))] == [5, 5]
    assert parts(":" * 8, 4, prose(":" * 8)) == ["::::", "::::"]
    assert halves("x", (0, 1), prose("x")) is None


@pytest.mark.parametrize(
    "text",
    ["Run:", "as follows：", "**Run:**", "(run:)", "`run:`", "Run::", "run:  ", "“Run:”", "<b>Run:</b>"],
)
def test_what_ends_in_a_colon_introduces(text: str) -> None:
    assert introduces(text, 0, len(text))


@pytest.mark.parametrize("text", ["Run.", "", ":::", "text\n:::::", "a: b", "12:30"])
def test_what_does_not_end_in_a_colon_does_not_introduce(text: str) -> None:
    assert not introduces(text, 0, len(text))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a **b** c", ["**b**"]),
        ("a *b c* d_e_f _g h_", ["*b c*", "_g h_"]),
        ("`a` ``b ` c`` d`", ["`a`", "``b ` c``"]),
        ("[a [b]](c (d)) ![e](f) [g][h] [i]", ["[a [b]](c (d))", "![e](f)"[1:], "[g][h]"]),
        ("a <b c='d'> {{< e f >}} {{% g %}} 1 < 2", ["<b c='d'>", "{{< e f >}}", "{{% g %}}"]),
        ("2 * 3 * 4, ** no **", []),
        (r"\*a\* \`b\`", []),
        ("**a\n\nb** c*", []),
        ("`a b <c>`_ ``d``", ["`a b <c>`", "``d``"]),
    ],
)
def test_inline_spans(text: str, expected: list[str]) -> None:
    assert [text[start:end] for start, end in inline_spans(text)] == expected


@given(
    st.text(alphabet="ab .:,*`_[]()\n。水e\u0301\u200c\uff9e👩\u200d👧🇩🇪", max_size=80),
    st.integers(8, 20),
    st.booleans(),
)
def test_parts_cover_the_text_fit_and_keep_clusters(text: str, most: int, by_lines: bool) -> None:
    text = f"a{text}b"
    rules = CutRules((0, len(text)), by_lines=by_lines, undivided=[] if by_lines else inline_spans(text))
    found = parts(text, most, rules)
    assert "".join("".join(found).split()) == "".join(text.split())
    assert all(0 < len(part) <= most for part in found)
    edges = {match.end() for match in regex.finditer(r"\X", text)} | {0}
    if all(len(match[0]) <= most for match in regex.finditer(r"\X", text)):
        at = 0
        for part in found:
            at = text.index(part, at)
            assert {at, at + len(part)} <= edges
            at += len(part)
