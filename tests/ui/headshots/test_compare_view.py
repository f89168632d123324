"""Comparing two headshots: the slider, the table of differences, and pictures that are missing."""

from dataclasses import replace

import pytest
from playwright.sync_api import Route, expect
from viewing import BLUE, GREEN, ONE, RED, THREE, TWO, Viewer

pytestmark = pytest.mark.browser


def test_the_line_follows_the_mouse(viewer: Viewer) -> None:
    viewer.compare(ONE, TWO)
    viewer.page.mouse.click(*viewer.at(0.2))
    expect(viewer.range).to_have_js_property("value", "20")
    viewer.shows(RED, GREEN, line=0.2)
    viewer.page.mouse.move(*viewer.at(0.2))
    viewer.page.mouse.down()
    viewer.page.mouse.move(*viewer.at(0.5))
    viewer.page.mouse.move(*viewer.at(0.8))
    viewer.page.mouse.up()
    expect(viewer.range).to_have_js_property("value", "80")
    viewer.shows(RED, GREEN, line=0.8)


def test_the_line_reaches_both_edges(viewer: Viewer) -> None:
    viewer.compare(ONE, TWO)
    for share, line in ((-0.2, 0), (1.2, 1)):
        viewer.page.mouse.move(*viewer.at(0.5))
        viewer.page.mouse.down()
        viewer.page.mouse.move(*viewer.at(share))
        viewer.page.mouse.up()
        viewer.shows(RED, GREEN, line=line)
        expect(viewer.dialog).to_be_visible()
        viewer.page.mouse.click(*viewer.at(0.5))


def test_the_line_follows_the_keys_and_says_where_it_is(viewer: Viewer) -> None:
    viewer.compare(ONE, TWO)
    expect(viewer.range).to_have_attribute("aria-valuetext", "50 % Seed 1, 50 % Seed 2")
    for key, value in (
        ("ArrowRight", "50.5"),
        ("ArrowLeft", "50"),
        ("PageUp", "60"),
        ("End", "100"),
        ("PageDown", "90"),
        ("Home", "0"),
        ("Space", "100"),
        ("Space", "0"),
        ("PageUp", "10"),
    ):
        viewer.page.keyboard.press(key)
        expect(viewer.range).to_have_js_property("value", value)
        viewer.shows(RED, GREEN, line=float(value) / 100)
    expect(viewer.range).to_have_attribute("aria-valuetext", "10 % Seed 1, 90 % Seed 2")
    expect(viewer.title).to_have_text("Seed 1 and Seed 2")


def test_the_line_follows_a_finger(phone: Viewer) -> None:
    phone.compare(ONE, TWO)
    phone.swipe(phone.at(0.5), phone.at(0.25))
    expect(phone.range).to_have_js_property("value", "25")
    phone.shows(RED, GREEN, line=0.25)
    x, y = phone.at(0.75)
    phone.page.touchscreen.tap(x, y)
    expect(phone.range).to_have_js_property("value", "75")
    phone.shows(RED, GREEN, line=0.75)


def test_a_finger_that_goes_up_scrolls_and_leaves_the_line(phone: Viewer) -> None:
    phone.draw(ONE, replace(THREE, prompt="a very long wish " * 60))
    phone.compare(ONE, THREE)
    x, y = phone.at(0.7)
    phone.swipe((x, y), (x + 4, y - 200))
    phone.page.wait_for_function("document.querySelector('.viewer').scrollTop > 50")
    expect(phone.range).to_have_js_property("value", "50")


def test_pictures_are_chosen_and_swapped_and_never_compared_with_themselves(viewer: Viewer) -> None:
    viewer.compare(ONE, TWO)
    left, right = viewer.select("Left picture"), viewer.select("Right picture")
    expect(left.locator("option")).to_have_text(["Original", "Seed 1", "Seed 2", "Seed 3"])
    right.select_option("Seed 3")
    expect(viewer.title).to_have_text("Seed 1 and Seed 3")
    viewer.compared()
    viewer.shows(RED, BLUE, line=0.5)
    viewer.button("Swap left and right").click()
    expect(viewer.title).to_have_text("Seed 3 and Seed 1")
    viewer.compared()
    viewer.shows(BLUE, RED, line=0.5)
    right.select_option("Original")
    expect(viewer.title).to_have_text("Seed 3 and Original")
    expect(viewer.dialog.locator(".right img")).to_have_attribute("src", THREE.original)
    left.select_option("Original")
    expect(viewer.title).to_have_text("Original and Seed 3")
    right.select_option("Seed 2")
    expect(viewer.dialog.locator(".left img")).to_have_attribute("src", TWO.original)
    left.select_option("Seed 2")
    expect(viewer.title).to_have_text("Seed 2 and Original")
    assert [viewer.select(f"{side} picture").evaluate("list => list.value") for side in ("Left", "Right")] == [
        "shots/b2",
        "",
    ]


def _table(viewer: Viewer) -> list[list[str]]:
    rows = viewer.dialog.locator(".differences tr").all()
    return [[cell.inner_text() for cell in row.locator("th, td").all()] for row in rows[:-1]]


def test_only_what_differs_is_listed_and_the_likeness_and_the_time_of_each(viewer: Viewer) -> None:
    viewer.compare(ONE, THREE)
    assert _table(viewer) == [
        ["", "Seed 1", "Seed 3"],
        ["Guidance", "7.5", "12"],
        ["Seed", "1", "3"],
        ["Likeness", "0.81", "unknown"],
        ["Time", "0.5 s", "0.5 s"],
    ]
    differences = viewer.dialog.locator(".differences")
    expect(differences.locator("h3")).to_have_text(["Prompt", "Negative prompt"])
    expect(differences.locator("dd")).to_have_text(["light grey backdrop", "navy backdrop", "none", "hat"])


def test_two_of_one_request_that_came_from_something_else_are_told_apart(viewer: Viewer) -> None:
    studio = {"backend": "Studio", "photo": "1a2b3c", "face": 1}
    local = {"backend": "Local pipeline", "model": "<b>one</b>@9f8e7d6", "photo": "9f8e7d", "face": 2}
    first, other, alike, unknown = (
        replace(ONE, id=f"o{at}", likeness=None, more={"origin": origin} if origin else {})
        for at, origin in enumerate((studio, local, studio, None))
    )
    other = replace(other, size=(512, 640))
    viewer.draw(first, other, alike, unknown)
    nothing = viewer.dialog.get_by_text("No differences")
    viewer.compare(first, other)
    expect(nothing).to_have_count(0)
    assert _table(viewer)[1:-1] == [
        ["Backend", "Studio", "Local pipeline"],
        ["Photo ID", "1a2b3c", "9f8e7d"],
        ["Face", "1", "2"],
        ["Size", "256 × 320", "512 × 640"],
    ]
    viewer.page.keyboard.press("Escape")
    for same in (alike, unknown):  # of what nobody knows nothing is claimed
        viewer.compare(first, same)
        expect(nothing).to_be_visible()
        assert len(_table(viewer)) == 2
        viewer.page.keyboard.press("Escape")
    viewer.compare(first, other, unknown)
    assert _table(viewer)[1] == ["Backend", "Studio", "Local pipeline", "unknown"]
    viewer.page.keyboard.press("Escape")
    another = replace(first, id="m", more={"origin": {**local, "model": "one@1a2b3c4"}})
    viewer.draw(first, other, another)
    viewer.compare(first, other, another)
    assert _table(viewer)[2] == ["Model", "none", "<b>one</b>@9f8e7d6", "one@1a2b3c4"]


def test_in_the_prompts_those_words_are_marked_that_not_all_have(viewer: Viewer) -> None:
    prompts = ("a calm woman, grey wall, soft light", "a calm man,  grey wall,\nhard side light", "a calm man, wall")
    cards = [replace(ONE, id=f"n{at}", seed=at, prompt=prompt) for at, prompt in enumerate(prompts)]
    viewer.draw(*cards)
    viewer.compare(*cards[:2])
    texts = viewer.dialog.locator(".differences dd")
    assert [each.locator("mark").all_inner_texts() for each in texts.all()] == [["woman", "soft"], ["man", "hard side"]]
    viewer.page.keyboard.press("Escape")
    viewer.compare(*cards)
    marks = [each.locator("mark").all_inner_texts() for each in texts.all()]
    assert marks == [["woman", "grey", ", soft light"], ["man", "grey", ",\nhard side light"], ["man"]]
    assert [each.inner_text().split() for each in texts.all()] == [prompt.split() for prompt in prompts]


def test_prompts_that_share_no_word_are_left_unmarked(viewer: Viewer) -> None:
    cards = (replace(ONE, prompt="grey, wall"), replace(TWO, prompt="дом, лес"))
    viewer.draw(*cards)
    viewer.compare(*cards)
    expect(viewer.dialog.locator(".differences dd")).to_have_text(["grey, wall", "дом, лес"])
    expect(viewer.dialog.locator(".differences mark")).to_have_count(0)


def test_the_likeness_stands_under_each_and_what_it_means_below(viewer: Viewer) -> None:
    means = "Likeness to your photo. Two photos of one person reach about 0.70–0.77, different people at most 0.29"
    legend = viewer.dialog.locator(".legend")
    viewer.compare(TWO, THREE)
    expect(viewer.pair.locator(".left p")).to_have_text("Seed 2likeness 0.92")
    expect(viewer.pair.locator(".right p")).to_have_text("Seed 3")
    expect(legend).to_have_text(f"{means}.")
    viewer.page.keyboard.press("Escape")
    own = '<p id="calibration" data-own="0.738"></p>'
    viewer.page.evaluate("html => document.body.insertAdjacentHTML('beforeend', html)", own)
    viewer.compare(TWO, THREE)
    expect(legend).to_have_text(f"{means}; your own two photos: 0.74.")


def test_two_of_the_same_request_say_that_nothing_differs(viewer: Viewer) -> None:
    viewer.draw(ONE, replace(ONE, id="again"))
    viewer.compare(ONE, replace(ONE, id="again"))
    expect(viewer.title).to_have_text("Seed 1 (1) and Seed 1 (2)")
    expect(viewer.dialog.locator(".differences")).to_contain_text("both come from the same request")


def test_against_the_original_stands_what_was_applied(viewer: Viewer) -> None:
    viewer.open(TWO)
    viewer.button("Compare with the original").click()
    expect(viewer.range).to_be_focused()
    expect(viewer.dialog.locator(".differences li")).to_have_text(["loop light", "grey backdrop"])
    expect(viewer.dialog.locator(".opens button")).to_have_count(1)


def test_the_better_one_is_opened_from_the_slider_and_kept(viewer: Viewer) -> None:
    viewer.compare(ONE, THREE)
    viewer.button("Open Seed 3").click()
    expect(viewer.title).to_have_text("Seed 3")
    expect(viewer.range).to_be_hidden()
    viewer.button("Pin as baseline").click()
    assert viewer.said() == [["select", {"action": "baseline", "id": "c3"}]]
    viewer.page.keyboard.press("Escape")
    expect(viewer.card(THREE).locator(".pick")).to_be_focused()
    expect(viewer.page.locator(".pick[aria-pressed=true]")).to_have_count(0)


def test_a_page_that_is_renewed_leaves_the_slider_as_it_is(viewer: Viewer) -> None:
    viewer.draw(ONE, TWO)
    viewer.compare(ONE, TWO)
    viewer.page.keyboard.press("End")
    watching = "part => { flashes = 0; new MutationObserver(() => flashes++).observe(part, {attributes: true}); }"
    viewer.dialog.locator(".stage").evaluate(watching)
    viewer.draw(ONE, TWO, THREE)
    expect(viewer.range).to_have_js_property("value", "100")
    expect(viewer.range).to_be_focused()
    expect(viewer.select("Left picture").locator("option")).to_have_count(4)
    assert viewer.page.evaluate("flashes") == 0


def test_nothing_is_shown_before_both_pictures_are_there(viewer: Viewer) -> None:
    held: list[Route] = []
    viewer.page.route("**/white.png*", lambda route: held.append(route))
    viewer.pick(TWO)
    viewer.bar.get_by_role("button", name="Compare with the original").click()
    expect(viewer.dialog.locator(".state")).to_have_text("Loading both pictures…")
    expect(viewer.dialog.locator(".right img")).to_be_hidden()
    held[0].continue_()
    expect(viewer.dialog.locator(".right img")).to_be_visible()
    expect(viewer.dialog.locator(".state")).to_be_hidden()


@pytest.mark.parametrize("compare", [False, True])
def test_a_picture_that_was_deleted_gets_its_sentence_and_the_others_still_show(viewer: Viewer, compare: bool) -> None:
    sentence = "This picture is no longer here: pictures are deleted after a while."
    gone = replace(TWO, picture="/gone.png")
    viewer.draw(ONE, gone, THREE)
    if compare:
        viewer.pick(ONE, gone)
        viewer.bar.get_by_role("button", name="Compare").click()
    else:
        viewer.open(gone)
    expect(viewer.dialog.locator(".state")).to_have_text(sentence)
    expect(viewer.dialog.locator(".pair img").first).to_be_hidden()
    if compare:
        viewer.select("Right picture").select_option("Seed 3")
    else:
        viewer.page.keyboard.press("ArrowRight")
    expect(viewer.dialog.locator(".left img")).to_be_visible()
    expect(viewer.dialog.locator(".state")).to_be_hidden()
    assert all("404" in complaint for complaint in viewer.complaints)
    viewer.complaints.clear()
