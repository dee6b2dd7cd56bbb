"""Extract the main text of an HTML page as Markdown, with the library trafilatura."""

from typing import Any

from contextsvc.errors import MissingExtra, SourceError

_KEPT = 0.8
_MIN_CHARS = 250
_OUTSIDE = ["//nav", "//footer", "//aside"]


def read_html(markup: str) -> tuple[str, str]:
    """Extract title and text of a page.

    Headings, lists, tables and code become Markdown, and links become plain words. The extraction favours
    recall, because an extra menu line costs less than a lost paragraph. Three methods are tried in this
    order, and the first that gives text is used:

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
    structured = _extract(library, tree, min_chars=1)
    # With its default minimum size the library would drop the structure of shorter texts.
    rescued = _extract(library, tree, _MIN_CHARS) if len(structured) < _MIN_CHARS else structured
    num_linked = sum(len(" ".join(link.itertext()).split()) for link in tree.iter("a"))
    complete = len(structured.split()) >= _KEPT * (len(rescued.split()) - num_linked)
    text = (structured if complete else rescued) or rescued or library.baseline(tree)[1]
    if not text.strip():
        raise SourceError("no text could be extracted from the page")
    return " ".join((tree.findtext(".//title") or "").split()), text


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
    return text or ""


def _library() -> Any:
    # trafilatura is imported on first use, because it is an optional dependency and loads slowly.
    try:
        import trafilatura
    except ImportError as error:
        raise MissingExtra("reading HTML", "html") from error
    return trafilatura
