"""What sides are given, and the packs that are made of what they say."""

from itertools import product
from pathlib import Path

import pytest

from benchmarks.chunking.metrics import Place
from benchmarks.packs.collections import Collection, Excerpt, PackQuestion
from benchmarks.packs.evidence import Pack, supporting
from benchmarks.packs.sides import ALL_SIDES, Asking, best_pack, once_each, texts_for
from benchmarks.peers.worker import SIDES
from contextsvc import assets
from contextsvc.records.documents import Document
from contextsvc.settings import Settings

DOCUMENTS = (
    Document("a", "Alpha one.\n\nAlpha two.", title="Letters", format="markdown"),
    Document("b", "Beta alone.", title="More"),
)


def words(text: str) -> int:
    """A token a word."""
    return len(text.split())


def whole(text: str) -> list[tuple[int, int]]:
    """No splitter."""
    return [(0, len(text))]


def collection(titled: bool) -> Collection:
    """Two documents and a question about both."""
    evidence = (Excerpt("a", 12, 22, "Alpha two."), Excerpt("b", 0, 11, "Beta alone."))
    return Collection("hotpotqa", "d@1", DOCUMENTS, (PackQuestion("Beta?", evidence, evidence),), titled)


def told(titled: bool, side: str) -> list[tuple[str, str, str, int, int]]:
    """Id and text of what a side gets, and which part of which document it is."""
    texts = texts_for(collection(titled), side)
    return [(one.text.doc_id, one.text.text, one.doc_id, one.start, one.num_lead) for one in texts]


def test_sides_are_those_that_the_worker_knows_and_the_ceiling() -> None:
    assert list(ALL_SIDES) == [*SIDES, "oracle"]


def test_peers_get_titles_as_the_first_line_and_ours_apart() -> None:
    assert told(True, "langchain-plain") == [
        ("a", "Letters\n\nAlpha one.\n\nAlpha two.", "a", 0, 9), ("b", "More\n\nBeta alone.", "b", 0, 6),
    ]  # fmt: skip
    for titled, side in product((True, False), ("ours", "ours-whole")):
        assert told(titled, side) == [("a", DOCUMENTS[0].text, "a", 0, 0), ("b", "Beta alone.", "b", 0, 0)]
        ours = texts_for(collection(titled), side)[0].text
        assert (ours.title, ours.format) == ("Letters", "markdown")


def test_titles_of_our_own_making_are_not_given_to_peers() -> None:
    assert told(False, "langchain-plain") == [
        ("a", DOCUMENTS[0].text, "a", 0, 0), ("b", "Beta alone.", "b", 0, 0),
    ]  # fmt: skip


def test_the_bare_encoder_gets_paragraphs() -> None:
    assert told(False, "bare") == [
        ("a@0", "Alpha one.", "a", 0, 0), ("a@12", "Alpha two.", "a", 12, 0),
        ("b@0", "Beta alone.", "b", 0, 0),
    ]  # fmt: skip
    assert told(True, "bare")[1] == ("a@12", "Letters\n\nAlpha two.", "a", 12, 9)


def test_a_passage_is_kept_once_and_comes_once_in_an_answer() -> None:
    one, two = ({"doc_id": "d", "text": text, "score": 0.5, "start": 0, "end": 3} for text in ("one", "two"))
    found = once_each([[one, two, {**one, "score": 0.1}], [], [{**two, "score": 0.9}, one]])
    assert found["answers"] == [[0, 1], [], [1, 0]]
    assert [passage["text"] for passage in found["passages"]] == ["one", "two"]


def excerpt(doc_id: str, start: int, text: str) -> Excerpt:
    """By its first character."""
    return Excerpt(doc_id, start, start + len(text), text)


def test_the_best_pack_is_the_shortest_sentences_one_of_each_document_first() -> None:
    sentences = (excerpt("a", 0, "a b"), excerpt("a", 9, "c d"), excerpt("b", 0, "e f g"))
    question = PackQuestion("?", sentences, sentences)
    assert best_pack(question, 5, words) == Pack((Place("a", 0, 3), Place("b", 0, 5)), 5)
    assert best_pack(question, 4, words) == Pack((Place("a", 0, 3), Place("a", 9, 12)), 4)
    assert supporting(question, best_pack(question, 7, words))["all supporting sentences"] == 1
    assert best_pack(question, 1, words) == Pack((), 0)


@pytest.mark.model
def test_ours_and_the_bare_encoder_answer_for_real(tmp_path: Path) -> None:
    settings, lines = Settings.from_env(), list[str]()
    asking = Asking(
        (4, 64), words, whole, assets.locate(settings.home, "all-MiniLM-L6-v2"), tmp_path, lines.append
    )
    asked = collection(True)
    ours = asking.packs("ours", asked, asked.questions)
    assert ours[4] == [Pack((), 0)]  # not even the shortest chunk with its heading
    assert Place("b", 0, 11) in ours[64][0].places
    assert 0 < ours[64][0].num_tokens <= 64
    whole_ones = asking.packs("ours-whole", asked, asked.questions)
    # All fits, so nothing is trimmed.
    assert whole_ones[64] == ours[64]
    bare = asking.packs("bare", asked, asked.questions)
    # Of three paragraphs, each with a title and two words, one fits.
    assert bare[4] == [Pack((Place("b", 0, 11),), 3)]
    assert supporting(asked.questions[0], bare[64][0])["all supporting sentences"] == 1
