"""A browser without a screen and without a network, for the tests of pages."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from playwright.sync_api import Browser, Page, sync_playwright

from conftest import need

FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)

DRAWN = """() => {
    const plots = [...document.querySelectorAll(".plot")];
    return plots.length > 0 && plots.every((plot) => plot.dataset.drawn);
}"""


@dataclass
class Opened:
    """A page, what its console said, and where it wanted to go."""

    page: Page
    said: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)


@contextmanager
def browser() -> Iterator[Browser]:
    """Debian's Chromium."""
    path = need("chromium")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        try:
            yield started
        finally:
            started.close()


@contextmanager
def opened(browser: Browser, address: str, *, width: int = 1000, scheme: str = "light") -> Iterator[Opened]:
    """The page at an address, all its charts drawn; whatever it asks of another host is refused and noted."""
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    found = Opened(context.new_page())
    found.page.on("console", lambda message: found.said.append(f"{message.type}: {message.text}"))
    found.page.on("pageerror", lambda error: found.said.append(f"error: {error}"))
    found.page.on("dialog", lambda dialog: (found.said.append(f"dialog: {dialog.message}"), dialog.dismiss()))

    def refuse(route, request) -> None:
        if request.url == address:
            route.continue_()
        else:
            found.asked.append(request.url)
            route.abort()

    context.route("**/*", refuse)
    try:
        found.page.goto(address)
        found.page.wait_for_function(DRAWN, timeout=60_000)
        yield found
    finally:
        context.close()
