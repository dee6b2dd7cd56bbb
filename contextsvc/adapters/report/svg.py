"""What matplotlib's SVG writer wrote, as an element that can stand beside others in one page."""

import re
from collections.abc import Mapping
from xml.etree import ElementTree

_FONTS = "system-ui, -apple-system, 'Segoe UI', Roboto, Helvetica, Arial, sans-serif"


def as_element(document: str, name: str, title: str, variables: Mapping[str, str], halo: str) -> str:
    """An `<svg>` element without declaration, style sheet, comment or foreign id, as wide as its place.

    Args:
        document: A whole SVG file of matplotlib's, text as text.
        name: Put before every id, so that two pictures in a page do not share one.
        title: Read out by screen readers.
        variables: CSS variable by colour, "#rrggbb"; the colour stays as the value where the page
            sets none.
        halo: The colour behind text that is not black, so that lines do not cross it.
    """
    root = ElementTree.fromstring(document)
    used = set(re.findall(r"[\"(]#(\w+)", document))
    size = root.get("viewBox", "")
    # The writer's <style> would apply to the whole page: the first <defs> holds nothing else.
    root.remove(root[0])
    root.attrib.clear()
    for element in root.iter():
        # Without its namespace a tag is what HTML expects between <svg> and </svg>.
        element.tag = element.tag.rpartition("}")[2]
        if element.tag == "text" and "fill:" in element.get("style", ""):  # black is not written
            element.set(
                "style", f"{element.get('style', '')}; paint-order: stroke; stroke: {halo}; stroke-width: 3px"
            )
        for key, value in list(element.attrib.items()):
            del element.attrib[key]
            if key != "id" or value in used:
                element.set(key.rpartition("}")[2], _value(key, value, name, variables))
    root.attrib.update(
        {"xmlns": "http://www.w3.org/2000/svg", "viewBox": size, "role": "img", "aria-label": title,
         "stroke-linejoin": "round", "font-family": _FONTS}
    )  # fmt: skip
    return ElementTree.tostring(root, encoding="unicode")


def _value(key: str, value: str, name: str, variables: Mapping[str, str]) -> str:
    if key == "id":
        return f"{name}-{value}"
    if key == "style":
        value = re.sub(r" font-family: [^;]*;", "", value)
        for colour, variable in variables.items():
            value = value.replace(f": {colour}", f": var(--{variable}, {colour})")
        return value
    return re.sub(r"#(?=\w+\)?$)", f"#{name}-", value)
