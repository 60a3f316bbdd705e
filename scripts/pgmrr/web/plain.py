"""A page without charts, for people: the list of the API, and what went wrong."""

from html import escape

_DOCUMENT = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark; }}
body {{
  margin: 0 auto; padding: 2rem clamp(1rem, 4vw, 3rem) 4rem; max-width: 60rem; font: 15px/1.5 system-ui, sans-serif;
  color: light-dark(#16191f, #e8eaed); background: light-dark(#ffffff, #15181d);
}}
a {{ color: light-dark(#005a9c, #8cc4f5); }}
code {{ overflow-wrap: anywhere; }}
dd {{ margin: 0 0 0.75rem; }}
</style>
</head>
<body>
<main>
<h1>{title}</h1>
{body}
</main>
</body>
</html>
"""

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; "
    "base-uri 'none'; form-action 'none'"
}


def document(title: str, body: str) -> str:
    """The page with this title and this body, which is HTML."""
    return _DOCUMENT.format(title=escape(title), body=body)
