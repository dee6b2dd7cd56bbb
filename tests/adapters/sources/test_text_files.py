import pytest
from hypothesis import given
from hypothesis import strategies as st

from contextsvc.adapters.sources.text_files import Scalar, decode_text, first_heading, split_front_matter
from contextsvc.errors import SourceError


def test_a_byte_order_mark_is_stripped_and_line_ends_stay() -> None:
    assert decode_text(b"\xef\xbb\xbfa\r\nb\n") == "a\r\nb\n"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "the text is empty"),
        (b" \r\n\t", "the text has only spaces"),
        (b"\xef\xbb\xbf", "the text has only spaces"),
        (b"ab\0c", "NUL byte at offset 2, as in binary data or UTF-16; expected UTF-8 text"),
        (b"caf\xe9 au lait", "not UTF-8: byte 0xe9 at offset 3; convert it to UTF-8, for example with iconv"),
        (
            b"\xef\xbb\xbfa\xff",
            "not UTF-8: byte 0xff at offset 4; convert it to UTF-8, for example with iconv",
        ),
    ],
)
def test_what_is_no_text_is_refused_with_its_place(data: bytes, reason: str) -> None:
    with pytest.raises(SourceError) as raised:
        decode_text(data)
    assert str(raised.value) == reason


def test_front_matter_gives_scalars_and_passes_over_the_rest() -> None:
    text = (
        '---\r\ntitle: "A: b"\r\nweight: 12\r\nratio: 0.5\r\ndraft: false\r\nname: x # y\r\nzip: 007\r\n'
        "tags: [a]\r\nnone: null\r\nmap:\r\n  inner: 1\r\nlist:\r\n- z\r\n---\r\nBody"
    )
    values, offset = split_front_matter(text)
    expected: dict[str, Scalar] = {
        "title": "A: b", "weight": 12, "ratio": 0.5, "draft": False, "name": "x", "zip": "007"
    }  # fmt: skip
    assert values == expected
    assert text[offset:] == "Body"


@pytest.mark.parametrize(
    "text", ["---\nNot a key\n---\nText", "---\ntitle: open", "Text\n---\na: b\n---\n", "---\n---\nText"]
)
def test_what_does_not_look_like_front_matter_is_text(text: str) -> None:
    assert split_front_matter(text) == ({}, 0)


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("Text\n\n## Second ##\n# First", "Second"),
        ("```\n# comment\n```\nReal\n====\n", "Real"),
        ("    # code\n- item\n---\n# End", "End"),
        ("~~~\n# open fence", ""),
        ("#nothing", ""),
    ],
)
def test_first_markdown_heading(text: str, title: str) -> None:
    assert first_heading(text, "markdown") == title


def test_first_plain_heading() -> None:
    assert first_heading("Intro.\n\n======\n Name\n======\n", "plain") == "Name"
    assert first_heading("# no heading here", "plain") == ""


@given(st.binary(max_size=40))
def test_bytes_are_their_text_or_refused(data: bytes) -> None:
    try:
        text = decode_text(data)
    except SourceError:
        return
    assert text.encode() == data.removeprefix(b"\xef\xbb\xbf")


@given(st.text(alphabet="ab:- \n.", max_size=60))
def test_front_matter_is_a_prefix_that_ends_a_line(body: str) -> None:
    for text in (body, f"---\n{body}"):
        values, start = split_front_matter(text)
        assert start == 0 or text[:start].startswith("---")
        assert not values or start > 0
        assert start in (0, len(text)) or text[start - 1] == "\n"
