import json
import pickle
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contextsvc.adapters.search.bm25 import Bm25sLexicalIndex
from contextsvc.errors import CorruptIndex
from tests.fakes.lexical_index import PlainLexicalIndex

# Words that the fake's analyser and Snowball treat alike.
WORDS = st.sampled_from(["red", "fox", "hill", "c", "x1", "read_me", "42", "the"])
TEXTS = st.lists(st.lists(WORDS, max_size=12).map(" ".join), max_size=20)


@given(TEXTS, st.lists(WORDS, max_size=5).map(" ".join), st.integers(1, 8), st.data())
def test_it_equals_the_formula(texts: list[str], query: str, k: int, data: st.DataObject) -> None:
    mask = st.lists(st.booleans(), min_size=len(texts), max_size=len(texts))
    allowed = np.array(data.draw(mask), dtype=np.bool_)
    index, plain = Bm25sLexicalIndex.build(texts), PlainLexicalIndex(texts)
    (found,), (expected,) = index.search([query], k, allowed), plain.search([query], k, allowed)
    # Weights are float32, so that near ties may fall otherwise; the scores in order may not.
    np.testing.assert_allclose(found.scores, expected.scores, rtol=1e-5, atol=3e-6)
    order = list(zip((-found.scores).tolist(), found.ids.tolist(), strict=True))
    assert order == sorted(order)


def test_words_are_what_the_analyser_says() -> None:
    index = Bm25sLexicalIndex.build(["Running in C, read_file(x) 42 times", "ÉTÉ is here"])
    for query in ["run", "runs", "c", "read_file", "X", "42", "time"]:
        assert index.search([query], 1)[0].ids.tolist() == [0], query
    assert index.search(["été"], 1)[0].ids.tolist() == [1]
    for query in ["read", "file", "in", "is"]:
        assert index.search([query], 1)[0].ids.tolist() == [], query


def test_it_comes_back_from_disk_and_the_bytes_are_the_same_each_time(tmp_path: Path) -> None:
    texts = ["red apple", "apple pear", "pear pear plum"] * 20
    for name in ("x", "y"):
        (tmp_path / name).mkdir()
        Bm25sLexicalIndex.build(iter(texts)).save(tmp_path / name)
    for path in (tmp_path / "x").iterdir():
        assert path.read_bytes() == (tmp_path / "y" / path.name).read_bytes()
    loaded, built = Bm25sLexicalIndex.load(tmp_path / "x"), Bm25sLexicalIndex.build(texts)
    for query in ["pear", "plum apples", "fig"]:
        (found,), (expected,) = loaded.search([query], 9), built.search([query], 9)
        assert found.ids.tolist() == expected.ids.tolist()
        assert found.scores.tolist() == expected.scores.tolist()


def test_files_that_do_not_fit_are_damage(tmp_path: Path) -> None:
    Bm25sLexicalIndex.build(["red apple", "pear"]).save(tmp_path)
    whole = {path: path.read_bytes() for path in tmp_path.iterdir()}
    assert len(whole) == 5
    for path, data in whole.items():
        for damage in (b"", b"{}", data[: len(data) // 2], pickle.dumps([1])):
            path.write_bytes(damage)
            with pytest.raises(CorruptIndex, match="'docs'"):
                Bm25sLexicalIndex.load(tmp_path, "docs")
        path.unlink()
        with pytest.raises(CorruptIndex, match="No such file"):
            Bm25sLexicalIndex.load(tmp_path)
        path.write_bytes(data)
    about = json.loads((tmp_path / "lexical_terms.json").read_text())
    (tmp_path / "lexical_terms.json").write_text(json.dumps(about | {"analyser": "other"}))
    with pytest.raises(CorruptIndex, match="analyser"):
        Bm25sLexicalIndex.load(tmp_path)


def test_threads_find_what_one_finds() -> None:
    index = Bm25sLexicalIndex.build([f"word{number % 7} running hills" for number in range(200)])
    queries = [f"runs word{number % 9}" for number in range(200)]
    alone = [ranking.ids.tolist() for ranking in index.search(queries, 5)]
    with ThreadPoolExecutor(8) as pool:
        found = pool.map(lambda query: index.search([query], 5)[0].ids.tolist(), queries)
        assert list(found) == alone
