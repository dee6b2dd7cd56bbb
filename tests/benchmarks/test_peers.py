"""What is said to a side and read from it, and what the figures make of it."""

import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace

from benchmarks.build import Measured, own_figures, peer_figures
from benchmarks.peers import running
from benchmarks.peers.protocol import Passage, Text, placed, read_texts, write_texts
from benchmarks.peers.running import Running, peers_python
from benchmarks.peers.worker import Desk, cut_tokens


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A model folder with a window of three words and a tokenizer that knows words."""
    tokenizer = Tokenizer(WordLevel({"?": 0, "a": 1}, unk_token="?"))
    tokenizer.pre_tokenizer = Whitespace()
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    (tmp_path / "sentence_bert_config.json").write_text('{"max_seq_length": 3}')
    return tmp_path


class Words:
    """A side: every document a chunk, the best the one with most words of the query."""

    packages: tuple[str, ...] = ("pytest",)

    def build(self, documents: Iterable[Text]) -> int:
        """Keep them."""
        self.texts = list(documents)
        return len(self.texts)

    def embedded(self) -> Iterator[str]:
        """All of them."""
        return (text.text for text in self.texts)

    def ask(self, query: str, k: int) -> list[Passage]:
        """By words in common."""
        scored = [(len({*text.text.split()} & {*query.split()}), text) for text in self.texts]
        best = sorted(scored, key=lambda pair: (-pair[0], pair[1].doc_id))[:k]
        return [Passage(text.doc_id, text.text, float(score)) for score, text in best]


class Packer(Words):
    """Words of the best documents, as many as the budget has tokens."""

    def pack(self, query: str, budget_tokens: int) -> tuple[list[Passage], int]:
        """A document takes a token."""
        found = self.ask(query, budget_tokens)
        return found, len(found)


DOCUMENTS = [Text("one", "a a a a a", "One"), Text("two", "a b", "Two", "markdown")]


def test_documents_survive_their_file(tmp_path: Path) -> None:
    assert write_texts(tmp_path / "documents", DOCUMENTS) == 2
    assert list(read_texts(tmp_path / "documents")) == DOCUMENTS
    assert write_texts(tmp_path / "none", []) == 0


def test_tokens_past_the_window_are_counted_as_cut(model: Path) -> None:
    # 5 of which 3 fit, 2 of which all do, none
    assert cut_tokens(["a a a a a", "a b", ""], model) == (7, 2)


def test_a_side_is_asked_for_all_that_a_figure_needs(model: Path, tmp_path: Path) -> None:
    write_texts(tmp_path / "documents", DOCUMENTS)
    desk = Desk(Words(), model)
    built = desk.build({"documents": str(tmp_path / "documents"), "vectors": None})
    assert (built["num_documents"], built["num_chunks"]) == (2, 2)
    assert built["seconds"] > 0
    assert built["peak_mib"] > 1
    told = desk.embedded({"into": str(tmp_path / "embedded")})
    assert told == {"num_texts": 2, "num_tokens": 7, "num_cut_tokens": 2}
    assert [text.text for text in read_texts(tmp_path / "embedded")] == ["a a a a a", "a b"]
    answer = desk.ask({"queries": ["b", "a"], "k": 1})
    assert [found[0]["doc_id"] for found in answer["answers"]] == ["two", "one"]
    assert len(answer["seconds"]) == 2
    assert [(found[0]["start"], found[0]["end"]) for found in answer["answers"]] == [(0, 3), (0, 9)]


def test_texts_are_looked_up_in_the_documents_of_the_last_build(model: Path, tmp_path: Path) -> None:
    desk = Desk(Words(), model)
    for number, text in enumerate(["a first", "a second one"]):
        write_texts(tmp_path / str(number), [Text("same", text)])
        desk.build({"documents": str(tmp_path / str(number)), "vectors": None})
        assert desk.ask({"queries": ["a"], "k": 1})["answers"][0][0]["end"] == len(text)


@pytest.mark.parametrize(
    ("text", "start", "expected"),
    [
        ("two", 8, (8, 11)),  # as told, though it occurs before
        ("two", None, (None, None)),  # twice, and which is not told
        ("two", 5, (None, None)),  # told wrongly
        ("one", 5, (0, 3)),  # told wrongly, but it is there once
        ("one", -1, (0, 3)),  # as a search says that found nothing
        ("one  two", 0, (None, None)),  # not as in the document
    ],
)
def test_a_passage_is_placed_where_its_text_is_or_nowhere(
    text: str, start: int | None, expected: tuple[int | None, int | None]
) -> None:
    found = placed(Passage("d", text, 1.0, start, None), "one two two")
    assert (found.start, found.end) == expected
    assert (found.doc_id, found.text, found.score) == ("d", text, 1.0)


def test_a_side_that_makes_packs_is_asked_for_them(model: Path, tmp_path: Path) -> None:
    write_texts(tmp_path / "documents", DOCUMENTS)
    desk = Desk(Packer(), model)
    desk.build({"documents": str(tmp_path / "documents"), "vectors": None})
    said = desk.pack({"queries": ["b", "a"], "budget": 1})
    assert [[passage["doc_id"] for passage in pack] for pack in said["answers"]] == [["two"], ["one"]]
    assert (said["num_tokens"], len(said["seconds"])) == ([1, 1], 2)


def test_a_side_that_makes_none_says_so(model: Path) -> None:
    with pytest.raises(LookupError, match="Words makes no packs; ask it for passages"):
        Desk(Words(), model).pack({"queries": ["b"], "budget": 1})


def test_what_a_side_fails_with_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(running.VARIABLE, sys.executable)
    with (
        pytest.raises(RuntimeError, match="nobody: LookupError: no side 'nobody'; choose from ours, ours-wh"),
        Running("nobody", tmp_path),
    ):
        pass


def test_without_their_environment_peers_are_skipped(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(running, "PEERS_PYTHON", tmp_path / "python")
    monkeypatch.delenv(running.VARIABLE, raising=False)
    assert peers_python() is None
    with pytest.raises(SystemExit, match=r"skipped: llamaindex-plain .* make peers"):
        Running("llamaindex-plain", tmp_path)
    monkeypatch.setenv(running.VARIABLE, sys.executable)
    assert peers_python() == Path(sys.executable)


def test_requirements_are_pinned_and_agree_with_ours() -> None:
    def pins(path: Path) -> dict[str, str]:
        lines = [line.partition("==") for line in path.read_text("utf-8").splitlines() if "==" in line]
        return {name.lower().replace("_", "-"): pinned for name, _, pinned in lines}

    asked = [
        line
        for line in (Path(running.__file__).parent / "requirements.txt").read_text("utf-8").splitlines()
        if line and not line.startswith("#")
    ]
    theirs = pins(Path(running.__file__).parent / "requirements.txt")
    tested = pins(Path(running.__file__).parent / "constraints.txt")
    own = pins(running.HERE / "constraints.txt")
    assert len(theirs) == len(asked)
    assert theirs.items() <= tested.items()
    for name in ("torch", "transformers", "sentence-transformers", "faiss-cpu"):
        assert theirs[name] == own[name]


def measured(seconds: list[float], num_tokens: int, num_cut: int = 0) -> Measured:
    """10 documents."""
    return Measured(
        seconds,
        [100.0 * s for s in seconds],
        {"num_documents": 10, "num_chunks": 20},
        {"num_texts": 30, "num_tokens": num_tokens, "num_cut_tokens": num_cut},
        {"torch": "1"},
    )


def test_figures_are_medians_of_repeats_and_peaks_the_highest() -> None:
    found = own_figures(measured([5.0, 4.0, 10.0], 1000), measured([4.0, 3.6, 9.5], 1000))
    assert found["seconds to build"] == 5
    assert found["documents/s"] == 2
    assert found["peak memory, MiB"] == 1000
    assert found["tokens/s of distinct sentences, end to end"] == 200
    assert found["tokens/s of the bare encoder on the same sentences"] == 250
    assert found["share of the bare encoder's speed"] == pytest.approx(0.9)  # of .8, .9 and .95
    assert found["share of tokens cut by the model's window"] == 0


def test_a_peer_is_held_against_ours() -> None:
    found = peer_figures("them", measured([50.0], 1000, 250), measured([5.0], 1000))
    assert found["them: documents/s"] == pytest.approx(0.2)
    assert found["them: times as fast as that is ours"] == pytest.approx(10)
    assert found["them: share of tokens cut by the model's window"] == 0.25


def test_details_are_plain_json() -> None:
    details = json.loads(json.dumps(measured([5.0], 7).details))
    assert (details["num_chunks"], details["num_tokens"], details["seconds"]) == (20, 7, [5.0])
