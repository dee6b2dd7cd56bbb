import pytest
from hypothesis import given
from hypothesis import strategies as st

from contextsvc.measuring.word_overlap import likeness

WORDS = st.lists(st.sampled_from(["red", "fox", "hill", "2379"]), min_size=1, max_size=8)


@pytest.mark.parametrize(
    ("answer", "target", "expected"),
    [
        ("port 2379", "port 2379", 1.0),
        ("The port is 2379.", "port 2379", 0.8),  # 2 shared, 3 + 2 words: 4/5
        ("It is red", "blue", 0.0),
        ("red red", "red", 2 / 3),
        ("red red", "red red blue blue", 2 / 3),
        ("A fox", "fox the an", 1.0),
        ("“Fox” — the!", "fox", 1.0),
        ("etcd's", "etcds", 1.0),
    ],
)
def test_worked_out_by_hand(answer: str, target: str, expected: float) -> None:
    assert likeness(answer, target) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("answer", "target", "expected"),
    [("", "", 1.0), ("The", " the\n", 1.0), ("The", "An", 0.0), ("?!", "...", 0.0), ("...", "fox", 0.0),
     ("fox", "", 0.0)],
)  # fmt: skip
def test_a_text_without_words_equals_only_itself(answer: str, target: str, expected: float) -> None:
    assert likeness(answer, target) == expected


@given(st.text(), st.text())
def test_likeness_is_symmetric(answer: str, target: str) -> None:
    assert 0 <= likeness(answer, target) <= 1
    assert likeness(answer, target) == likeness(target, answer)
    assert likeness(answer, answer) == 1


@given(WORDS, WORDS, st.data())
def test_likeness_is_the_harmonic_mean_of_precision_and_recall_in_any_order(
    words: list[str], wanted: list[str], data: st.DataObject
) -> None:
    num_shared = sum(min(words.count(word), wanted.count(word)) for word in set(words))
    found = likeness(" ".join(data.draw(st.permutations(words))), " ".join(wanted))
    if num_shared == 0:
        assert found == 0
    else:
        precision, recall = num_shared / len(words), num_shared / len(wanted)
        assert found == pytest.approx(2 * precision * recall / (precision + recall))
