"""trafilatura: the text of an HTML page, as Markdown, without what surrounds it."""

from typing import Any

from contextsvc.errors import MissingExtra, SourceError

_KEPT = 0.8
_MIN_CHARS = 250
_OUTSIDE = ["//nav", "//footer", "//aside"]


def read_html(markup: str) -> tuple[str, str]:
    """Title and text of a page; headings, lists, tables and code as Markdown, links as their words.

    Extraction favours recall: a stray menu line costs less than a lost paragraph. In order, the
    first that gives text:

    1. the library's extraction with structure, unless it is under 250 characters and lost more
       than a fifth of the words that 2 has outside links, as on malformed pages;
    2. its extraction with fallbacks, which give up structure;
    3. its baseline: paragraphs, else the body's text.

    Returns:
        The `<title>` with its spaces collapsed, "" without one; and text that is never blank.

    Raises:
        MissingExtra: trafilatura, or something it needs, is not installed.
        SourceError: the page has no text.

    Source: Barbaresi, ACL 2021 demos. https://aclanthology.org/2021.acl-demo.15
    """
    library = _library()
    # The library refuses pages without "html" among the first 50 characters: a fragment, or a
    # page that opens with a long comment.
    if "html" not in markup[:50].lower():
        markup = f"<html>{markup}"
    tree = library.load_html(markup)
    if tree is None:
        raise SourceError("no HTML that could be parsed")
    structured = _extract(library, tree, min_chars=1)
    # Below its default minimum the library would have thrown the structure away.
    rescued = _extract(library, tree, _MIN_CHARS) if len(structured) < _MIN_CHARS else structured
    num_linked = sum(len(" ".join(link.itertext()).split()) for link in tree.iter("a"))
    complete = len(structured.split()) >= _KEPT * (len(rescued.split()) - num_linked)
    text = (structured if complete else rescued) or rescued or library.baseline(tree)[1]
    if not text.strip():
        raise SourceError("no text in the page that could be extracted")
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
    # Imported on first use: it is an extra, and takes long to load for whoever has no HTML.
    try:
        import trafilatura
    except ImportError as error:
        raise MissingExtra("reading HTML", "html") from error
    return trafilatura
