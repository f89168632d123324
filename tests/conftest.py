"""What several test files share."""

import atexit
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import databases
import pytest
from databases import Place, PostgreSQL
from lacking import lacking

pytest.register_assert_rewrite("page", "viewing")

import page  # noqa: E402  pytest must know first that its asserts are to be explained
from page import Visit, serving, visiting  # noqa: E402
from playwright.sync_api import Browser, sync_playwright  # noqa: E402
from stub import StubBackend  # noqa: E402

from headshot import ui  # noqa: E402
from headshot.sessions import folder  # noqa: E402
from headshot.storage import History, Store  # noqa: E402
from headshot.web import server  # noqa: E402

# Not the history of whoever runs the tests. Each worker has its own.
os.environ["HEADSHOT_DATA_DIR"] = tempfile.mkdtemp(prefix="history-")
atexit.register(shutil.rmtree, os.environ["HEADSHOT_DATA_DIR"], ignore_errors=True)

_TESTS = Path(__file__).parent

# A worker takes a file at a time: what takes long comes first, or one would be at it when the other has nothing left.
SLOWEST_FIRST = (
    "studio/test_render",
    "studio/test_backend",
    "ui/headshots/test_page_modelslab",
    "pipeline/test_backend",
    "pipeline/test_sampling",
    "ui/headshots/test_page_account",
    "ui/headshots/test_page",
    "studio/cutout/test_people",
    "studio/test_draft",
    "studio/cutout/test_matte",
    "imaging/test_photo_check",
    "imaging/test_refusals",
    "studio/cutout/test_correction",
    "ui/test_gradio_client",
    "storage/test_job_states",
    "ui/headshots/test_page_compare",
    "web/test_server",
    "ui/headshots/test_page_photo",
    "ui/headshots/test_viewer",
    "ui/history/test_page_history",
    "ui/headshots/test_page_matrix",
    "ui/team/test_page_team",
    "voting/test_routes",
    "ui/headshots/test_fullscreen",
    "storage/test_history",
    "ui/check/test_page_check",
    "ui/headshots/test_zoom",
    "metadata/test_reading",
    "ui/voting/test_page_vote",
    "ui/headshots/test_page_saved_settings",
    "storage/test_transfer",
    "ui/test_page_access",
    "exports/test_snippets",
    "pipeline/test_download",
    "modelslab/test_backend",
    "pipeline/test_zerogpu",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    ranks = {name: rank for rank, name in enumerate(SLOWEST_FIRST)}
    items.sort(key=lambda item: ranks.get(item.path.relative_to(_TESTS).with_suffix("").as_posix(), len(ranks)))


@pytest.fixture(scope="session")
def chromium() -> Iterator[str]:
    """The address of a worker's own Chromium."""
    if not page.CHROMIUM.exists():
        lacking(f"there is no {page.CHROMIUM} to drive the page with")
    with page.chromium_running() as address:
        yield address


# A module at a time, for Playwright keeps an event loop running in this thread, in which no other test could start one.
@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.connect(chromium)
        yield browser
        browser.close()  # its windows: the process stays


@pytest.fixture(scope="module")
def backend() -> StubBackend:
    return StubBackend()


@pytest.fixture(scope="module")
def site(backend: StubBackend) -> Iterator[server.Site]:
    for left_by_another_module in [path for path in ui.CACHE.iterdir() if path.name != folder.LOCK]:
        shutil.rmtree(left_by_another_module)
    with serving({backend.name: backend}, grace_seconds=1) as running:
        yield running


@pytest.fixture(scope="module")
def window(browser: Browser, site: server.Site) -> Iterator[Visit]:
    with visiting(browser, site.address) as window:
        yield window


@pytest.fixture
def visit(window: Visit, backend: StubBackend) -> Iterator[Visit]:
    backend.reset()
    window.become_somebody_else()
    window.again()
    yield window
    backend.reset()
    complaints = window.complaints.copy()
    window.complaints.clear()  # said once, of the visit that caused them
    assert complaints == []


@pytest.fixture
def anyio_backend() -> str:
    """What the product runs on."""
    return "asyncio"


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgreSQL]:
    """A worker's own."""
    with databases.postgresql() as server:
        yield server


@pytest.fixture(params=databases.KINDS)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """Where a store can be opened: in both kinds of database, one after the other."""
    if request.param == "sqlite":
        return Place(tmp_path / "data")
    return Place(tmp_path / "data", request.getfixturevalue("postgresql").emptied())


@pytest.fixture
def store(place: Place) -> Iterator[Store]:
    with place.open() as store:
        yield store


@pytest.fixture
def history(store: Store) -> History:
    return store.history
