import subprocess
import sys

import pytest

from contextsvc.adapters.sources.html import read_html
from contextsvc.errors import SourceError

PAGE = """<!DOCTYPE html><html><head><title>Install
  guide</title><style>p {}</style></head><body>
<nav><a href="/">Home</a> <a href="/pricing">Pricing</a></nav>
<main><h1>Install</h1><p>First install the server on <a href="/m">every machine</a> of the cluster.</p>
<h2>Ports</h2><table><tr><th>Port</th><th>Use</th></tr><tr><td>2379</td><td>clients</td></tr></table>
<p>Then start it:</p><pre><code>etcd --name a
    --debug</code></pre><ul><li>one item</li><li>two items</li></ul></main>
<footer>Copyright Example Corp</footer></body></html>"""


def test_structure_becomes_markdown_and_what_surrounds_it_goes() -> None:
    title, text = read_html(PAGE)
    assert title == "Install guide"
    lines = [line.rstrip() for line in text.splitlines()]
    for expected in ("# Install", "## Ports", "| Port | Use |", "| 2379 | clients |", "- two items"):
        assert expected in lines
    assert "```\netcd --name a\n    --debug\n```" in text
    assert "every machine of the cluster." in text
    for gone in ("Pricing", "Copyright", "/m"):
        assert gone not in text


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ("<p>Short.</p>", "Short."),
        ("bare words", "bare words"),
        ("<html><body>No tag around it</body></html>", "No tag around it"),
        ("<!-- " + "long comment " * 9 + "--><body><h1>Only a title</h1>", "# Only a title"),
        ("<td>cell<p>never closed", "cell\nnever closed"),
    ],
)
def test_short_and_broken_pages_do_not_come_out_empty(markup: str, text: str) -> None:
    assert read_html(markup) == ("", text)


def test_a_short_page_keeps_its_structure_among_many_links() -> None:
    menu = "<div><ul>" + "<li><a href='/x'>Side entry</a></li>" * 40 + "</ul></div>"
    _, text = read_html(f"<html><body>{menu}<main><h1>Short</h1><p>The page itself.</p></main></body></html>")
    assert text == "# Short\n\nThe page itself."


def body_of(inner: str) -> str:
    """Markdown of a part of a page, without what stands around it."""
    first, last = "Words before it, enough of them to be kept.", "Words after it."
    _, text = read_html(f"<html><body><main><p>{first}</p>{inner}<p>{last}</p></main></body></html>")
    assert text.startswith(first)
    assert text.endswith(last)
    return text[len(first) : -len(last)].strip("\n")


def test_code_in_a_list_item_is_a_fence_in_that_item() -> None:
    found = body_of("<ol><li>Run:<pre><code>a\n  b</code></pre></li><li>Wait.</li></ol>")
    lines = [line.rstrip() for line in found.split("\n")]
    assert lines == ["1. Run:", "   ```", "   a", "     b", "   ```", "2. Wait."]


def test_code_in_a_paragraph_is_a_fence_of_its_own() -> None:
    found = body_of("<div>Use <code>x</code> or <pre><code>a\nb</code></pre></div>")
    assert found.endswith("\n```\na\nb\n```")
    assert [line.count("```") for line in found.split("\n")].count(1) == 2


@pytest.mark.parametrize(
    ("first", "last"),
    [
        ("<blockquote>", "</blockquote>"),
        ('<div class="admonition warning">', "</div>"),
        ('<div class="theme-admonition alert alert--info">', "</div>"),
        ('<aside class="admonition">', "</aside>"),
    ],
)
def test_quotes_and_admonitions_become_quotes(first: str, last: str) -> None:
    found = body_of(f"{first}<p>One.</p><ul><li>two</li></ul>{last}")
    assert found == "> One.\n>\n> - two"


def test_bare_words_and_code_stay_in_their_quote() -> None:
    assert body_of("<blockquote>One.</blockquote>") == "> One."
    found = body_of("<blockquote><p>One.</p><pre><code>a\n\nb</code></pre></blockquote>")
    assert [line for line in found.split("\n") if line != ">"] == ["> One.", "> ```", "> a", "> b", "> ```"]


def test_the_marks_of_a_quote_in_a_list_item_leave_no_trace() -> None:
    assert "quote" not in body_of("<ul><li>one<blockquote><p>two</p></blockquote></li></ul>")


def test_malformed_markup_loses_no_words() -> None:
    _, text = read_html("<html><h1>Broken<p>Open <b>bold <div>and more</p></table><td>cell")
    assert text.replace("*", "").split() == ["Broken", "Open", "bold", "and", "more", "cell"]


@pytest.mark.parametrize(
    "markup", ["", "<html></html>", "<title>t</title><script>x = 1</script>", "<p> </p>"]
)
def test_a_page_without_text_is_refused(markup: str) -> None:
    with pytest.raises(SourceError, match=r"could (be extracted from the page|not be parsed)"):
        read_html(markup)


def test_without_the_library_the_error_names_the_extra() -> None:
    # In an interpreter of its own: an import that failed once must not spoil the other tests.
    program = (
        "import sys; sys.modules['trafilatura'] = None\n"
        "from contextsvc.adapters.sources.html import read_html\n"
        "try: read_html('<p>x</p>')\n"
        "except Exception as error: print(type(error).__name__, error)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    expected = "MissingExtra reading HTML needs the extra 'html': pip install 'contextsvc[html]'"
    assert done.stdout.strip() == expected
