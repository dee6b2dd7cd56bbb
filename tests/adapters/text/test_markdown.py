from contextsvc.adapters.text.markdown import MarkdownItBlockParser

Described = list[tuple[str, tuple[int, ...], str]]


def within(text: str) -> Described:
    """Kind, containers and text of each block."""
    blocks = MarkdownItBlockParser().parse(text)
    return [(block.kind, block.within, text[block.start : block.end]) for block in blocks]


def repeated(text: str) -> list[tuple[str, str]]:
    """Lines that are repeated before and after the parts of each block of code and each table."""
    blocks = MarkdownItBlockParser().parse(text)
    return [
        (text[slice(*block.opening)], text[slice(*block.closing)])
        for block in blocks
        if block.kind in ("code", "table")
    ]


def kinds(text: str) -> list[tuple[str, str]]:
    return [(block.kind, text[block.start : block.end]) for block in MarkdownItBlockParser().parse(text)]


def test_headings_of_both_kinds_have_levels() -> None:
    text = "# One #\nText\n\nTwo\n---\n###### Six\n#no heading\n"
    found = [(b.kind, b.level, text[b.start : b.end]) for b in MarkdownItBlockParser().parse(text)]
    assert found == [
        ("heading", 1, "# One #"),
        ("paragraph", 0, "Text"),
        ("heading", 2, "Two\n---"),
        ("heading", 6, "###### Six"),
        ("paragraph", 0, "#no heading"),
    ]


def test_fenced_and_indented_code() -> None:
    text = "```sh\n# not a heading\n\n- no item\n```\n\nText:\n\n    x = 1\n\n    y = 2\n"
    assert kinds(text) == [
        ("code", "```sh\n# not a heading\n\n- no item\n```"),
        ("paragraph", "Text:"),
        ("code", "    x = 1\n\n    y = 2"),
    ]


def test_an_open_fence_runs_to_the_end() -> None:
    assert kinds("Text\n```\na\n\n# b\n") == [("paragraph", "Text"), ("code", "```\na\n\n# b")]


def test_a_table_is_one_block() -> None:
    table = "| A | B |\n|---|---|\n| 1 | 2 |"
    assert kinds(f"Before\n\n{table}\n\nAfter") == [
        ("paragraph", "Before"),
        ("table", table),
        ("paragraph", "After"),
    ]


def test_nested_items_follow_their_parent_and_its_tail_is_a_paragraph() -> None:
    text = "- outer\n  - inner\n    more\n\n  tail\n- next\n\n  ```\n  code\n  ```\n"
    assert kinds(text) == [
        ("list_item", "- outer"),
        ("list_item", "- inner\n    more"),
        ("paragraph", "tail"),
        ("list_item", "- next"),
        ("code", "  ```\n  code\n  ```"),
    ]


def test_an_item_that_only_holds_a_list_gives_one_block() -> None:
    assert kinds("- - deep\n- \n") == [("list_item", "- - deep"), ("list_item", "-")]


def test_quotes_html_rules_definitions_and_shortcodes_are_paragraphs() -> None:
    text = "> quoted\n> - item\n\n<div>\nraw\n</div>\n\n***\n\n[a]: /u\n[b]: /v\n\n{{< tabs >}}\n"
    assert kinds(text) == [
        ("paragraph", "> quoted"),
        ("list_item", "> - item"),
        ("paragraph", "<div>\nraw\n</div>"),
        ("paragraph", "***"),
        ("paragraph", "[a]: /u\n[b]: /v"),
        ("paragraph", "{{< tabs >}}"),
    ]


def test_line_ends_and_odd_spaces_do_not_move_spans() -> None:
    text = "# A\r\n\r\n\tcode\rlone\r\rform\ffeed\u2028 same line\r\n\0nul"
    assert kinds(text) == [
        ("heading", "# A"),
        ("code", "\tcode"),
        ("paragraph", "lone"),
        ("paragraph", "form\ffeed\u2028 same line\r\n\0nul"),
    ]


def test_text_nested_deeper_than_the_parser_goes_is_still_covered() -> None:
    text = "\n".join("  " * depth + f"- {depth}" for depth in range(40))
    found = kinds(text)
    assert found[0] == ("list_item", "- 0")
    assert found[-1][1].endswith("- 39")


def test_an_item_holds_its_code_and_paragraphs_but_not_the_items_nested_in_it() -> None:
    text = "- a\n\n  b\n\n      c\n  - d\n\n  e\n- f\n"
    assert within(text) == [
        ("list_item", (0,), "- a"),
        ("paragraph", (0,), "b"),
        ("code", (0,), "      c"),
        ("list_item", (1,), "- d"),
        ("paragraph", (0,), "e"),
        ("list_item", (2,), "- f"),
    ]


def test_an_ordered_list_holds_its_items_and_the_lists_in_them() -> None:
    text = "1. a\n   - b\n2. c\n\ntext\n"
    assert within(text) == [
        ("list_item", (0, 1), "1. a"),
        ("list_item", (0, 2), "- b"),
        ("list_item", (0, 3), "2. c"),
        ("paragraph", (), "text"),
    ]


def test_a_quote_holds_its_blocks_and_the_blank_lines_between_them() -> None:
    text = "> [!NOTE]\n> a\n>\n> ```\n> b\n> ```\n>\n> # c\n"
    assert within(text) == [
        ("paragraph", (0,), "> [!NOTE]\n> a\n>"),
        ("code", (0,), "> ```\n> b\n> ```"),
        ("paragraph", (0,), ">\n> # c"),
    ]


def test_paired_marks_hold_what_is_between_them() -> None:
    for first, last in (
        (":::note", ":::"),
        ("::::tip[Title]", "::::"),
        ('{{% alert color="info" %}}', "{{% /alert %}}"),
        ("{{< tabs >}}", "{{< /tabs >}}"),
        ("{% note %}", "{% endnote %}"),
        ('<div class="admonition">', "</div>"),
        ("<Note>", "</Note>"),
    ):
        blocks = MarkdownItBlockParser().parse(f"{first}\n\na\n\n# b\n\n{last}\n\nc\n")
        assert [block.within[:1] for block in blocks] == [(0,)] * 4 + [()], first
        assert [block.edge for block in blocks] == ["first", "", "", "last", ""], first
        assert [block.kind for block in blocks][1:3] == ["paragraph", "heading"], first


def test_marks_without_a_partner_and_marks_in_code_hold_nothing() -> None:
    for text in ("{{< param x >}}\n\na\n", "{{< /x >}}\n\na\n", "```\n:::note\n```\n\na\n\n:::\n"):
        assert not any(path for _, path, _ in within(text)), text


def test_the_body_of_an_admonition_of_mkdocs_is_markdown() -> None:
    text = 'a\n\n!!! note "T"\n    b\n\n    ```sh\n    c\n\n    ```\n\n    - d\n\ne\n'
    assert within(text) == [
        ("paragraph", (), "a"),
        ("paragraph", (0,), '!!! note "T"'),
        ("paragraph", (0,), "b"),
        ("code", (0,), "    ```sh\n    c\n\n    ```"),
        ("list_item", (0, 1), "- d"),
        ("paragraph", (), "e"),
    ]
    assert repeated(text) == [("    ```sh", "    ```")]


def test_admonitions_of_mkdocs_nest() -> None:
    text = "??? a\n    !!! b\n        c\n    d\n"
    assert [path for _, path, _ in within(text)] == [(0,), (0, 1), (0, 1), (0,)]


def test_the_lines_of_a_fence_are_repeated_with_their_indent() -> None:
    assert repeated("~~~~py x\na\n~~~~~\n") == [("~~~~py x", "~~~~~")]
    assert repeated("- a\n  ```\n  b\n  ```\n") == [("  ```", "  ```")]
    assert repeated("> ```\n> b\n> ```\n") == [("> ```", "> ```")]
    assert repeated("- ```\n  b\n  ```\n") == [("- ```", "  ```")]
    assert repeated("    indented\n") == [("", "")]


def test_a_fence_that_is_never_closed_is_closed_by_its_opening_marks() -> None:
    assert repeated("```go\na\n") == [("```go", "```")]
    assert repeated("> ```go\n> a\n\nb\n") == [("> ```go", "> ```")]
    assert repeated("- ```go\n  a\n\nb\n") == [("- ```go", "```")]


def test_the_header_of_a_table_is_repeated() -> None:
    assert repeated("| A | B |\n|---|---|\n| 1 | 2 |\n") == [("| A | B |\n|---|---|", "")]
    table = "<table><thead>\n<tr><th>A</th></tr>\n</thead>\n<tr><td>1</td></tr>\n</table>"
    assert repeated(table) == [("<table><thead>\n<tr><th>A</th></tr>\n</thead>", "</table>")]
    assert repeated("<table>\n<tr><td>1</td></tr>\n<tr><th>2</th></tr>\n</table>") == []


def test_code_in_html_is_code() -> None:
    pre = '<pre><code class="x">a\n  b</code></pre>'
    assert kinds(pre) == [("code", pre)]
    assert repeated(pre) == [('<pre><code class="x">', "</code></pre>")]
    assert kinds("<details>\n<b>t</b>\n```\na\n```\n</details>\n") == [
        ("paragraph", "<details>\n<b>t</b>"),
        ("code", "```\na\n```"),
        ("paragraph", "</details>"),
    ]
