from hypothesis import given
from hypothesis import strategies as st

from contextsvc.adapters.text.lines import find_lines
from contextsvc.adapters.text.paired_marks import body_end, edge_of, paired_lines, paired_tags


def pairs(text: str) -> list[tuple[int, int]]:
    return sorted(paired_lines(find_lines(text), lambda _: True))


def test_marks_pair_by_name_and_nest() -> None:
    assert pairs("::::a\n:::b\n:::\n::::\n") == [(0, 4), (1, 3)]
    assert pairs("{{< a >}}\n{{% b %}}\n{{% /b %}}\n{{< /a >}}\n") == [(0, 4), (1, 3)]
    assert pairs(":::a\n:::a\n:::\n:::\n") == [(0, 4), (1, 3)]


def test_a_mark_without_a_partner_does_not_disturb_the_others() -> None:
    assert pairs("{{< a >}}\n{{< value >}}\n{{< /b >}}\n{{< /a >}}\n:::\n") == [(0, 4)]


def test_a_pair_on_one_line_is_no_container() -> None:
    assert pairs("{{< a >}}x{{< /a >}}\n") == []


def test_lines_of_code_do_not_count() -> None:
    assert paired_lines(find_lines(":::a\nb\n:::\n"), lambda number: number != 2) == []


def test_tags_pair_over_blocks_of_html() -> None:
    assert paired_tags(["<div class='a'><br>", "<p>x</p>", "</div>"]) == [(0, 2)]
    assert paired_tags(["<Card />", "</Card>", "<div>"]) == []


def test_a_body_is_indented_by_four_columns() -> None:
    lines = find_lines("!!! note\n    a\n\n    b\n  c\n")
    assert [body_end(lines, number) for number in range(2)] == [4, 2]
    lines = find_lines("  ??? note\n      a\n    b\n")
    assert body_end(lines, 0) == 2


def test_a_block_of_marks_only_is_an_edge() -> None:
    firsts = (":::note", "::: {.x}", "{{< a b=1 >}}", "{% tab %}", "<div id='x'><p>", "??? note", '=== "A"')
    assert [edge_of(words) for words in firsts] == ["first"] * len(firsts)
    lasts = (":::", "{{% /a %}}.", "{% endtab %}", "</div>\n</section>")
    assert [edge_of(words) for words in lasts] == ["last"] * len(lasts)
    others = ("text", ": text", "<b>text</b>", "{{< a >}} text", "<!-- a -->", "=====")
    assert [edge_of(words) for words in others] == [""] * len(others)


MARKS = st.lists(
    st.sampled_from(
        [":::a", ":::", "::::b", "::::", "{{< x >}}", "{{< /x >}}", "{% y %}", "{% endy %}", "text"]
    )
)


@given(MARKS)
def test_pairs_nest_and_join_an_opening_mark_with_its_closing_mark(marks: list[str]) -> None:
    found = pairs("\n".join(marks))
    for first, end in found:
        assert edge_of(marks[first]) == "first"
        assert edge_of(marks[end - 1]) == "last"
    for first, end in found:
        assert not any(first < a < end < b for a, b in found)
    assert len({line for first, end in found for line in (first, end - 1)}) == 2 * len(found)
