"""`contextsvc index build --resume | update | rollback | gc`, on real files, with a fake model."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from contextsvc.cli.sources import Sources
from contextsvc.indexing.changes import Progress
from contextsvc.settings import Settings
from contextsvc.storage.corpus.files import Entry
from contextsvc.storage.generation import current
from tests.cli.test_cli import ran
from tests.world import fake_parts

Run = Callable[..., dict[str, Any]]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three files in `docs` under the working directory, and a command line without a model."""
    monkeypatch.chdir(tmp_path)
    for module in ("contextsvc.wiring", "contextsvc.wiring.interface"):
        monkeypatch.setattr(f"{module}.build_index_parts", lambda _: fake_parts())
    made = tmp_path / "docs"
    made.mkdir()
    for name in ("one", "two", "three"):
        (made / f"{name}.md").write_text(f"# {name}\n\nThis is page {name}. It has two sentences.\n")
    (made / "faq.jsonl").write_text('{"doc_id": "q1", "text": "A question. An answer."}\n')
    return made


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    def ask(*arguments: str) -> dict[str, Any]:
        assert ran(*arguments, "--json") == 0, capsys.readouterr().err
        view: dict[str, Any] = json.loads(capsys.readouterr().out)
        return view

    return ask


def counts(view: dict[str, Any]) -> tuple[int, ...]:
    return tuple(view[f"num_{kind}"] for kind in ("added", "replaced", "unchanged", "deleted", "documents"))


def test_files_that_change_come_and_go(folder: Path, run: Run) -> None:
    assert run("index", "build", "docs", "--index", "mine")["num_documents"] == 4
    (folder / "one.md").write_text("# one\n\nThis is page one, rewritten.\n")
    (folder / "four.md").write_text("# four\n\nA new page.\n")
    (folder / "two.md").unlink()
    (folder / "faq.jsonl").write_text('{"doc_id": "q2", "text": "Another question."}\n')
    assert counts(run("index", "update", "mine", "docs")) == (2, 1, 1, 0, 6)
    assert counts(run("index", "update", "mine", "docs", "--prune")) == (0, 0, 4, 2, 4)
    view = run("index", "update", "mine", "docs", "--prune")
    assert (counts(view), view["changed"]) == ((0, 0, 4, 0, 4), False)
    assert counts(run("index", "update", "mine", "--delete", "q2", "--delete", "docs/four.md"))[3:] == (2, 2)


def test_pruning_leaves_alone_what_is_elsewhere_or_only_skipped(folder: Path, run: Run) -> None:
    (folder.parent / "notes.txt").write_text("A note beside the folder.")
    run("index", "build", "docs", "notes.txt", "--index", "mine")
    (folder / "one.md").write_bytes(b"\xff\xfe\x00bad\x81")  # cannot be read this time
    (folder / "three.md").unlink()
    view = run("index", "update", "mine", "docs", "--prune")
    assert [item["source"] for item in view["skipped"]] == ["docs/one.md"]
    assert counts(view) == (0, 0, 2, 1, 4)


def test_back_and_forth_and_collected(folder: Path, run: Run, tmp_path: Path) -> None:
    first = run("index", "build", "docs", "--index", "mine")["generation"]
    second = run("index", "update", "mine", "--delete", "q1")["generation"]
    assert run("index", "rollback", "mine")["generation"] == first == current(tmp_path / "indexes", "mine")
    assert run("index", "rollback", "mine", second)["generation"] == second
    assert run("index", "gc", "mine", "--keep", "1")["removed"] == [first]
    assert run("index", "check", "mine")["sound"]
    assert folder.exists()


def test_the_number_to_keep_is_a_setting(folder: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONTEXTSVC_KEEP_GENERATIONS", "1")
    run("index", "build", "docs", "--index", "mine")
    run("index", "update", "mine", "--delete", "q1")
    assert ran("index", "rollback", "mine") == 1
    assert folder.exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["update", "mine"], "nothing to do"),
        (["update", "mine", "--prune"], "nothing to do"),
        (["update", "mine", "--delete", "q1", "--prune"], "--prune needs the sources"),
        (["update", "mine", "--delete", "nope"], "no document 'nope'"),
        (["update", "other", "docs"], "no index 'other'"),
        (["rollback", "mine"], "no generation before"),
        (["rollback", "other"], "no index 'other'"),
        (["gc", "mine", "--keep", "0"], "--keep is 0"),
    ],
)
def test_what_the_caller_can_mend(
    folder: Path, run: Run, arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    run("index", "build", "docs", "--index", "mine")
    assert ran("index", *arguments) == 1
    assert said in " ".join(capsys.readouterr().err.split())
    assert folder.exists()


def test_for_a_person(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert ran("index", "build", "docs", "--index", "mine") == 0
    assert ran("index", "build", "docs", "--index", "mine", "--resume") == 0
    assert ran("index", "update", "mine", "--delete", "q1") == 0
    assert ran("index", "gc", "mine") == 0
    assert ran("index", "rollback", "mine") == 0
    said = capsys.readouterr().out
    for expected in ("4 documents", "(unchanged: it was already current)", "0 added, 0 replaced, 1 deleted",
                     "mine: removed nothing", "mine is now at 00000001-"):  # fmt: skip
        assert expected in said
    assert folder.exists()


def test_a_build_that_is_stopped_says_how_to_go_on_and_does(
    folder: Path, run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("contextsvc.indexing.build.BATCH_CHARS", 1)

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as stopping:
        stopping.setattr("contextsvc.indexing.build.record_probes", stop)  # when all parts are finished
        assert ran("index", "build", "docs", "--index", "mine") == 1
    assert "with --resume to continue" in capsys.readouterr().err
    assert run("index", "list")["indexes"] == []
    view = run("index", "build", "docs", "--index", "mine", "--resume")
    assert (view["num_reused"], view["num_embedded"], view["num_documents"]) == (4, 0, 4)
    assert folder.exists()


def test_the_time_left_follows_from_what_was_read(folder: Path) -> None:
    sources = Sources(Settings(), [str(folder)])
    assert sum(1 for _ in sources.documents()) == 4
    done = Progress(num_documents=1, num_chars=sources._read_chars // 2)
    done.started -= 60
    assert sources.remaining(done) in (f", about 1 min {s} s left of embedding" for s in (0, 1))  # rounded
    done.started += 59
    assert sources.remaining(done) == ""  # too early to tell
    assert Sources(Settings(), ["python-reference"]).remaining(done) == ""


def test_what_was_read_from_a_source_lies_in_it(folder: Path) -> None:
    def entry(source: str) -> Entry:
        return Entry(
            doc_id="d", title="", source=source, format="plain", metadata={}, content_hash="",
            first_byte=0, end_byte=0, first_chunk=0, end_chunk=0, first_sentence=0, end_sentence=0,
            title_row=-1,
        )  # fmt: skip

    sources = Sources(Settings(), ["docs", "docs/faq.jsonl"])
    assert folder.exists()
    for source, gone in (("docs/a.md", True), ("docs/faq.jsonl:3", True), ("docs2/a.md", False), ("", False)):
        assert sources.gone(entry(source)) is gone
    assert Sources(Settings(), ["."]).gone(entry("a.md"))
    assert not Sources(Settings(), ["docs"]).gone(entry("https://example.org"))
