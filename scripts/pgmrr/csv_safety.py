"""Text in CSV files that a spreadsheet shows and does not run."""

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def safe_text(value: str) -> str:
    """The text, with a single quote before it where a spreadsheet would take it for a formula.

    Formulas begin with ``=``, ``+``, ``-`` or ``@``, and some programs look for them behind a tab or a carriage
    return. It is for text alone: a negative number is a number. A reader that wants the text back takes the quote
    away where one of these signs follows it.
    """
    return f"'{value}" if value.startswith(_FORMULA) else value
