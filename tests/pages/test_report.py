"""The report page: what a person reads on it, and that nothing on it can run or call out."""

import re
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

from contextsvc.adapters.charts.comparison_charts import draw
from contextsvc.measuring.comparison import Comparison, UsedThreshold, compare
from contextsvc.measuring.non_inferiority import NonInferiority
from contextsvc.pages.report import report_page
from contextsvc.records.json import Json
from tests.comparisons import comparison, configuration, observations, utilization

VOID = {"meta", "br"}


class Page(HTMLParser):
    """Tags, whether they close in order, attributes and words of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.words: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.words += data.split()

    @property
    def text(self) -> str:
        return " ".join(self.words)


def query(**changes: Any) -> Json:
    """A query whose pack has a live chunk of two sentences and one that was not measured."""
    chunk = {
        "chunk_id": "a@10-25",
        "doc_id": "a",
        "title": "Title",
        "source": "a.md",
        "start": 10,
        "end": 25,
        "spans": [[10, 25]],
        "repeated": [],
        "text": "One & x. Two y.",
    }
    verdict = {"chunk_id": "a@10-25", "effect": 0.5, "verdict": "live", "num_tokens": 1030, "group": None}
    sentence = {"chunk_id": "a@10-25", "start": 10, "end": 18, "effect": 0.4, "verdict": "live"}
    other = {**sentence, "start": 19, "end": 25, "verdict": "dead"}
    found = {
        "score": 0.25,
        "interval": [0.2, 0.3],
        "target": "forty-two",
        "target_kind": "response",
        "note": "",
        "verdicts": [
            verdict,
            {**verdict, "verdict": "unmeasured", "effect": None, "num_tokens": 7, "group": 0},
        ],
        "sentences": [other, sentence],
    }
    empty = {**chunk, "chunk_id": "b@0-15", "title": "", "doc_id": "b-doc"}
    return {
        "query": "what is it?",
        "pack": {"num_tokens": 1037, "chunks": [chunk, empty]},
        "utilization": {**found, **changes},
    }


def page(made: Comparison, queries: list[Json] | None = None, pictures: dict[str, str] | None = None) -> Page:
    return Page(report_page(made, queries or [], pictures or {}))


def test_it_opens_with_the_number_and_the_recommendation() -> None:
    text = page(comparison(["wide", "half"])).text
    assert text.startswith("Context utilization of pages")
    assert (
        "30 % [30, 30] of the tokens sent influenced the answer, with the configuration half (mean over 60 "
        "queries, 95 % bootstrap interval). Use half. 'half' sends 512 tokens a query, 50 % fewer than 'wide'"
    ) in text


def test_the_table_has_a_row_a_configuration() -> None:
    text = page(comparison(["wide", "half"])).text
    assert (
        "1 wide widest at most 4 chunks, 400 tokens, relevance 1,024 [1,024, 1,024] 30 % [30, 30] −1.000 "
        "[−1.000, −1.000] reference 2 half recommended at most 4 chunks, 400 tokens, relevance 512 "
        "[512, 512] 30 % [30, 30] −1.010 [−1.010, −1.010] not inferior 0 of 60 queries lose; upper bound "
        "4.9 %"
    ) in text


def test_controls_and_cost_stand_beside_each_other() -> None:
    # One of two placebos; 60 queries of 3 calls, 400 tokens and half a second.
    assert "2 half 50.0 % 100 % 100 % 60 of 60 180 24,000 30.0" in page(comparison(["wide", "half"])).text


def test_how_it_was_measured_is_told() -> None:
    text = page(comparison(["wide", "half"])).text
    for told in (
        "generation g1 reader reader-1 method masked subsets",
        "mean log-probability per token in nats (closer to 0 is better)",
        "threshold with answer as target 0.100 nats per token, 200 placebos: by hand (not calibrated on this "
        "generation)",
        "margin for a query 0.2 accepted share of losing queries 5 %",
    ):
        assert told in text


def test_thresholds_of_many_packs_and_readers_without_log_probabilities() -> None:
    used = UsedThreshold(
        target_kind="response",
        lowest_eps=0.1,
        highest_eps=0.35,
        num_thresholds=9,
        num_placebos=180,
        origin="drawn in each pack",
        calibrated=True,
    )
    text = page(replace(comparison(), outcome="likeness", thresholds=(used,))).text
    assert (
        "threshold with response as target 0.100 to 0.350 of likeness, 180 placebos: drawn in each pack "
        "(calibrated on this generation)"
    ) in text
    assert "likeness of the reader's own answer to the target, 0 to 1 (higher is better)" in text
    assert "log-probability" not in text


def test_without_a_recommendation_the_widest_is_kept_and_the_need_named() -> None:
    text = page(comparison(["wide", "half"], num_queries=20)).text
    assert (
        "No recommendation: keep wide. Not enough evidence: 20 queries, 59 are needed if 'half' keeps "
        "losing quality at the same rate (0 of 20)."
    ) in text
    assert "with the configuration wide (mean over 20 queries" in text
    assert "not enough evidence: 59 queries needed 0 of 20 queries lose; upper bound 13.9 %" in text


def test_a_single_configuration_says_what_to_run() -> None:
    text = page(comparison(["only"])).text
    assert (
        "No recommendation. Only one configuration was measured: there is nothing to compare it with." in text
    )
    assert "contextsvc measure --help" in text
    assert "no other configuration" in text
    assert "reference" not in text


def test_partial_measurements_are_left_out_and_said() -> None:
    rows = observations([-1.0])
    partial = replace(observations([-1.0])[0], query="q1", utilization=utilization(score=None))
    text = page(compare("pages", "g1", {configuration("only"): [*rows, partial]}, 0.1)).text
    assert "(mean over 1 query, 95 % bootstrap interval; 1 partly measured not counted)." in text
    bare = utilization(score=None, depends=None, sufficient=None)
    bare = replace(bare, controls=replace(bare.controls, placebo_effects=(), num_placebos_live=0))
    text = page(compare("pages", "g1", {configuration("only"): observations([-1.0], 100, bare)}, 0.1)).text
    assert "no score no query was measured completely" in text
    assert "no placebo unknown no live chunk 0 of 1" in text


def test_a_query_shows_its_chunks_and_the_sentences_that_counted() -> None:
    html = report_page(comparison(), [query()], {})
    text = Page(html).text
    assert (
        "Queries with half what is it? 25 % used [20, 30], 1,037 tokens Answer given by the caller: forty-two"
        in text
    )
    assert "1 Title live +0.500 1,030 a.md 10-25" in text
    assert "2 b-doc unmeasured near-duplicate group 1 – 7 a.md 10-25" in text
    assert "<mark>One &amp; x.</mark> Two y.</div>" in html
    assert html.count("<mark>") == 1


def test_queries_that_were_measured_in_part_or_skipped_say_so() -> None:
    rows = [
        query(score=None, note="A limit was reached.", target_kind="answer"),
        {"query": "who?", "skipped": "nothing in the index is near it"},
    ]
    text = page(comparison(), rows).text
    assert "partly measured: 20 to 30 % used" in text
    assert "Answer written by the reader: forty-two A limit was reached." in text
    assert "who? skipped: nothing in the index is near it" in text


def test_sentences_that_do_not_fit_their_chunk_are_not_marked() -> None:
    sentence = {"chunk_id": "a@10-25", "effect": 0.4, "verdict": "live"}
    spans = [(0, 12), (12, 14), (13, 16), (20, 99)]  # before it, fits, overlaps, beyond it
    html = report_page(
        comparison(), [query(sentences=[{**sentence, "start": s, "end": e} for s, e in spans])], {}
    )
    assert re.findall("<mark>.*?</mark>", html) == ["<mark>e </mark>"]
    assert "On<mark>e </mark>&amp; x. Two y." in html


def test_a_trimmed_chunk_says_its_spans_and_marks_what_is_left_of_it() -> None:
    row = query()
    chunk = row["pack"]["chunks"][0]
    chunk.update(text="One & x.\n…\nTwo y.", start=10, end=45, spans=[[10, 18], [39, 45]])
    found = row["utilization"]["sentences"]
    found[0].update(start=39, end=45, verdict="live")
    found.append({**found[0], "start": 20, "end": 30})  # left out
    html = report_page(comparison(), [row], {})
    assert "<small>10-18, 39-45</small>" in html
    assert re.findall("<mark>.*?</mark>", html) == ["<mark>One &amp; x.</mark>", "<mark>Two y.</mark>"]


EVIL = "\"'><script>alert(1)</script><img src=x onerror=alert(1)>"


def test_whatever_came_from_outside_is_escaped() -> None:
    row = query(target=EVIL, note=EVIL)
    row["query"] = EVIL
    for chunk in row["pack"]["chunks"]:
        chunk.update(title=EVIL, doc_id=EVIL, source=EVIL, text=EVIL)
    made = comparison([EVIL, "half"])
    made = replace(
        made,
        index=EVIL,
        generation=EVIL,
        reader=EVIL,
        method=EVIL,
        recommended=None,
        reason=EVIL,
        thresholds=tuple(replace(used, origin=EVIL) for used in made.thresholds),
    )
    html = report_page(made, [row, {"query": EVIL, "skipped": EVIL}], {})
    read = Page(html)
    assert not {"script", "img"} & set(read.tags)
    assert not [name for name, _ in read.attributes if name.startswith("on")]
    assert (
        read.text.count("<script>alert(1)</script>")
        == html.count("&lt;script&gt;alert(1)&lt;/script&gt;")
        > 15
    )


def test_the_page_needs_nothing_else() -> None:
    picture = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1 1"><path d="M 0 0" /></svg>'
    html = report_page(comparison(), [query()], {"utilization": picture})
    read = Page(html)
    assert read.open == []
    assert html.startswith("<!DOCTYPE html>")
    assert f"<figure>{picture}</figure>" in html
    assert not {"script", "link", "img", "iframe", "object", "a"} & set(read.tags)
    assert not {"src", "href", "onclick"} & {name for name, _ in read.attributes}
    assert not re.search(r"@import|url\(", html)
    assert "default-src 'none'" in html
    assert "Charts" not in page(comparison()).text


def test_real_pictures_stand_in_it() -> None:
    made = comparison([EVIL, "half"])
    html = report_page(made, [query()], draw(made))
    read = Page(html)
    assert read.open == []
    assert read.tags.count("svg") == read.tags.count("figure") == 4
    assert not {"script", "img"} & set(read.tags)
    ids = [value for name, value in read.attributes if name == "id"]
    assert len(ids) == len(set(ids)) > 0


def test_an_inferior_configuration_is_named_so() -> None:
    made = comparison(["wide", "half"])
    lost = NonInferiority(
        num_pairs=60, num_losses=30, loss_bound=0.61, largest_share=0.05, verdict="inferior", num_needed=None
    )
    results = (made.results[0], replace(made.results[1], against_widest=lost))
    assert "inferior 30 of 60 queries lose; upper bound 61.0 %" in page(replace(made, results=results)).text
