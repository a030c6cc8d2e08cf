"""The page in a real browser: the Chromium of this machine, driven by Playwright. No browser is downloaded."""

from __future__ import annotations

import shutil
import socket
import threading
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, Page, Request, sync_playwright

if TYPE_CHECKING:
    from collections.abc import Iterator

    from workmail_local.testing.workmail_local import WorkMailLocal

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
NO_CHROMIUM = "no Chromium on PATH: install the package `chromium` (Debian, Ubuntu: apt-get install chromium)"
OTHER_HOST = "evil.example"
STOPPED = {"csp", "origin"}
"""How Chromium names what a policy, or the rule of one origin for SVG's `<use>`, kept it from sending."""


@dataclass
class Trap:
    """Stands for `OTHER_HOST` and the hosts below it: the browser is led here."""

    port: int
    connections: int = 0


@dataclass
class Driven:
    """The page, opened in a browser of its own, and what went on there."""

    local: WorkMailLocal
    page: Page
    trap: Trap
    errors: list[str] = field(default_factory=list)
    dialogs: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def open(self, view: str = "messages") -> None:
        """Open the page as the printed address does, then a view."""
        ready = self.local.daemon.ready
        self.page.goto(f"{ready['api']}/#token={ready['token']}")
        self.page.get_by_text("live", exact=True).wait_for()
        if view != "messages":
            self.go(view)

    def go(self, view: str) -> None:
        self.page.evaluate("view => { location.hash = view; }", view)

    def note(self, request: Request) -> None:
        """Keep the address of a request, unless the browser stopped it before it was sent."""
        if request.failure not in STOPPED:
            self.requests.append(request.url)

    @property
    def rows(self) -> Locator:
        return self.page.locator("#list [role=option]")

    @property
    def message(self) -> Locator:
        return self.page.locator("#message")


@pytest.fixture(scope="module")
def trap() -> Iterator[Trap]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        trap = Trap(listener.getsockname()[1])

        def listen() -> None:
            with suppress(OSError):  # the end of the test
                while True:
                    listener.accept()[0].close()
                    trap.connections += 1

        threading.Thread(target=listen, daemon=True).start()
        yield trap
        listener.shutdown(socket.SHUT_RDWR)


@pytest.fixture(scope="module")
def browser(trap: Trap) -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip(NO_CHROMIUM)
    with sync_playwright() as playwright:
        # The browser's own services are not found, so that each connection to the trap is one of the page.
        hosts = f"MAP {OTHER_HOST} 127.0.0.1:{trap.port}, MAP *.{OTHER_HOST} 127.0.0.1:{trap.port}"
        rules = f"--host-resolver-rules={hosts}, MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=[rules])
        yield browser
        browser.close()


@contextmanager
def a_context(browser: Browser) -> Iterator[BrowserContext]:
    context = browser.new_context(viewport={"width": 1280, "height": 800}, locale="en-GB")
    context.set_default_timeout(15_000)
    yield context
    context.close()


@pytest.fixture
def driven(browser: Browser, trap: Trap, workmail_local: WorkMailLocal) -> Iterator[Driven]:
    """The page, not yet opened. At the end, no script may have failed and no other host may have been asked."""
    with a_context(browser) as context:
        page = context.new_page()
        trap.connections = 0
        driven = Driven(workmail_local, page, trap)
        page.on("pageerror", lambda error: driven.errors.append(str(error)))
        page.on("dialog", lambda dialog: (driven.dialogs.append(dialog.message), dialog.dismiss()))
        context.on("requestfinished", driven.note)
        context.on("requestfailed", driven.note)
        yield driven
    assert driven.errors == []
    assert driven.dialogs == []
    assert trap.connections == 0
    own = (workmail_local.daemon.ready["api"], "data:", "blob:", "about:")
    assert [url for url in driven.requests if not url.startswith(own)] == []
    token = workmail_local.daemon.ready["token"]
    assert [url for url in driven.requests if token in url.partition("#")[0]] == []
