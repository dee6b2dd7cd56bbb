from contextsvc.adapters.text.markdown import MarkdownItBlockParser


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
        ("code", "x = 1\n\n    y = 2"),
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
        ("list_item", "- next\n\n  ```\n  code\n  ```"),
    ]


def test_an_item_that_only_holds_a_list_gives_one_block() -> None:
    assert kinds("- - deep\n- \n") == [("list_item", "- - deep"), ("list_item", "-")]


def test_quotes_html_rules_definitions_and_shortcodes_are_paragraphs() -> None:
    text = "> quoted\n> - item\n\n<div>\nraw\n</div>\n\n***\n\n[a]: /u\n[b]: /v\n\n{{< tabs >}}\n"
    assert kinds(text) == [
        ("paragraph", "> quoted\n> - item"),
        ("paragraph", "<div>\nraw\n</div>"),
        ("paragraph", "***"),
        ("paragraph", "[a]: /u\n[b]: /v"),
        ("paragraph", "{{< tabs >}}"),
    ]


def test_line_ends_and_odd_spaces_do_not_move_spans() -> None:
    text = "# A\r\n\r\n\tcode\rlone\r\rform\ffeed\u2028 same line\r\n\0nul"
    assert kinds(text) == [
        ("heading", "# A"),
        ("code", "code"),
        ("paragraph", "lone"),
        ("paragraph", "form\ffeed\u2028 same line\r\n\0nul"),
    ]


def test_text_nested_deeper_than_the_parser_goes_is_still_covered() -> None:
    text = "\n".join("  " * depth + f"- {depth}" for depth in range(40))
    found = kinds(text)
    assert found[0] == ("list_item", "- 0")
    assert found[-1][1].endswith("- 39")
