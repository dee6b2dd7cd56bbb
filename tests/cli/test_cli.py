"""The command line: its output, its errors and its exit codes. Runs the real command functions."""

import json
import logging
from pathlib import Path
from typing import Any

import pytest

from contextsvc.cli.main import run
from contextsvc.cli.measure import grid, read_queries
from contextsvc.cli.pack_output import print_pack
from contextsvc.errors import UnknownChoice, UserError
from tests.conftest import Build
from tests.fakes.cache import MemoryCache
from tests.world import fake_engine

ASK: dict[str, Any] = {
    "index": "pages",
    "query": "snapshot of the cluster",
    "budget_tokens": 200,
    "max_chunks": 2,
}


def ran(*arguments: str) -> int:
    with pytest.raises(SystemExit) as left:
        run(list(arguments))
    assert isinstance(left.value.code, int)
    return left.value.code


def test_the_version_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert ran("--version") == 0
    assert capsys.readouterr().out == "0.1.0\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nope"], "No such command"),
        (["pack", "query"], "--index"),
        (["index", "show", "nope", "--root", "ROOT"], "no index 'nope'"),
        (["index", "check", "../x", "--root", "ROOT"], "is not an index name"),
        (["index", "build", "/nowhere/at/all", "--index", "x", "--root", "ROOT"], "no such file or folder"),
        (["pack", "q", "--index", "pages", "--filters", "{"], "not JSON"),
        (["pack", "q", "--index", "pages", "--filters", "[]"], "JSON object"),
        (["measure", "--index", "x", "--queries", "/nowhere.jsonl", "--out", "x"], "cannot read the queries"),
    ],
)
def test_a_wrong_command_exits_with_1(
    arguments: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ran(*[str(tmp_path) if a == "ROOT" else a for a in arguments]) == 1
    captured = capsys.readouterr()
    assert said in " ".join(captured.err.split())
    assert "Traceback" not in captured.err


def test_a_report_folder_that_cannot_be_made_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "queries.jsonl").write_text('{"query": "backup"}\n')
    (tmp_path / "report").write_text("a file")
    out = str(tmp_path / "report")
    assert ran("measure", "--index", "x", "--queries", str(tmp_path / "queries.jsonl"), "--out", out) == 1
    said = " ".join(capsys.readouterr().err.split())
    assert f"the folder {out} cannot be made: File exists" in said
    assert "Traceback" not in said


def test_no_question_is_refused_before_anything_is_loaded(capsys: pytest.CaptureFixture[str]) -> None:
    assert ran("calibrate", "--index", "x", "--num-questions", "0") == 1
    assert "--num-questions" in capsys.readouterr().err


COMMANDS = [
    ["serve"],
    ["pack", "q", "--index", "pages"],
    ["calibrate", "--index", "pages"],
    ["index", "list"],
    ["index", "show", "pages"],
    ["index", "check", "pages"],
    ["index", "gc", "pages"],
    ["index", "rollback", "pages"],
    ["index", "build", "python-reference", "--index", "pages"],
    ["index", "update", "pages", "--delete", "x"],
    ["assets", "list"],
    ["assets", "pull"],
]


@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
def test_wrong_settings_are_the_operators_and_exit_with_2(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CONTEXTSVC_PORT", "high")
    monkeypatch.setenv("CONTEXTSVC_ORDERING", "random")
    assert ran(*arguments) == 2
    said = capsys.readouterr().err
    assert "CONTEXTSVC_PORT is 'high'; expected a whole number" in said
    assert "CONTEXTSVC_ORDERING is 'random'; expected relevance, document or edges" in said


def test_a_factory_string_is_tried_before_a_model_is_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CONTEXTSVC_HOME", str(tmp_path))  # a model would be missing
    monkeypatch.setenv("CONTEXTSVC_APPROXIMATE_INDEX", "IVF{lists},SQ9")
    (tmp_path / "a.txt").write_text("A text.")
    for command in (["serve"], ["index", "build", str(tmp_path / "a.txt"), "--index", "pages"]):
        assert ran(*command, "--root", str(tmp_path / "indexes")) == 2
        assert "SQ9' is not a factory string of FAISS" in capsys.readouterr().err


def test_a_port_on_the_command_line_is_the_callers(capsys: pytest.CaptureFixture[str]) -> None:
    assert ran("serve", "--port", "65536") == 1
    said = capsys.readouterr().err
    assert "--port" in said
    assert "65535" in said


def test_the_service_starts_beside_service_links(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for name, value in (("PORT", "tcp://10.0.0.1:80"), ("SERVICE_HOST", "10.0.0.1"), ("SERVICE_PORT", "80")):
        monkeypatch.setenv(f"CONTEXTSVC_{name}", value)
    served = []
    monkeypatch.setattr("contextsvc.wiring.build_engine", lambda settings: fake_engine(settings.root))
    monkeypatch.setattr("uvicorn.run", lambda _, **given: served.append((given["host"], given["port"])))
    caplog.set_level(logging.INFO)
    assert ran("serve", "--root", str(tmp_path)) == 0
    assert served == [("127.0.0.1", 8000)]
    assert [r.name for r in caplog.records].count("contextsvc.settings") == 1


def test_indexes_are_listed_shown_and_checked(
    build: Build, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    build()
    assert ran("index", "list", "--root", str(tmp_path)) == 0
    assert "pages" in capsys.readouterr().out
    assert ran("index", "list", "--root", str(tmp_path), "--json") == 0
    (row,) = json.loads(capsys.readouterr().out)["indexes"]
    assert (row["name"], row["documents"], row["state"]) == ("pages", 8, "sound")
    assert ran("index", "show", "pages", "--root", str(tmp_path)) == 0
    assert "never measured" in capsys.readouterr().out
    assert ran("index", "check", "pages", "--root", str(tmp_path)) == 0
    assert "sound" in capsys.readouterr().out


def test_a_damaged_index_leaves_with_2_and_is_named(
    build: Build, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    build()
    (texts,) = (tmp_path / "pages" / "generations").glob("*/texts.utf8")
    texts.chmod(0o644)
    texts.write_bytes(texts.read_bytes()[:-1])
    assert ran("index", "check", "pages", "--root", str(tmp_path), "--json") == 2
    captured = capsys.readouterr()
    assert json.loads(captured.out)["sound"] is False
    assert "texts.utf8" in captured.err


def test_an_empty_root_says_how_to_build(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert ran("index", "list", "--root", str(tmp_path / "none")) == 0
    assert "contextsvc index build" in capsys.readouterr().err


@pytest.fixture
def view(build: Build, tmp_path: Path) -> dict[str, Any]:
    build()
    ask = {**ASK, "measure": True, "response": "every night", "explain": True}
    return fake_engine(tmp_path, MemoryCache()).context(**ask)


def test_a_pack_is_printed_for_a_person(view: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    print_pack(view, "http://127.0.0.1:8000", ASK)
    said = capsys.readouterr().out
    for expected in (
        "query   snapshot of the cluster",
        "[1] Backup",
        "pages/backup.txt  0-70",
        "live (+2.000)",
        "dead (+0.000)",
        "utilization",
        "threshold    0.100 nats/token [0.100, 0.100]: 95 % of 200 placebos (uncalibrated: by hand)",
        "near_duplicate",
        "curl -s http://127.0.0.1:8000/v1/context",
        '{"index": "pages", "query": "snapshot of the cluster", "budget_tokens": 200, "max_chunks": 2}',
    ):
        assert expected in said


def test_a_trimmed_pack_is_printed_with_its_spans(
    build: Build, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    build()
    ask = {**ASK, "budget_tokens": 18, "trim": True, "response": "every night", "measure": True}
    ask["sentences"] = True
    print_pack(fake_engine(tmp_path, MemoryCache()).context(**ask), "http://127.0.0.1:8000", ask)
    said = capsys.readouterr().out
    assert "pages/backup.txt  0-43  " in said
    assert "    > live (+2.000)  Take a snapshot of the cluster every night.\n" in said
    assert '"max_chunks": 2, "trim": true, "response"' in said


def test_both_spans_of_a_chunk_and_the_sentence_behind_the_mark_are_printed(
    view: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    chunk = view["chunks"][0]
    chunk.update(
        spans=[[0, 43], [90, 104]],
        end=104,
        text="Take a snapshot of the cluster every night.\n…\nKeep two more.",
    )
    view["utilization"]["sentences"] = [
        {"chunk_id": chunk["chunk_id"], "start": 90, "end": 104, "effect": 0.0, "verdict": "dead"}
    ]
    print_pack(view, "http://127.0.0.1:8000", ASK)
    said = capsys.readouterr().out
    assert "pages/backup.txt  0-43, 90-104  " in said
    assert "    | …\n    | Keep two more.\n    > dead (+0.000)  Keep two more.\n" in said


def test_the_request_for_the_service_says_exact(
    view: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    print_pack(view, "http://127.0.0.1:8000", {**ASK, "exact": True})
    assert '"max_chunks": 2, "exact": true}' in capsys.readouterr().out


def test_what_nothing_answers_is_said_in_a_line(
    build: Build, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    build()
    engine = fake_engine(tmp_path, MemoryCache())
    # Of two terms the better chunk holds one, the lesser: see tests/test_answerability.py.
    line = (
        "nothing in the index seems to answer the query: "
        "score 0.164, at least 0.5 expected (CONTEXTSVC_ANSWERABLE)"
    )
    empty = "Nothing in the index seems to answer the query, and --answerable-only is set: the pack is empty."
    said = []
    asks = [ASK, {**ASK, "query": "snapshot zebras"}]
    for ask in (*asks, {**asks[1], "answerable_only": True}):
        print_pack(engine.context(**ask), "http://127.0.0.1:8000", ask)
        said.append(" ".join(capsys.readouterr().out.split()))
    assert [line in text for text in said] == [False, True, True]
    assert [empty in text for text in said] == [False, False, True]
    assert ['"answerable_only": true' in text for text in said] == [False, False, True]


def test_a_filter_that_allows_nothing_is_said_instead(
    build: Build, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    build()
    engine, said = fake_engine(tmp_path, MemoryCache()), []
    for name in ("backup", "nowhere"):
        ask = {**ASK, "filters": {"field": "doc_id", "eq": name}, "answerable_only": True}
        print_pack(engine.context(**ask), "http://127.0.0.1:8000", ask)
        said.append(capsys.readouterr().out)
    assert "filter  allows 1 document\n" in said[0]
    assert "filter  allows no document\n" in said[1]
    assert "No document of the index passes the filter: the pack is empty." in said[1]
    assert "nothing in the index seems to answer" not in said[1]


def test_a_grid_is_every_combination_widest_first() -> None:
    found = [(c.name, c.max_chunks, c.budget_tokens) for c in grid([1, 6, 1], [400, 800], ["relevance"])]
    assert found == [
        ("6 chunks, 800 tokens", 6, 800),
        ("1 chunk, 800 tokens", 1, 800),
        ("6 chunks, 400 tokens", 6, 400),
        ("1 chunk, 400 tokens", 1, 400),
    ]
    assert grid([1], [400], ["edges", "relevance"])[0].name == "1 chunk, 400 tokens, edges"
    with pytest.raises(UnknownChoice, match="ordering"):
        grid([1], [400], ["nope"])


def test_queries_are_read_and_bad_lines_named(tmp_path: Path) -> None:
    path = tmp_path / "q.jsonl"
    path.write_text('{"query": "a"}\n\n{"query": "b", "response": "c"}\n')
    assert list(read_queries(path)) == [("a", None), ("b", "c")]
    for line in ("nope", "{}", '{"query": 1}', '{"query": "a", "response": 1}', "[]"):
        path.write_text('{"query": "a"}\n' + line)
        with pytest.raises(UserError, match=r"q.jsonl:2: expected"):
            list(read_queries(path))
