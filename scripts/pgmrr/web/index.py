"""The readable list of the API's endpoints."""

from collections.abc import Iterable
from html import escape
from urllib.parse import urlencode

from pgmrr.web.plain import document
from pgmrr.web.surface import Endpoint

_BODY = """<p>Each public view and function of schema <code>kpi</code>, read-only. Answers are JSON, or CSV where the
request says <code>Accept: text/csv</code>. <a href="/api/openapi.json">openapi.json</a> describes each parameter and
column. <a href="/">The page</a> shows the figures to people.</p>
<h2>Functions</h2>
<dl>{functions}</dl>
<h2>Views</h2>
<dl>{views}</dl>"""


def index(endpoints: Iterable[Endpoint]) -> str:
    """A page that lists the endpoints, each with an example to follow."""
    listed = list(endpoints)
    body = _BODY.format(
        functions="\n".join(_entry(endpoint) for endpoint in listed if endpoint.is_function),
        views="\n".join(_entry(endpoint) for endpoint in listed if not endpoint.is_function),
    )
    return document("The API of pgmrr", body)


def example_url(endpoint: Endpoint) -> str:
    """The address of an endpoint, with the arguments of its COMMENT's example."""
    given = {parameter.name: parameter.example for parameter in endpoint.parameters if parameter.example is not None}
    return f"/api/{endpoint.name}" + (f"?{urlencode(given)}" if given else "")


def _entry(endpoint: Endpoint) -> str:
    address = escape(example_url(endpoint))
    return f'<dt><a href="{address}"><code>{address}</code></a></dt>\n<dd>{escape(endpoint.comment)}</dd>'
