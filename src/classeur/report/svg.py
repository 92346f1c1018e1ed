"""A matplotlib figure as SVG that takes its colours and its font from the page around it.

Colours are drawn as stand-ins and exchanged here: inside a page for the page's own, which follow
light and dark; in a file of its own for mid-tones that can be read on white and on black.
"""

from __future__ import annotations

import io
import re
import unicodedata
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree

import matplotlib as mpl
from markupsafe import Markup
from matplotlib import style
from matplotlib.figure import Figure

INK, MUTED, RULE, ACCENT, PAPER = "#010101", "#020202", "#030303", "#040404", "#050505"
"""Stand-ins: text, quiet text, fine lines, the one colour, the background."""

_ON_PAGE = {
    INK: "currentColor",
    MUTED: "var(--muted)",
    RULE: "var(--rule)",
    ACCENT: "var(--accent)",
    PAPER: "var(--paper)",
}
_ON_ITS_OWN = {
    INK: "#757575",
    MUTED: "#757575",
    RULE: "#75757555",
    ACCENT: "#1f83a0",
    PAPER: "none",
}
_FONT = "ui-sans-serif, -apple-system, 'Segoe UI', Roboto, Arial, sans-serif"

_SVG = "http://www.w3.org/2000/svg"
_HREF = "{http://www.w3.org/1999/xlink}href"
_NUMBER = re.compile(r"-?\d+\.\d{3,}")
_UNSHOWABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


@dataclass(frozen=True)
class Drawing:
    """A figure in its two forms."""

    name: str
    """Of its file, without the suffix; unique in a page, as its ids start with it."""
    alt: str
    """What it shows, in words."""
    width: int
    """Natural width in CSS pixels."""
    inline: Markup
    """For inside a page."""
    file: str
    """For a file of its own."""


@contextmanager
def plain_style() -> Iterator[None]:
    """Draw in matplotlib's default style, whatever the caller or a matplotlibrc has set."""
    with style.context("default"):
        yield


def showable(text: str) -> str:
    """Return a text with what no page can hold exchanged for `�`: control codes, stray bytes."""
    return _UNSHOWABLE.sub("\ufffd", text)


def label(text: str, longest: int = 28) -> str:
    """Return a text on one line, shortened in the middle so that both its ends can be told."""
    line = showable(" ".join(text.split()))
    if len(line) <= longest:
        return line
    head = (longest - 1) * 2 // 3
    return f"{line[:head].rstrip()}…{line[len(line) - (longest - 1 - head) :].lstrip()}"


def text_width(text: str, size: float) -> float:
    """Return about how wide a text is, in the units of its size, whatever the page's font."""
    wide = sum(unicodedata.east_asian_width(letter) in "WF" for letter in text)
    return size * (0.58 * (len(text) - wide) + wide)


def draw(figure: Figure, name: str, alt: str) -> Drawing:
    """Return a figure as SVG. The same figure gives the same text, byte for byte."""
    width, height = (round(72 * inches) for inches in figure.get_size_inches())
    svg = _svg_of(figure, name)
    common = {
        "viewBox": f"0 0 {width} {height}",
        "role": "img",
        "aria-label": showable(alt),
        "stroke-linejoin": "round",
    }
    own = {"xmlns": _SVG, "width": str(width), "height": str(height), "font-family": _FONT}
    inline = _text_of(svg, name, common, _ON_PAGE)
    file = _text_of(svg, name, own | common, _ON_ITS_OWN)
    return Drawing(name, alt, width, Markup(inline), file + "\n")  # labels are escaped by now


def _svg_of(figure: Figure, name: str) -> str:
    stream = io.StringIO()
    nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
    settings: Any = {"svg.fonttype": "none", "svg.hashsalt": name}
    with mpl.rc_context(settings), warnings.catch_warnings():
        # Only matplotlib's own font lacks these letters: the page's font draws the text.
        warnings.filterwarnings("ignore", "Glyph .* missing from font")
        figure.savefig(stream, format="svg", transparent=True, metadata=nothing)
    return stream.getvalue()


def _text_of(svg: str, name: str, attributes: dict[str, str], colours: Mapping[str, str]) -> str:
    root = ElementTree.fromstring(svg)
    root.attrib = dict(attributes)
    _drop_shared_styles(root)
    for element in root.iter():
        element.tag = element.tag.partition("}")[2]
        _name_apart(element, name)
        _shorten(element)
        if "style" in element.attrib:
            element.attrib["style"] = _style(element, colours)
    return ElementTree.tostring(root, encoding="unicode")


def _drop_shared_styles(root: ElementTree.Element) -> None:
    """Take out matplotlib's style sheet: inside a page it would reach beyond the figure."""
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag.endswith(("}style", "}metadata")):
                parent.remove(child)


def _name_apart(element: ElementTree.Element, name: str) -> None:
    """Make ids, and what refers to them, unique in a page of several figures."""
    attributes = element.attrib
    if _HREF in attributes:
        attributes["href"] = f"#{name}-{attributes.pop(_HREF).removeprefix('#')}"
    if "clip-path" in attributes:
        attributes["clip-path"] = attributes["clip-path"].replace("(#", f"(#{name}-")
    if "id" in attributes:
        own = attributes.pop("id")
        if element.tag != "g":  # matplotlib numbers every group, and nothing refers to one
            attributes["id"] = f"{name}-{own}"


def _shorten(element: ElementTree.Element) -> None:
    """Round numbers to hundredths of a pixel and drop the indentation."""
    for key in ("d", "x", "y", "transform", "width", "height"):
        if key in element.attrib:
            text = _NUMBER.sub(
                lambda m: f"{float(m[0]):.2f}".rstrip("0").rstrip("."), element.attrib[key]
            )
            element.attrib[key] = " ".join(text.split())
    if element.tag != "text":
        element.text = None
    element.tail = None


def _style(element: ElementTree.Element, colours: Mapping[str, str]) -> str:
    """Exchange the stand-ins; of a text keep size, weight, anchor and colour, but no font."""
    style = element.attrib["style"]
    for stand_in, colour in colours.items():
        style = style.replace(stand_in, colour)
    if element.tag != "text":
        return style
    fonts = [part.strip() for part in style.split(";") if part.strip().startswith("font")]
    kept = [part.strip() for part in style.split(";") if part.strip() not in fonts]
    size = re.search(r"([\d.]+)px", "; ".join(fonts))
    weight = ["font-weight: 600"] if re.search(r"\b(bold|700)\b", "; ".join(fonts)) else []
    return "; ".join([f"font-size: {size[1] if size else 12}px", *weight, *filter(None, kept)])
