"""Draw four charts of a comparison with matplotlib, as SVG elements for an HTML page.

Text in a chart remains text and uses fonts of the person's own computer. So every script can be shown, words
can be searched, and a chart needs a quarter of the bytes that letters drawn as outlines would need. Colours
are CSS variables whose default is the light colour, so a page can switch to dark colours.
"""

import re
import warnings
from collections.abc import Callable, Sequence
from io import StringIO
from typing import Any
from xml.etree import ElementTree

from contextsvc.adapters.charts.label_places import place_labels
from contextsvc.errors import MissingExtra
from contextsvc.measuring.comparison import VERDICTS, Comparison, ConfigurationResult

INK, MUTED, GRID, PAPER = "#1f2933", "#52606d", "#dde3e8", "#fdfefe"
BEST, OTHER = "#0072b2", "#7b8794"
VERDICT_COLOURS = {
    "live": "#009e73", "redundant": "#56b4e9", "dead": "#c3cbd3", "harmful": "#d55e00",
    "unmeasured": "#f0e9c8",
}  # fmt: skip
"""Colour of each verdict, from the Okabe-Ito palette.

Colour-blind people can distinguish these colours, and black text is readable on each of them.
"""

_VARIABLES = {INK: "ink", MUTED: "muted", GRID: "grid", PAPER: "paper", BEST: "best", OTHER: "other"}
_SETTINGS = {
    "svg.fonttype": "none", "font.family": "DejaVu Sans", "font.size": 9.5, "text.parse_math": False,
    "text.color": INK, "axes.labelcolor": MUTED, "xtick.color": MUTED, "ytick.color": MUTED,
    "axes.facecolor": "none", "figure.facecolor": "none", "figure.dpi": 72,
}  # fmt: skip
_WIDTH, _ROW, _SIDE, _HEAD, _FOOT = 6.2, 0.5, 0.2, 0.42, 0.5  # inches
_LONGEST_NAME, _MOST_NAMED = 56, 3
_FONTS = "system-ui, -apple-system, 'Segoe UI', Roboto, Helvetica, Arial, sans-serif"
_PERCENTS = ([0, 0.25, 0.5, 0.75, 1], ["0 %", "25 %", "50 %", "75 %", "100 %"])


def draw(comparison: Comparison) -> dict[str, str]:
    """Draw the charts of a comparison and return them as SVG elements by name.

    The names are `utilization`, `quality`, `verdicts` and `cost`, in that order. Utilization is the share of
    a pack's tokens that influenced the answer. Equal comparisons give equal bytes, whatever the user's
    matplotlibrc says. No id occurs in two charts, and no chart refers to anything outside itself. Names of
    more than 56 characters are shortened.

    Raises:
        MissingExtra: matplotlib is not installed.
    """
    try:
        import matplotlib
    except ImportError:
        raise MissingExtra("drawing charts", "report") from None
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
    drawn = {}
    # Only the global rcParams can configure the SVG writer. The context restores their former values.
    with matplotlib.rc_context(), warnings.catch_warnings():
        # The layout font may lack glyphs that the page's font has, so the warning does not matter.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        matplotlib.rcdefaults()
        for name, (title, picture) in _PICTURES.items():
            matplotlib.rcParams.update({**_SETTINGS, "svg.hashsalt": name})
            figure, out = picture(comparison), StringIO()
            wide, high = figure.get_size_inches()
            figure.text(_SIDE / wide, 1 - 0.22 / high, title, size=12.5, weight="bold", va="center")
            FigureCanvasSVG(figure).print_svg(out, metadata=nothing)
            drawn[name] = _as_element(out.getvalue(), name, title)
    return drawn


def _utilization(comparison: Comparison) -> Any:
    figure, (axes,) = _rows(comparison, [(0.0, 1.0)])
    for row, found in enumerate(comparison.results):
        if found.score is None or found.score_interval is None:
            axes.text(0, row, "no query was measured completely", color=MUTED, va="center", size=9)
            continue
        colour, (low, high) = _colour(comparison, found), found.score_interval
        axes.plot([low, high], [row, row], color=colour, lw=2.4, solid_capstyle="round")
        axes.plot([found.score], [row], "o", color=colour, ms=7.5, mec=PAPER, mew=1.2, clip_on=False)
        label = f"{100 * found.score:.0f} %  [{100 * low:.0f}, {100 * high:.0f}]"
        beside, side = (high + 0.025, "left") if high < 0.72 else (low - 0.025, "right")
        axes.text(beside, row, label, ha=side, va="center", size=9)
    axes.set_xlim(0, 1)
    axes.set_xticks(*_PERCENTS)
    axes.set_xlabel("utilization: mean over queries, 95 % interval")
    return figure


def _quality(comparison: Comparison) -> Any:
    from matplotlib.figure import Figure

    high = 3.9
    figure = Figure(figsize=(_WIDTH, high))
    left = _SIDE + 0.55
    axes = _axes(figure, (left, _FOOT, _WIDTH - left - _SIDE, high - _FOOT - _HEAD))
    axes.grid(axis="y", color=GRID, lw=0.7)
    for found in comparison.results:
        colour = _colour(comparison, found)
        fill = PAPER if found.configuration.name == comparison.widest else colour
        axes.plot(found.tokens_interval, [found.quality] * 2, color=colour, lw=1.2)
        axes.plot([found.tokens] * 2, found.quality_interval, color=colour, lw=1.2)
        above = 3 if colour == OTHER else 4
        axes.plot([found.tokens], [found.quality], "o", color=fill, mec=colour, mew=2, ms=8, zorder=above)
    axes.margins(0.12, 0.14)
    axes.set_xlim(0, max(r.tokens_interval[1] for r in comparison.results) * 1.12 + 1)
    axes.locator_params(nbins=5)
    axes.xaxis.set_major_formatter(lambda tokens, _: f"{tokens:,.0f}")
    axes.set_xlabel("tokens per query; lines: 95 % intervals over queries")
    unit = "log-probability per token, nats" if comparison.outcome == "log-probability" else "likeness"
    axes.set_ylabel(f"quality: {unit}")
    _label(figure, axes, comparison)
    return figure


def _label(figure: Any, axes: Any, comparison: Comparison) -> None:
    """Write each name beside its point. If a name is farther away, draw a line from the name to its point."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    renderer = FigureCanvasAgg(figure).get_renderer()
    # The widest and the recommended configuration choose their label positions first.
    results = sorted(comparison.results, key=lambda found: _colour(comparison, found) == OTHER)
    texts = [
        axes.text(0, 0, _point_name(comparison, found), size=9, **_emphasis(comparison, found))
        for found in results
    ]
    points = [tuple(axes.transData.transform((r.tokens, r.quality))) for r in results]
    lines = []
    for found in results:
        (left, low), (right, high) = axes.transData.transform(
            list(zip(found.tokens_interval, found.quality_interval, strict=True))
        )
        middle = axes.transData.transform((found.tokens, found.quality))
        lines += [(left, middle[1], right, middle[1]), (middle[0], low, middle[0], high)]
    extents = [text.get_window_extent(renderer) for text in texts]
    frame = tuple(axes.get_window_extent(renderer).extents)
    # Boxes are 6 % wider than measured, because the page may use a wider font.
    boxes = place_labels(points, [(1.06 * box.width, box.height) for box in extents], lines, frame)
    back = axes.transData.inverted()
    for text, (x, y), (left, low, right, high) in zip(texts, points, boxes, strict=True):
        side = "left" if left > x else "right" if right < x else "center"
        corner = {"left": left, "right": right, "center": (left + right) / 2}[side]
        text.set(position=back.transform((corner, low)), ha=side, va="bottom")
        near = min(max(x, left), right), min(max(y, low), high)
        if (near[0] - x) ** 2 + (near[1] - y) ** 2 > 16**2:
            ends = back.transform([(x, y), near])
            axes.plot(ends[:, 0], ends[:, 1], color=OTHER, lw=0.6, zorder=1)


def _verdicts(comparison: Comparison) -> Any:
    figure, (axes,) = _rows(comparison, [(0.0, 1.0)], legend=0.28)
    occurring = [name for name in VERDICTS if any(r.verdict_shares[name] for r in comparison.results)]
    for row, found in enumerate(comparison.results):
        left = 0.0
        for name in occurring:
            share, colour = found.verdict_shares[name], VERDICT_COLOURS[name]
            axes.barh([row], [share], 0.36, left, color=colour, edgecolor=PAPER, lw=0.8)
            if share >= 0.05:
                middle = left + share / 2
                axes.text(
                    middle, row, f"{100 * share:.0f} %", ha="center", va="center", size=8.5, color="#000000"
                )
            left += share
    for number, name in enumerate(occurring):
        # The legend has a fixed distance in points above the first row, independent of the row height.
        place = {"xycoords": ("axes fraction", "axes fraction"), "textcoords": "offset points"}
        key = axes.annotate("■", (number / 5, 1), (0, 8), **place, size=12)
        key.set_color(VERDICT_COLOURS[name])
        axes.annotate(name, (number / 5, 1), (13, 9), **place)
    axes.set_xlim(0, 1)
    axes.set_xticks(*_PERCENTS)
    axes.set_xlabel("share of all tokens sent")
    return figure


def _cost(comparison: Comparison) -> Any:
    figure, panels = _rows(comparison, [(0.0, 0.47), (0.53, 1.0)])
    results = comparison.results
    seconds = [found.cost.seconds / found.num_queries for found in results]
    tokens = [found.cost.reader_tokens / found.num_queries for found in results]
    for axes, values, form in zip(panels, (seconds, tokens), ("{:.2f} s", "{:,.0f}"), strict=True):
        top = max(*values, 1e-9) if len(values) > 1 else max(values[0], 1e-9)
        for row, (value, found) in enumerate(zip(values, results, strict=True)):
            axes.barh([row], [value], 0.3, color=_colour(comparison, found))
            axes.text(value + top * 0.03, row, form.format(value), va="center", size=9)
        axes.set_xlim(0, top * 1.32)
        axes.locator_params(axis="x", nbins=4)
        axes.xaxis.set_major_formatter(lambda number, _: f"{number:,.10g}")
    panels[0].set_xlabel("seconds per query")
    panels[1].set_xlabel("reader tokens per query")
    return figure


def _rows(
    comparison: Comparison, panels: Sequence[tuple[float, float]], legend: float = 0.0
) -> tuple[Any, list[Any]]:
    """Return a figure and its panels (axes), which lie side by side and have one row per configuration.

    Args:
        comparison: Comparison to draw.
        panels: (start, end) of each panel, as shares of the figure's inner width.
        legend: Height kept free for a legend, in inches.

    Returns:
        (figure, axes of each panel). Each row shows the configuration's name above its marks.
    """
    from matplotlib.figure import Figure

    num_rows = len(comparison.results)
    figure = Figure(figsize=(_WIDTH, _HEAD + legend + num_rows * _ROW + _FOOT))
    room = _WIDTH - 2 * _SIDE
    made = []
    for start, end in panels:
        axes = _axes(figure, (_SIDE + start * room, _FOOT, (end - start) * room, num_rows * _ROW))
        axes.set_ylim(num_rows - 0.65, -0.65)
        axes.set_yticks([])
        made.append(axes)
    for row, found in enumerate(comparison.results):
        # Names belong to the last panel, which is painted last: a name may be wider than the first panel.
        made[-1].annotate(
            _name(comparison, found),
            (-panels[-1][0] / (panels[-1][1] - panels[-1][0]), row),
            (0, 10),
            xycoords=("axes fraction", "data"),
            textcoords="offset points",
            **_emphasis(comparison, found),
        )
    return figure, made


def _axes(figure: Any, box: tuple[float, float, float, float]) -> Any:
    """Add axes to a figure, with vertical grid lines and no frame.

    Args:
        figure: Figure of matplotlib.
        box: (left, bottom, width, height) in inches.
    """
    wide, high = figure.get_size_inches()
    axes = figure.add_axes((box[0] / wide, box[1] / high, box[2] / wide, box[3] / high))
    axes.grid(axis="x", color=GRID, lw=0.7)
    axes.set_axisbelow(True)
    axes.tick_params(length=0, labelsize=8.5)
    axes.spines[:].set_visible(False)
    return axes


def _name(comparison: Comparison, found: ConfigurationResult) -> str:
    """Return the name of a configuration with its role.

    If there are more than three configurations, the name starts with the configuration's number.
    """
    name = "".join(c for c in " ".join(found.configuration.name.split()) if c.isprintable())
    if len(name) > _LONGEST_NAME:
        first = _LONGEST_NAME * 2 // 3
        name = f"{name[:first].rstrip()}…{name[1 + first - _LONGEST_NAME :].lstrip()}"
    number = comparison.results.index(found) + 1
    return (
        f"{number}. {name}{_role(comparison, found)}"
        if _numbered(comparison)
        else name + _role(comparison, found)
    )


def _point_name(comparison: Comparison, found: ConfigurationResult) -> str:
    """Return the label of a point: as `_name`, or number and role if there are more than three points."""
    if not _numbered(comparison):
        return _name(comparison, found)
    return f"{comparison.results.index(found) + 1}{_role(comparison, found)}"


def _numbered(comparison: Comparison) -> bool:
    return len(comparison.results) > _MOST_NAMED


def _role(comparison: Comparison, found: ConfigurationResult) -> str:
    roles = {comparison.widest: " (widest)", comparison.recommended: " (recommended)"}
    return roles.get(found.configuration.name, "") if len(comparison.results) > 1 else ""


def _colour(comparison: Comparison, found: ConfigurationResult) -> str:
    name = found.configuration.name
    return BEST if name == comparison.recommended else INK if name == comparison.widest else OTHER


def _emphasis(comparison: Comparison, found: ConfigurationResult) -> dict[str, str]:
    colour = _colour(comparison, found)
    return {"weight": "normal", "color": INK} if colour == OTHER else {"weight": "bold", "color": colour}


def _as_element(document: str, name: str, title: str) -> str:
    """Return an SVG document of matplotlib as an `<svg>` element without declaration, style sheet or comment.

    Args:
        document: A whole SVG file whose text is stored as text, not as outlines.
        name: Prefix of every id, so that two charts in a page have no id in common.
        title: Label for screen readers.
    """
    root = ElementTree.fromstring(document)
    used = set(re.findall(r"[\"(]#(\w+)", document))
    size = root.get("viewBox", "")
    # matplotlib's <style> would apply to the whole page. The first <defs> holds nothing but this style.
    root.remove(root[0])
    root.attrib.clear()
    for element in root.iter():
        # Between <svg> and </svg> HTML expects tags without a namespace.
        element.tag = element.tag.rpartition("}")[2]
        if element.tag == "text" and "fill:" in element.get("style", ""):  # black text has no fill
            # A halo in the background colour keeps lines from crossing the text.
            halo = f"; paint-order: stroke; stroke: {PAPER}; stroke-width: 3px"
            element.set("style", element.get("style", "") + halo)
        for key, value in list(element.attrib.items()):
            del element.attrib[key]
            if key != "id" or value in used:
                element.set(key.rpartition("}")[2], _attribute(key, value, name))
    root.attrib.update({"xmlns": "http://www.w3.org/2000/svg", "viewBox": size, "role": "img"})
    root.attrib.update({"aria-label": title, "stroke-linejoin": "round", "font-family": _FONTS})
    return ElementTree.tostring(root, encoding="unicode")


def _attribute(key: str, value: str, name: str) -> str:
    """Return the new value of an SVG attribute: ids get the prefix, and colours become CSS variables."""
    if key == "id":
        return f"{name}-{value}"
    if key == "style":
        value = re.sub(r" font-family: [^;]*;", "", value)
        for colour, variable in _VARIABLES.items():
            value = value.replace(f": {colour}", f": var(--{variable}, {colour})")
        return value
    return re.sub(r"#(?=\w+\)?$)", f"#{name}-", value)


_PICTURES: dict[str, tuple[str, Callable[[Comparison], Any]]] = {
    "utilization": ("Share of sent tokens that influenced the answer", _utilization),
    "quality": ("Answer quality by number of tokens sent", _quality),
    "verdicts": ("Tokens sent, by verdict", _verdicts),
    "cost": ("Cost of measuring one query", _cost),
}
