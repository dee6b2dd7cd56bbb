"""HTML report of a comparison of configurations. The page has no script and loads nothing from elsewhere.

All text from outside (queries, answers, documents, names) is escaped, and a content security policy in the
page forbids scripts.
"""

from collections.abc import Mapping, Sequence
from html import escape

from contextsvc.measuring.comparison import Comparison, ConfigurationResult, UsedThreshold
from contextsvc.pages.report_queries import minus, query_section
from contextsvc.pages.report_style import STYLE
from contextsvc.records.json import Json

_POLICY = "default-src 'none'; style-src 'unsafe-inline'"


def report_page(comparison: Comparison, queries: Sequence[Json], pictures: Mapping[str, str]) -> str:
    """Return the HTML page: headline, recommendation, table, charts, controls, method and queries.

    Args:
        comparison: The comparison to show.
        queries: Rows of `compare_configurations` under `comparison.shown`. A row holds a query with its pack
            and utilization (the share of its tokens that influenced the answer), or why the query was
            skipped.
        pictures: SVG elements by name, which are inserted unchanged. If there are none, the page has no
            charts.
    """
    title = f"Context utilization of {escape(comparison.index)}"
    parts = [
        _head(comparison, title),
        _configurations(comparison),
        _pictures(pictures),
        _controls(comparison),
        _method(comparison),
        _queries(comparison, queries),
    ]
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{title}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n"
        + "\n".join(part for part in parts if part)
        + "\n</body>\n</html>\n"
    )


def _head(comparison: Comparison, title: str) -> str:
    found = comparison.shown
    number = "no score"
    interval = "no query was measured completely"
    if found.score is not None and found.score_interval is not None:
        low, high = found.score_interval
        number, interval = f"{100 * found.score:.0f} %", f"[{100 * low:.0f}, {100 * high:.0f}]"
    over = f"mean over {_count(found.num_queries - found.num_unscored, 'query', 'queries')}"
    left_out = f"; {found.num_unscored} partly measured not counted" if found.num_unscored else ""
    return (
        f"<header>\n<h1>{title}</h1>\n"
        f'<p class="headline"><b>{number}</b> <span>{interval}</span></p>\n'
        f"<p>of the tokens sent influenced the answer, with the configuration <b>{_name(found)}</b> ({over}, "
        f"95 % bootstrap interval{left_out}).</p>\n"
        f'<p class="advice">{_advice(comparison)}</p>\n</header>'
    )


def _advice(comparison: Comparison) -> str:
    if comparison.recommended is not None:
        return f"<b>Use {escape(comparison.recommended)}.</b> {_sentence(comparison.reason)}"
    if len(comparison.results) == 1:
        return (
            f"<b>No recommendation.</b> {_sentence(comparison.reason)} Measure the same queries with at "
            f"least one more configuration, with fewer chunks or a smaller budget: see "
            f"<code>contextsvc measure --help</code>."
        )
    return f"<b>No recommendation: keep {escape(comparison.widest)}.</b> {_sentence(comparison.reason)}"


def _configurations(comparison: Comparison) -> str:
    heads = (
        '<th class="number">#</th><th>configuration</th><th class="number">tokens per query</th>'
        '<th class="number">utilization</th><th class="number">quality</th><th>compared with the widest</th>'
    )
    rows = [_row(comparison, number, found) for number, found in enumerate(comparison.results, start=1)]
    note = (
        f"Brackets: 95 % bootstrap intervals over queries. Quality: {_quality_unit(comparison)}, for a "
        f"target that is the same in every configuration. A query loses if its quality is more than "
        f"{comparison.margin:g} below that of the widest configuration."
    )
    return (
        f'<section>\n<h2>Configurations</h2>\n<div class="wide"><table>\n<tr>{heads}</tr>\n'
        + "\n".join(rows)
        + f'\n</table></div>\n<p class="quiet">{note}</p>\n</section>'
    )


def _row(comparison: Comparison, number: int, found: ConfigurationResult) -> str:
    made, pairs = found.configuration, found.against_widest
    most = f"{_count(made.max_chunks, 'chunk', 'chunks')}, {_count(made.budget_tokens, 'token', 'tokens')}"
    quality = minus(f"{found.quality:.3f}")
    badge, css = "", ""
    if len(comparison.results) > 1 and made.name == comparison.widest:
        badge, against = ' <span class="badge">widest</span>', "reference"
    else:
        needed = f": {pairs.num_needed:,} queries needed" if pairs.num_needed else ""
        against = (
            f"{pairs.verdict}{needed}<br><small>{pairs.num_losses} of {pairs.num_pairs} queries lose; "
            f"upper bound {100 * pairs.loss_bound:.1f} %</small>"
        )
    if len(comparison.results) == 1:
        against = "no other configuration"
    if made.name == comparison.recommended:
        badge, css = ' <span class="badge best">recommended</span>', ' class="best"'
    score = "–" if found.score is None else f"{100 * found.score:.0f} %"
    return (
        f'<tr{css}><td class="number">{number}</td><td class="name">{_name(found)}{badge}'
        f"<br><small>at most {most}, {escape(made.ordering)}</small></td>"
        f'<td class="number">{found.tokens:,.0f}{_interval(found.tokens_interval, "{:,.0f}")}</td>'
        f'<td class="number">{score}{_interval(found.score_interval, "{:.0f}", 100)}</td>'
        f'<td class="number">{quality}{_interval(found.quality_interval, "{:.3f}")}</td>'
        f"<td>{against}</td></tr>"
    )


def _pictures(pictures: Mapping[str, str]) -> str:
    if not pictures:
        return ""
    figures = "\n".join(f"<figure>{svg}</figure>" for svg in pictures.values())
    return f"<section>\n<h2>Charts</h2>\n{figures}\n</section>"


def _controls(comparison: Comparison) -> str:
    rows = "\n".join(
        f'<tr><td class="number">{number}</td><td class="name">{_name(found)}</td>'
        f'<td class="number">{_share(found.placebo_rate, "no placebo", 1)}</td>'
        f'<td class="number">{_share(found.share_dependent, "unknown")}</td>'
        f'<td class="number">{_share(found.share_sufficient, "no live chunk")}</td>'
        f'<td class="number">{found.num_queries - found.num_unscored:,} of {found.num_queries:,}</td>'
        f'<td class="number">{found.cost.reader_calls:,}</td>'
        f'<td class="number">{found.cost.reader_tokens:,}</td>'
        f'<td class="number">{found.cost.seconds:,.1f}</td></tr>'
        for number, found in enumerate(comparison.results, start=1)
    )
    return (
        '<section>\n<h2>Controls and cost</h2>\n<div class="wide"><table>\n<tr><th class="number">#</th>'
        '<th>configuration</th><th class="number">placebos<br>judged live</th>'
        '<th class="number">answer depends<br>on the context</th>'
        '<th class="number">live chunks<br>suffice</th>'
        '<th class="number">measured<br>completely</th><th class="number">reader<br>calls</th>'
        '<th class="number">reader<br>tokens</th><th class="number">seconds</th></tr>\n'
        f"{rows}\n</table></div>\n"
        '<p class="quiet">Placebos are chunks without relation to the question; at most 5 % of them should '
        "be judged live. If an answer does not depend on the context, no token counts as used.</p>\n"
        "</section>"
    )


def _method(comparison: Comparison) -> str:
    lines = [
        ("index", escape(comparison.index)),
        ("generation", escape(comparison.generation)),
        ("reader", escape(comparison.reader)),
        ("method", escape(comparison.method)),
        ("quality and effects", _quality_unit(comparison)),
        *(_threshold(comparison, used) for used in comparison.thresholds),
        ("margin for a query", f"{comparison.margin:g}"),
        ("accepted share of losing queries", f"{100 * comparison.largest_share:.3g} %"),
    ]
    listed = "\n".join(f"<dt>{name}</dt><dd>{value}</dd>" for name, value in lines)
    return (
        f"<section>\n<h2>Method</h2>\n<dl>\n{listed}\n</dl>\n"
        '<p class="quiet">A score describes this reader; another model may use the context differently. '
        "Each comparison with the widest configuration is wrong in at most one case of twenty. If much "
        "depends on it, confirm the recommended configuration with other queries.</p>\n</section>"
    )


def _threshold(comparison: Comparison, used: UsedThreshold) -> tuple[str, str]:
    unit = "nats per token" if comparison.outcome == "log-probability" else "of likeness"
    eps = f"{used.lowest_eps:.3f}"
    if used.num_thresholds > 1:
        eps = f"{eps} to {used.highest_eps:.3f}"
    where = "calibrated on this generation" if used.calibrated else "not calibrated on this generation"
    return (
        f"threshold with {escape(used.target_kind)} as target",
        f"{eps} {unit}, {_count(used.num_placebos, 'placebo', 'placebos')}: {escape(used.origin)} ({where})",
    )


def _queries(comparison: Comparison, queries: Sequence[Json]) -> str:
    if not queries:
        return ""
    sections = "\n".join(query_section(row, comparison.outcome) for row in queries)
    return f"<section>\n<h2>Queries with {_name(comparison.shown)}</h2>\n{sections}\n</section>"


def _name(found: ConfigurationResult) -> str:
    return escape(found.configuration.name)


def _sentence(text: str) -> str:
    return f"{escape(text[:1].upper() + text[1:])}."


def _quality_unit(comparison: Comparison) -> str:
    if comparison.outcome == "log-probability":
        return "mean log-probability per token in nats (closer to 0 is better)"
    return "likeness of the reader's own answer to the target, 0 to 1 (higher is better)"


def _interval(interval: tuple[float, float] | None, form: str, scale: float = 1) -> str:
    if interval is None:
        return ""
    low, high = (minus(form.format(scale * end)) for end in interval)
    return f"<br><small>[{low}, {high}]</small>"


def _share(share: float | None, missing: str, decimals: int = 0) -> str:
    return missing if share is None else f"{100 * share:.{decimals}f} %"


def _count(number: int, one: str, many: str) -> str:
    return f"{number:,} {one if number == 1 else many}"
