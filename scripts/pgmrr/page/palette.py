"""The colours, by what they mean: once for light and once for dark surfaces.

Hues follow Okabe and Ito, which people with any colour vision tell apart; where they are too pale
for a white page they are darkened. Text reaches a contrast of 4.5, marks 3 (a test computes it).
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
    "mrr": "#0072b2",
    "unpaid": "#b3507f",
    "new": "#0072b2",
    "reactivation": "#3a93cc",
    "preexisting": "#77808c",
    "expansion": "#008f68",
    "contraction": "#a87400",
    "churn": "#c95500",
    "rounding": "#77808c",
    "shade": "#77808c",
    "mark": "#c95500",
    "heat": "#0072b2",
    "on-heat": "#ffffff",
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
    "mrr": "#56b4e9",
    "unpaid": "#e08fbb",
    "new": "#56b4e9",
    "reactivation": "#a5d8f6",
    "preexisting": "#98a1ad",
    "expansion": "#3cc79c",
    "contraction": "#e9b949",
    "churn": "#f08a4b",
    "rounding": "#98a1ad",
    "shade": "#98a1ad",
    "mark": "#f08a4b",
    "heat": "#56b4e9",
    "on-heat": "#14171b",
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
