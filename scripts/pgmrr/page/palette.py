"""The colours, by what they mean: once for light and once for dark surfaces.

The hues are near those of Okabe and Ito; their lightness differs so much that people with any colour
vision tell the kinds of movements apart. Text reaches a contrast of 4.5 with the page, marks 3. Tests
compute both.
Charts and CSS name a colour as ``var(--name)``: so the theme switches, and paper is light, without
drawing anything anew.
"""

from collections.abc import Mapping

LIGHT = {
    "surface": "#ffffff",
    "raised": "#f6f7f9",
    "rule": "#d9dde3",
    "grid": "#e8ebef",
    "ink": "#15191f",
    "muted": "#545c68",
    "link": "#005a8f",
    "focus": "#b34700",
    "mrr": "#1670c4",
    "unpaid": "#b3507f",
    "new": "#1670c4",
    "reactivation": "#10365a",
    "preexisting": "#757981",
    "expansion": "#0ba468",
    "contraction": "#af8d0c",
    "churn": "#8a3a00",
    "rounding": "#757981",
    "shade": "#77808c",
    "mark": "#8a3a00",
    "heat": "#1670c4",
}

DARK = {
    "surface": "#14171b",
    "raised": "#1d2127",
    "rule": "#363c45",
    "grid": "#282d34",
    "ink": "#eceff3",
    "muted": "#a8b0bb",
    "link": "#7cc4f2",
    "focus": "#ffb273",
    "mrr": "#2f95dd",
    "unpaid": "#e08fbb",
    "new": "#2f95dd",
    "reactivation": "#caeaf5",
    "preexisting": "#7f828c",
    "expansion": "#2fdc9c",
    "contraction": "#e7d33e",
    "churn": "#d0682a",
    "rounding": "#7f828c",
    "shade": "#98a1ad",
    "mark": "#f08a4b",
    "heat": "#2f95dd",
}


def var(name: str) -> str:
    """The colour as charts and CSS name it."""
    if name not in LIGHT:
        raise KeyError(name)
    return f"var(--{name})"


def painted(text: str, colours: Mapping[str, str] = LIGHT) -> str:
    """The text with the colours themselves in place of their names, for what has no style sheet."""
    for name, colour in colours.items():
        text = text.replace(f"var(--{name})", colour)
    return text


def declarations(colours: Mapping[str, str]) -> str:
    """The colours as custom properties of CSS."""
    return " ".join(f"--{name}: {colour};" for name, colour in colours.items())
