"""Results by text are made once and kept within bounds."""

from contextsvc.indexing.segments import Memo
from contextsvc.records.documents import Document


def asked(memo: Memo[int], *documents: Document) -> list[int]:
    """The result for each document; results are numbered in the order in which they are made."""
    made = iter(range(100))
    return [memo.for_document(document, lambda: next(made)) for document in documents]


def test_equal_texts_share_a_result() -> None:
    one, copy, other = Document("a", "Text."), Document("b", "Text.", title="Title"), Document("c", "Text!")
    assert asked(Memo(), one, copy, other, one) == [0, 0, 1, 0]


def test_equal_texts_of_different_formats_have_different_results() -> None:
    assert asked(Memo(), Document("a", "# T"), Document("b", "# T", format="markdown")) == [0, 1]


def test_the_least_recently_used_result_is_removed_first() -> None:
    a, b, c = (Document(name, name * 4) for name in "abc")
    # room for two: a is used again, so that b goes for c
    assert asked(Memo(8), a, b, a, c, a, b) == [0, 1, 0, 2, 0, 3]


def test_a_text_longer_than_the_bound_is_not_kept() -> None:
    long = Document("a", "x" * 9)
    assert asked(Memo(8), long, long) == [0, 1]
    assert asked(Memo(0), Document("a", "y"), Document("a", "y")) == [0, 1]


def test_an_empty_result_is_kept_too() -> None:
    made: list[str] = []

    def make() -> list[int]:
        made.append("made")
        return []

    memo = Memo[list[int]]()
    assert [memo.for_document(Document("a", "x"), make) for _ in range(2)] == [[], []]
    assert made == ["made"]


def test_missing_results_of_many_texts_are_made_in_one_call() -> None:
    asked: list[list[str]] = []

    def lengths(texts: list[str]) -> list[int]:
        asked.append(texts)
        return [len(text) for text in texts]

    memo = Memo[int](5)
    assert memo.for_texts(["aa", "b", "aa"], lengths) == [2, 1, 2]
    assert memo.for_texts(["b", "ccc", "aa"], lengths) == [1, 3, 2]
    # 6 characters in all: "ccc" came last, of the others "b" was named first
    assert memo.for_texts(["aa", "b", "ccc"], lengths) == [2, 1, 3]
    assert memo.for_texts([], lengths) == []
    assert asked == [["aa", "b"], ["ccc"], ["b"]]
