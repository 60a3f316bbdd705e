"""The public surface over HTTP: a JSON API made from the catalog, and the report as a live page.

Needs the extra ``pgmrr[api]``. It holds no figure: it asks ``kpi``, as a reader, and nothing else.
"""
