"""The command that writes the report as a page."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Annotated

import typer

from pgmrr import show
from pgmrr.cli.options import Name, Url
from pgmrr.database import choose, reading
from pgmrr.errors import PgmrrError

app = typer.Typer()


@app.command(epilog="Example: pgmrr report --db stripe -o report.html --charts charts/")
def report(
    output: Annotated[Path, typer.Option("--output", "-o", help="The file to write.")] = Path("report.html"),
    charts: Annotated[
        Path | None, typer.Option("--charts", metavar="DIR", help="Write each chart as PNG and SVG there, too.")
    ] = None,
    title: Annotated[str | None, typer.Option(help="What stands at the top. [default: the database's name]")] = None,
    url: Url = None,
    name: Name = None,
) -> None:
    """Write the figures, with charts, as one HTML file that needs no network."""
    try:
        from pgmrr.page import content, drawing, html  # noqa: PLC0415  an extra that most users do without
        from pgmrr.page.model import Period  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise PgmrrError(
            f"the report needs the package {error.name}",
            "install it: ./build.sh report in a checkout, else pip install 'pgmrr[report]'",
        ) from None
    if not output.parent.is_dir():
        raise PgmrrError(f"there is no directory {output.parent}", f"make it: mkdir -p {output.parent}")
    with show.progress() as progress:
        progress("asking for the figures …")
        # The libraries of the charts are put together while the database answers.
        with reading(choose(url, name)) as connection, ThreadPoolExecutor(1) as aside:
            aside.submit(html.libraries)
            page = content.build(connection, Period(), title)
        if not page.sections:
            raise PgmrrError(f"there is nothing to report: {page.explanation}", "bring data in: pgmrr import --help")
        progress("drawing …")
        output.write_text(html.render(page), encoding="utf-8")
        if charts:
            drawing.write_pictures(page, charts)
    print(show.printable(str(output)))
    if charts:
        print(show.printable(str(charts)))
