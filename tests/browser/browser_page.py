"""Opens a report in a browser and listens."""

from __future__ import annotations

from pathlib import Path

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import BrowserContext, Page


def open_page(context: BrowserContext, file: Path) -> Page:
    """Open a file; ``page.faults`` collects console messages, errors and requests."""
    page = context.new_page()
    page.set_default_timeout(30_000)  # beside another worker a page takes its time
    page.faults = []
    page.on("console", lambda message: page.faults.append(f"console: {message.text}"))
    page.on("pageerror", lambda error: page.faults.append(f"error: {error}"))
    page.on(
        "request",
        lambda request: (
            None
            if request.url.startswith(("file:", "data:"))
            else page.faults.append(f"request: {request.url}")
        ),
    )
    page.goto(file.as_uri())
    return page


def open_details(page: Page) -> None:
    """Open every folded part of a page."""
    page.eval_on_selector_all("details", "nodes => nodes.forEach(n => { n.open = true; })")


def violations(page: Page) -> list[dict]:
    """Return what axe-core finds; what passes is not gathered, which takes its time too."""
    return Axe().run(page, options={"resultTypes": ["violations"]}).response["violations"]


def serious(page: Page) -> list[tuple[str, str, list[str]]]:
    """Return what axe-core finds, but for its minor remarks."""
    return [
        (fault["id"], fault["impact"], [node["html"][:200] for node in fault["nodes"][:3]])
        for fault in violations(page)
        if fault["impact"] in ("serious", "critical", "moderate")
    ]
