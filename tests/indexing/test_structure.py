"""Laws of every chunk, from the parser to the chunk's text, over generated and over real documents."""

import re
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest
import regex
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.rows import data_root, dataset
from contextsvc.adapters.sources.files import read_documents
from contextsvc.adapters.text.markdown import MarkdownItBlockParser
from contextsvc.adapters.text.plain_text import PlainBlockParser
from contextsvc.indexing.breaks import introduces
from contextsvc.indexing.chunking import chunk_bounds
from contextsvc.indexing.sentences import cut_sentences
from contextsvc.ports import BlockParser
from contextsvc.records.documents import Document, Sentence
from contextsvc.records.spans import Frame, Span
from tests.fakes.sentence_splitter import FakeSentenceSplitter
from tests.strategies.structured import MARKDOWN, RST

MOST = 60
_TOKEN = re.compile(r"([^\w\s])\1*|(\w+)")
FENCE = re.compile(r"^[ \t>]*(?:(?:[-*+]|\d+\.) +)*(?:`{3,}|~{3,})", re.MULTILINE)


def count(texts: Sequence[str]) -> list[int]:
    """Six letters of a word are a token, and so are 16 equal marks; space is none."""

    def size(match: re.Match[str]) -> int:
        return -(-len(match[0]) // (6 if match[2] else 16))

    return [sum(map(size, _TOKEN.finditer(text))) for text in texts]


def read(texts: Sequence[str]) -> list[bool]:
    return [len(text) <= 2000 for text in texts]


def chunked(
    parser: BlockParser, text: str, seed: int = 0, most: int = MOST
) -> tuple[list[Sentence], list[tuple[Span, str]]]:
    """Sentences, and the span and framed text of each chunk."""
    found = cut_sentences(text, parser.parse(text), FakeSentenceSplitter().split, read, count, most)
    vectors = np.random.default_rng(seed).normal(size=(len(found), 4)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)

    def framed(first: int, end: int) -> str:
        frame = Frame.cut(text, found[first].opening, found[end - 1].closing)
        return frame.opening + text[found[first].start : found[end - 1].end] + frame.closing

    bounds = chunk_bounds(found, vectors, most // 3, most, lambda first, end: count([framed(first, end)])[0])
    chunks = [((found[first].start, found[end - 1].end), framed(first, end)) for first, end in bounds]
    assert all(found[first].unit != found[first - 1].unit for first, _ in bounds[1:])
    return found, chunks


def check(parser: BlockParser, text: str, seed: int = 0, most: int = MOST) -> None:
    sentences, chunks = chunked(parser, text, seed, most)
    at = 0
    for sentence in sentences:
        assert not text[at : sentence.start].strip()
        assert at <= sentence.start < sentence.end
        at = sentence.end
    assert not text[at:].strip()
    edges = {0, len(text)} | {match.end() for match in regex.finditer(r"\X", text)}
    for one, other in pairwise(sentences):
        if one.kind == other.kind == "code" and other.opening != (0, 0) and text[other.start - 1] != "\n":
            before, after = text[: other.start].rpartition("\n")[2], text[other.start :].partition("\n")[0]
            assert count([before + after])[0] >= most // 5
    for (start, end), own in chunks:
        assert count([own])[0] <= most
        assert {start, end} <= edges
        if end < len(text.rstrip()):
            assert not introduces(own, 0, len(own)), own
        for at in (start, end):
            if 0 < at < len(text) and text[at - 1].isalnum() and text[at].isalnum():
                assert is_endless(text, at, most), own


def is_endless(text: str, at: int, most: int) -> bool:
    """Whether a word around an offset cannot be a chunk, or is of a script without spaces."""
    word = next(match for match in re.finditer(r"\S+", text) if match.start() < at < match.end())[0]
    return count([word])[0] >= most // 5 or bool(re.search(r"[\u4e00-\u9fff]", word))


def check_markdown(text: str, seed: int = 0, most: int = MOST) -> None:
    check(MarkdownItBlockParser(), text, seed, most)
    for _, own in chunked(MarkdownItBlockParser(), text, seed, most)[1]:
        assert len(FENCE.findall(own)) % 2 == 0, own


@given(MARKDOWN, st.integers(0, 9))
def test_markdown_keeps_every_law(text: str, seed: int) -> None:
    check_markdown(text, seed)


@given(RST, st.integers(0, 9))
def test_restructured_text_keeps_every_law(text: str, seed: int) -> None:
    check(PlainBlockParser(), text, seed)


@pytest.mark.data
@pytest.mark.skipif(not data_root(), reason="no manual of etcd; name its folder in CONTEXTSVC_DATA")
def test_a_manual_keeps_every_law() -> None:
    root = dataset("etcd_docs", "content", "en", "docs", "v3.5")
    pages = [page for page in read_documents([str(root)], 10**7, None) if isinstance(page, Document)]
    assert len(pages) > 80
    for page in pages:
        check_markdown(page.text, most=160)
