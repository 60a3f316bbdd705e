"""Text in CSV files that a spreadsheet may open."""

# What a spreadsheet takes for the beginning of a formula (OWASP, CSV injection).
_STARTS_A_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def safe_text(value: str) -> str:
    """The text as a spreadsheet shows it and never runs it: behind a single quote where it may be a formula.

    It is for text alone: numbers, negative ones too, stay as they are.
    """
    return f"'{value}" if value.startswith(_STARTS_A_FORMULA) else value
