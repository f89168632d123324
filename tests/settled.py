"""Where several parts of a page are, in one and the same moment."""

from playwright.sync_api import FloatRect, Locator


def boxes(*parts: Locator) -> list[FloatRect]:
    """The boxes of the parts, all of which are shown, once the page has stopped moving them.

    Each is a question of its own to the browser, between two of which a page that still comes up may shift: only two
    rounds that say the same are one picture.
    """
    before: list[FloatRect] = []
    for _ in range(200):
        now = [box for box in (part.bounding_box() for part in parts) if box]
        if len(now) == len(parts) and now == before:
            return now
        before = now
        parts[0].page.wait_for_timeout(50)
    raise TimeoutError(f"they do not stand still, or are not all shown: {before}")
