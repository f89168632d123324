"""The viewer by keyboard, on a phone, and with labels from outside."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from playwright.sync_api import Browser, Locator, expect
from settled import boxes
from viewing import EXCHANGE, ONE, PHONE, TABS, THREE, TWO, Viewer, viewing

pytestmark = pytest.mark.browser


def test_a_hostile_label_stays_text(viewer: Viewer) -> None:
    attack = "<img src=x onerror=alert(1)><b>Seed</b>"
    hostile = replace(TWO, label=attack, prompt=f"{attack}</script>", id="b2")
    viewer.page.on("dialog", lambda alert: viewer.complaints.append(alert.message))
    viewer.draw(ONE, hostile)
    viewer.pick(hostile)
    expect(viewer.bar.locator("p")).to_have_text(f"{attack} picked. Pick up to three more, or")
    viewer.compare(ONE)
    expect(viewer.title).to_have_text(f"{attack} and Seed 1")
    expect(viewer.dialog.locator(".differences dd").first).to_contain_text(attack)
    viewer.button("Swap left and right").click()
    expect(viewer.title).to_have_text(f"Seed 1 and {attack}")
    expect(viewer.dialog.locator(".differences dd").last).to_contain_text(attack)
    viewer.button(f"Open {attack}").click()
    expect(viewer.title).to_have_text(attack)
    viewer.dialog.get_by_role("tab", name="Request").click()
    expect(viewer.dialog.locator("pre:visible")).to_contain_text(attack)
    expect(viewer.page.locator("[onerror]")).to_have_count(0)


def test_on_a_phone_nothing_overflows_and_the_picture_is_seen_whole_at_first(phone: Viewer) -> None:
    long = replace(
        THREE,
        label="Seed 4294967295 · Guidance 12.5",
        prompt="Donaudampfschifffahrt" * 20,
        more={**EXCHANGE, "timeline": [["14:03:07", "Sent", "Donaudampfschifffahrt" * 20]], "reply": "x" * 2000},
    )
    phone.draw(ONE, long)
    phone.pick(ONE)
    assert _overflow(phone) <= 0
    phone.compare(long)
    (box,) = boxes(phone.dialog.locator(".pair"))
    assert box["width"] == PHONE["width"]
    assert box["y"] + box["height"] < PHONE["height"] * 0.8
    assert _overflow(phone) <= 0
    phone.button(f"Open {long.label}").click()
    for name in TABS:
        phone.dialog.get_by_role("tab", name=name).click()
        assert _overflow(phone) <= 0


def _overflow(viewer: Viewer) -> int:
    most: int = viewer.page.evaluate(
        "Math.max(...[document.documentElement, ...document.querySelectorAll('.viewer, .viewer .panel, .picked-bar')]"
        ".map(part => part.scrollWidth - part.clientWidth))"
    )
    return most


def test_what_a_finger_hits_is_large_enough(phone: Viewer) -> None:
    small = (
        "parts => parts.filter(part => part.checkVisibility()).map(part => [part.getBoundingClientRect(), part])"
        ".filter(([box]) => Math.min(box.width, box.height) < 44).map(([, part]) => part.outerHTML)"
    )
    targets = ".pick, .viewer button, .viewer select, .viewer a, .picked-bar button, .grid-tools button"
    phone.draw(ONE, replace(TWO, more=EXCHANGE))
    phone.pick(ONE)
    assert phone.page.locator(targets).evaluate_all(small) == []
    phone.compare(TWO)
    assert phone.page.locator(targets).evaluate_all(small) == []
    phone.button("Open Seed 2").click()
    phone.dialog.get_by_role("tab", name="Request").click()
    assert phone.page.locator(targets).evaluate_all(small) == []


# What the page shows while a comparison runs.
RUNNING = '<p id="status"><i class="running"></i></p><button id="stop">Stop</button>'


def test_the_bar_keeps_off_a_stop_button_that_is_fixed_below(phone: Viewer) -> None:
    phone.pick(ONE)
    (alone,) = boxes(phone.bar)
    phone.page.evaluate("html => document.body.insertAdjacentHTML('beforeend', html)", RUNNING)
    bar, stop = boxes(phone.bar, phone.page.locator("#stop"))
    assert PHONE["height"] - 24 < alone["y"] + alone["height"] <= PHONE["height"]
    assert bar["y"] + bar["height"] < stop["y"]


@pytest.mark.parametrize("width", [390, 800, 1024, 1440])
def test_a_toast_does_not_cover_the_bar(browser: Browser, viewer_site: str, width: int) -> None:
    with viewing(browser, viewer_site, viewport={"width": width, "height": 800}, reduced_motion="reduce") as viewer:
        toast = f'<div class="toast-wrap" style="position: fixed; right: 16px">Done.</div>{RUNNING}'
        viewer.page.evaluate("html => document.body.insertAdjacentHTML('beforeend', html)", toast)
        viewer.draw(replace(ONE, baseline=True), TWO)
        viewer.pick(TWO)
        bar, toasted = boxes(viewer.bar, viewer.page.locator(".toast-wrap"))
        assert toasted["y"] + toasted["height"] <= bar["y"]


@pytest.mark.parametrize(("wish", "moving"), [("no-preference", 1), ("reduce", 0)])
def test_nothing_moves_for_whoever_asked_for_that(browser: Browser, viewer_site: str, wish: str, moving: int) -> None:
    animations = "part => part.getAnimations().length"
    with viewing(browser, viewer_site, reduced_motion=wish) as viewer:
        viewer.page.add_style_tag(content="*, ::before { animation-play-state: paused !important; }")
        viewer.pick(ONE)
        assert viewer.bar.evaluate(animations) == moving
        viewer.card(TWO).locator("a.frame").click()
        assert viewer.dialog.evaluate(animations) == moving


def test_the_whole_job_is_done_with_keys_alone(viewer: Viewer) -> None:
    def tab_to(reached: Callable[[], Locator]) -> None:
        for _ in range(40):
            viewer.page.keyboard.press("Tab")
            if reached().evaluate("part => part === document.activeElement"):
                return
        pytest.fail("Tab never reached it")

    tab_to(lambda: viewer.card(ONE).locator(".pick"))
    viewer.page.keyboard.press("Space")
    tab_to(lambda: viewer.card(THREE).locator(".pick"))
    viewer.page.keyboard.press("Enter")
    tab_to(lambda: viewer.bar.get_by_role("button", name="Compare"))
    viewer.page.keyboard.press("Enter")
    expect(viewer.range).to_be_focused()
    viewer.page.keyboard.press("Home")
    tab_to(lambda: viewer.button("Open Seed 3"))
    viewer.page.keyboard.press("Enter")
    tab_to(lambda: viewer.button("Use this seed"))
    viewer.page.keyboard.press("Enter")
    assert viewer.said() == [["select", {"action": "use_seed", "id": "c3"}]]
    expect(viewer.card(THREE).locator(".pick")).to_be_focused()
