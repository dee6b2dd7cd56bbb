"""Documents made of every structure that must stay whole, in Markdown and in reStructuredText."""

from collections.abc import Callable
from functools import partial

from hypothesis import strategies as st

LONG = "x" * 150
FAMILY, ACCENTED, FLAGS = "👩\u200d👩\u200d👧\u200d👦", "e\u0301te\u0301", "🇩🇪🇫🇷"
SHORT_WORDS = ["a", "etcd", "Restore", "the", "snapshot", "x=1", "2.5", "e.g."]
MARKED = ["**bold words here**", "`code span`", "[link text](http://a.b/c?d=e)"]
WORDS = st.sampled_from([*SHORT_WORDS, *MARKED, FAMILY, ACCENTED, FLAGS, "水泵轴承", "重新拧紧螺栓。", LONG])
CODE_WORDS = st.sampled_from(["run", "stop", "if x:", "etcdctl", "--data", "{", "}", "# note", "水泵", LONG])

SENTENCES = st.builds(
    lambda words, end: " ".join(words) + end,
    st.lists(WORDS, min_size=1, max_size=14),
    st.sampled_from(".!?;,"),
)
LEAD_INS = st.builds(
    lambda words, end: " ".join(words) + end,
    st.lists(WORDS, min_size=1, max_size=10),
    st.sampled_from([":", ":", "：", ":**", ": "]),
)
CODE = st.lists(
    st.builds(
        lambda indent, words: " " * indent + " ".join(words),
        st.sampled_from([0, 2, 4, 8]),
        st.lists(CODE_WORDS, max_size=8),
    ),
    min_size=1,
    max_size=14,
).filter(lambda lines: bool(lines[0].strip() and lines[-1].strip()))
PARAGRAPHS = st.one_of(
    st.lists(SENTENCES, min_size=1, max_size=4).map(" ".join), LEAD_INS, st.just("**Restore the cluster**")
)
ROWS = st.lists(st.tuples(WORDS, WORDS), min_size=1, max_size=12)

Blocks = st.SearchStrategy[str]


def indented(text: str, columns: int) -> str:
    """The lines of a text, each with an indent; blank lines stay blank."""
    return "\n".join(" " * columns + line if line.strip() else line for line in text.split("\n"))


def fenced(lines: list[str], language: str = "sh", marks: str = "```") -> str:
    """A code fence of Markdown."""
    return "\n".join([f"{marks}{language}", *lines, marks])


def pipe_table(rows: list[tuple[str, str]]) -> str:
    """A table of Markdown."""
    return "\n".join(["| Name | Use |", "|------|-----|", *(f"| {a} | {b} |" for a, b in rows)])


def listed(bodies: list[str], ordered: bool) -> str:
    """A list of Markdown or reStructuredText whose items hold these texts."""
    marks = [f"{number}. " if ordered else "- " for number in range(1, len(bodies) + 1)]
    items = [mark + indented(body, len(mark)).lstrip(" ") for mark, body in zip(marks, bodies, strict=True)]
    return "\n".join(items)


def _containers(inner: Blocks) -> Blocks:
    bodies = st.lists(inner, min_size=1, max_size=3).map("\n\n".join)
    items = st.lists(
        st.builds("{}\n\n{}".format, SENTENCES, bodies) | SENTENCES | LEAD_INS, min_size=1, max_size=4
    )
    return st.one_of(
        st.builds(listed, items, st.booleans()),
        bodies.map(":::note\n\n{}\n\n:::".format),
        bodies.map('{{{{% alert color="info" %}}}}\n\n{}\n\n{{{{% /alert %}}}}'.format),
        bodies.map(lambda body: "!!! note\n" + indented(body, 4)),
        bodies.map('<div class="admonition">\n\n{}\n\n</div>'.format),
        bodies.map(lambda body: "\n".join(f"> {line}".rstrip() for line in ["[!NOTE]", *body.split("\n")])),
    )


def _rst_containers(inner: Blocks) -> Blocks:
    bodies = st.lists(inner, min_size=1, max_size=3).map("\n\n".join)
    items = st.lists(
        st.builds("{}\n\n{}\n".format, SENTENCES, bodies) | SENTENCES | LEAD_INS, min_size=1, max_size=4
    )
    return st.one_of(
        st.builds(listed, items, st.booleans()),
        bodies.map(lambda body: ".. note::\n\n" + indented(body, 3)),
        CODE.map(lambda lines: ".. code-block:: sh\n\n" + indented("\n".join(lines), 3)),
        CODE.map(lambda lines: "Run this::\n\n" + indented("\n".join(lines), 4)),
    )


def simple_table(rows: list[tuple[str, str]]) -> str:
    """A simple table of reStructuredText; a wide cell makes it malformed, as in real pages."""
    border = "=" * 30 + "  " + "=" * 30
    return "\n".join([border, f"{'Name':30}  Use", border, *(f"{a:30}  {b}" for a, b in rows), border])


def grid_table(rows: list[tuple[str, str]]) -> str:
    """A grid table of reStructuredText."""
    border = "+" + "-" * 32 + "+" + "-" * 32 + "+"
    lines = [border, f"| {'Name':30} | {'Use':30} |", border.replace("-", "=")]
    for a, b in rows:
        lines += [f"| {a:30} | {b:30} |", border]
    return "\n".join(lines)


def _blocks(leaves: Blocks, containers: Callable[[Blocks], Blocks]) -> Blocks:
    return leaves | containers(leaves | containers(leaves))


_MARKDOWN = _blocks(
    st.one_of(PARAGRAPHS, CODE.map(fenced), CODE.map(partial(fenced, marks="~~~")), ROWS.map(pipe_table)),
    _containers,
)
_RST = _blocks(st.one_of(PARAGRAPHS, ROWS.map(simple_table), ROWS.map(grid_table)), _rst_containers)

MARKDOWN = st.builds(
    lambda blocks, last: "\n\n".join([*blocks, *last]),
    st.lists(_MARKDOWN | SENTENCES.map("## {}".format), min_size=1, max_size=8),
    st.lists(CODE.map(lambda lines: "\n".join(["```go", *lines])), max_size=1),
)
"""Markdown: fences (the last one may stay open), tables, lists, admonitions, quotes, lead-ins, headings."""

RST = st.lists(
    _RST | SENTENCES.map(lambda title: f".. _label:\n\n{title}\n{'=' * 2 * len(title)}"),
    min_size=1,
    max_size=8,
).map("\n\n".join)
"""reStructuredText: literal blocks, tables, lists, directives, lead-ins, labelled headings."""
