"""A page with nothing but the viewer, on a desktop and on a phone."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext
from viewing import PHONE, Viewer, serving, visiting, window


@pytest.fixture(scope="module")
def viewer_site() -> Iterator[str]:
    with serving() as address:
        yield address


@pytest.fixture(scope="module")
def desktop(browser: Browser) -> Iterator[BrowserContext]:
    with window(browser, permissions=["clipboard-read", "clipboard-write"]) as context:
        yield context


@pytest.fixture
def viewer(desktop: BrowserContext, viewer_site: str) -> Iterator[Viewer]:
    with visiting(desktop, viewer_site) as viewer:
        yield viewer


@pytest.fixture(scope="module")
def phone_context(browser: Browser) -> Iterator[BrowserContext]:
    with window(browser, viewport=PHONE, has_touch=True, is_mobile=True) as context:
        yield context


@pytest.fixture
def phone(phone_context: BrowserContext, viewer_site: str) -> Iterator[Viewer]:
    with visiting(phone_context, viewer_site) as viewer:
        yield viewer
