"""Extract the main text of an HTML page as Markdown, with the library trafilatura."""

import re
from typing import Any

from contextsvc.errors import MissingExtra, SourceError

_MARKS = "```"
_ITEM = re.compile(r"\s*(?:[-*+]|\d+\.)\s+")
_ADMONITION = re.compile(r"(?:^|\s)(?:[\w-]*admonition|markdown-alert|callout|alert)(?=[\s-]|$)")
_QUOTE_BEGIN, _QUOTE_END = "quote-begins-f3b1c2d4", "quote-ends-f3b1c2d4"
_KEPT = 0.8
_MIN_CHARS = 250
_OUTSIDE = ["//nav", "//footer", "//aside"]


def read_html(markup: str) -> tuple[str, str]:
    """Extract title and text of a page.

    Headings, lists, tables and code become Markdown, block quotes and admonitions become block quotes, and
    links become plain words. The extraction favours recall, because an extra menu line costs less than a lost
    paragraph. Three methods are tried in this order, and the first that gives text is used:

    1. the library's extraction with structure. Its text is rejected if it has under 250 characters and also
       lost more than a fifth of the words that method 2 finds outside links, as on malformed pages;
    2. the library's extraction with fallbacks, which lose structure;
    3. the library's baseline: paragraphs, or the text of the body if there are no paragraphs.

    Args:
        markup: HTML of a page or a fragment.

    Returns:
        (title, text). The title is the `<title>` with collapsed spaces, or "" if there is none. The text is
        never blank.

    Raises:
        MissingExtra: trafilatura or one of its dependencies is not installed.
        SourceError: the page cannot be parsed or has no text.

    Source: Barbaresi, ACL 2021 demos. https://aclanthology.org/2021.acl-demo.15
    """
    library = _library()
    # The library refuses markup without "html" in the first 50 characters. A fragment lacks this word, and
    # so does a page that starts with a long comment.
    if "html" not in markup[:50].lower():
        markup = f"<html>{markup}"
    tree = library.load_html(markup)
    if tree is None:
        raise SourceError("the file could not be parsed as HTML")
    _mark_quotes(tree)
    structured = _extract(library, tree, min_chars=1)
    # With its default minimum size the library would drop the structure of shorter texts.
    rescued = _extract(library, tree, _MIN_CHARS) if len(structured) < _MIN_CHARS else structured
    num_linked = sum(len(" ".join(link.itertext()).split()) for link in tree.iter("a"))
    complete = len(structured.split()) >= _KEPT * (len(rescued.split()) - num_linked)
    text = (structured if complete else rescued) or rescued or _as_markdown(library.baseline(tree)[1])
    if not text.strip():
        raise SourceError("no text could be extracted from the page")
    return " ".join((tree.findtext(".//title") or "").split()), text


def _as_markdown(text: str) -> str:
    return _with_quotes(_with_fences_on_own_lines(text))


def _mark_quotes(tree: Any) -> None:
    """Put a paragraph with a mark at the beginning and the end of each block quote and admonition.

    The library would drop these elements and keep only the text in them. It also drops each `aside`, so that
    an admonition that is one becomes a `div`.
    """
    for element in list(tree.iter("blockquote", "div", "aside", "section")):
        if element.tag == "blockquote" or _ADMONITION.search(element.get("class", "")):
            begin, end = element.makeelement("p"), element.makeelement("p")
            begin.text, end.text = _QUOTE_BEGIN, _QUOTE_END
            words = element.makeelement("p")
            words.text, element.text = element.text, None
            element.tag = "div"
            element[:0] = [begin, words] if (words.text or "").strip() else [begin]
            element.append(end)


def _with_quotes(text: str) -> str:
    """Turn the lines between the marks of `_mark_quotes` into block quotes of Markdown."""
    lines: list[str] = []
    depth = 0
    for line in text.split("\n"):
        bare = line.replace(_QUOTE_BEGIN, "").replace(_QUOTE_END, "")
        if line != bare and not bare.strip():
            depth = max(0, depth + line.count(_QUOTE_BEGIN) - line.count(_QUOTE_END))
            while depth == 0 and lines and lines[-1] and not lines[-1].strip("> "):
                lines.pop()
        elif depth == 0 or bare.strip():
            lines.append(("> " * depth + bare).rstrip())
        elif lines and lines[-1].strip("> "):
            lines.append(("> " * depth).rstrip())
    return "\n".join(lines)


def _with_fences_on_own_lines(text: str) -> str:
    """Move the marks of a code fence to lines of their own, with the indent of the list item around them.

    The library writes the opening marks behind the words before the code, where they open no fence. The
    closing marks would then open one, and the rest of the page would be code.
    """
    lines: list[str] = []
    in_fence, indent = False, ""
    for line in text.split("\n"):
        opens = not in_fence and line.count(_MARKS) % 2 == 1
        before, marks, after = line.rpartition(_MARKS) if opens else ("", "", line)
        if opens:
            item = _ITEM.match(line)
            indent = " " * item.end() if item and before.strip() else ""
            lines += [before.rstrip()] if before.strip() else []
        closes = in_fence and line.startswith(_MARKS)
        lines.append(f"{indent}{marks}{after}" if opens or (in_fence and line) else line)
        in_fence = opens or (in_fence and not closes)
    return "\n".join(lines)


def _extract(library: Any, tree: Any, min_chars: int) -> str:
    config = library.settings.use_config()
    config.set("DEFAULT", "MIN_EXTRACTED_SIZE", str(min_chars))
    text: str | None = library.extract(
        tree,
        output_format="markdown",
        favor_recall=True,
        include_tables=True,
        include_formatting=True,
        include_links=False,
        include_comments=False,
        prune_xpath=_OUTSIDE,
        config=config,
    )
    return _as_markdown(text or "")


def _library() -> Any:
    # trafilatura is imported on first use, because it is an optional dependency and loads slowly.
    try:
        import trafilatura
    except ImportError as error:
        raise MissingExtra("reading HTML", "html") from error
    return trafilatura
