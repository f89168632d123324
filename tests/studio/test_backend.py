"""The studio's promises, on the two real portraits and on portraits made from them."""

import asyncio
import importlib
import io
import threading
from collections.abc import Callable
from functools import cache

import cv2
import numpy as np
import portraits
import pytest
from PIL import Image

from headshot.comparison.comparing import plan
from headshot.errors import PhotoError, Stopped
from headshot.imaging import face, models
from headshot.imaging.photo import Photo
from headshot.progress import Progress
from headshot.request import Headshot, HeadshotRequest
from headshot.studio import analysis, framing, lighting, render
from headshot.studio.backend import Studio
from headshot.studio.prompt.look import StyleSpec

PORTRAITS = ("portrait", "astronaut")
SEEDS = (1, 2, 3, 4)


@cache
def analysed(kind: str, steps: int = 21) -> analysis.Analysis:
    pixels = picture(kind)
    found = face.find(pixels)
    return analysis.analyse(pixels, found[0], found[1:], steps=steps)


@cache
def picture(kind: str) -> np.ndarray:
    made = portraits.photograph(kind) if kind in PORTRAITS else getattr(portraits, kind)()
    return made[0] if isinstance(made, tuple) else made  # long_hair also gives the truth about its strands


def exposed(kind: str, look: StyleSpec, guidance_scale: float = 7.5, seed: int | None = None) -> np.ndarray:
    shared = render.prepare_look(analysed(kind), look, guidance_scale)
    variation = render.SeedJitter() if seed is None else render.SeedJitter.of(seed)
    return render.render_frame(shared, variation)[0]


def shoot(studio: Studio, photo: Photo, request: HeadshotRequest, seeds: tuple[int, ...]) -> list[Headshot]:
    async def run() -> list[Headshot]:
        return [headshot async for headshot in studio.generate(photo, plan(request, seeds), Progress())]

    return asyncio.run(run())


@pytest.fixture(scope="module")
def studio() -> Studio:
    return Studio(cached_photos=12)  # each portrait is analysed once for all tests


@pytest.fixture(scope="module")
def session_of_four(studio: Studio) -> list[Headshot]:
    return shoot(studio, Photo.of(Image.fromarray(picture("portrait"))), HeadshotRequest(), SEEDS)


def same_face(pixels: np.ndarray) -> face.Face:
    found = face.find(pixels)
    assert len(found) == 1
    return found[0]


# --- the files ---------------------------------------------------------------------------------------------------


def test_headshots_are_1024_by_1280_png_files_that_hold_the_picture(session_of_four: list[Headshot]) -> None:
    for headshot in session_of_four:
        assert headshot.image.size == (1024, 1280)
        with Image.open(io.BytesIO(headshot.png)) as read:
            assert read.format == "PNG"
            assert np.array_equal(np.asarray(read), np.asarray(headshot.image))


def test_the_same_photo_request_and_seed_give_the_same_bytes_in_a_new_studio(session_of_four: list[Headshot]) -> None:
    photo = Photo.of(Image.fromarray(picture("portrait")))
    alone = shoot(Studio(), photo, HeadshotRequest(), (3,))
    assert alone[0].png == session_of_four[2].png


def test_four_seeds_are_four_frames_of_one_session(session_of_four: list[Headshot]) -> None:
    pictures = [np.asarray(headshot.image).astype(np.float32) for headshot in session_of_four]
    means = np.array([cv2.cvtColor(shot / 255, cv2.COLOR_RGB2LAB).mean(axis=(0, 1)) for shot in pictures])
    assert np.ptp(means, axis=0).max() < 8  # one session: the overall colour hardly moves
    for one in range(4):
        for other in range(one):
            assert np.abs(pictures[one] - pictures[other]).mean() > 3  # and no two frames are the same


@pytest.mark.parametrize(
    "kind", [*PORTRAITS, "busy_background", "glasses", "long_hair", "darker_skin", "lighter_skin", "small_face"]
)
def test_the_default_look_keeps_the_likeness(kind: str, studio: Studio) -> None:
    photo = Photo.of(Image.fromarray(picture(kind)))
    reference = face.embed(photo.pixels, face.find(photo.pixels)[0])
    for headshot in shoot(studio, photo, HeadshotRequest(), SEEDS if kind in PORTRAITS else SEEDS[:2]):
        pixels = np.asarray(headshot.image)
        likeness = face.likeness(reference, face.embed(pixels, same_face(pixels)))
        assert likeness >= 0.90
        assert headshot.likeness == pytest.approx(likeness, abs=0.01)


def test_a_look_that_costs_too_much_likeness_is_rendered_milder_as_a_whole_and_says_so(studio: Studio) -> None:
    photo = Photo.of(Image.fromarray(picture("astronaut")))
    hard = HeadshotRequest(prompt="black and white, split light, high contrast, charcoal backdrop")
    headshots = shoot(studio, photo, hard, SEEDS)
    milder = [any("milder" in note.text for note in headshot.notes) for headshot in headshots]
    assert milder == [True] * 4
    assert min(headshot.likeness or 0 for headshot in headshots) >= 0.89


# --- framing -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("kind", PORTRAITS)
def test_the_eyes_stand_on_the_upper_third_and_the_head_fills_half_the_height(kind: str, seed: int) -> None:
    shared = render.prepare_look(analysed(kind), StyleSpec(), 7.5)
    pixels, crop = render.render_frame(shared, render.SeedJitter.of(seed))
    assert 0.45 <= crop.share <= 0.55
    mesh = face.mesh(pixels, same_face(pixels))
    eyes = mesh[[33, 263], :2].mean(axis=0)
    assert 0.34 <= eyes[1] / framing.HEIGHT <= 0.42
    assert 0.42 <= eyes[0] / framing.WIDTH <= 0.58


@pytest.mark.parametrize("kind", PORTRAITS)
def test_the_crop_sets_the_heads_share_and_no_seed_leaves_45_to_55_per_cent(kind: str) -> None:
    space = analysed(kind).room
    means = {}
    for crop in ("close", "classic", "wide"):
        moves = (render.SeedJitter.of(seed) for seed in range(60))
        shares = [framing.choose(space, crop, v.share, v.across, v.down, v.tilt).share for v in moves]  # type: ignore[arg-type]
        assert 0.45 <= min(shares) <= max(shares) <= 0.55
        means[crop] = sum(shares) / len(shares)
    assert means["close"] > means["classic"] + 0.02 > means["wide"] + 0.04


@pytest.mark.parametrize("edge", ["left", "right", "bottom"])
def test_no_frame_leaves_the_canvas_where_the_person_may_go_on(edge: str) -> None:
    """Beside the canvas and below it pixels would only be repeated, as streaks."""
    person = np.zeros((framing.CANVAS_HEIGHT // 8, framing.CANVAS_WIDTH // 8), np.float32)
    person[30:90, 50:110] = person[90:, :] = 1
    head = framing.Head(eyes=(640, 640), left=400, right=880, middle=640, crown=330, chin=990)
    for lost in range(0, 60, 5):  # of the grid, where the photo ends: the frame is pushed to the other side
        inside = np.ones_like(person)
        inside[{"left": np.s_[:, :lost], "right": np.s_[:, 160 - lost :], "bottom": np.s_[200 - lost :, :]}[edge]] = 0
        space = framing.framing_limits(person, inside, np.zeros_like(person), head)
        for crop in ("close", "classic", "wide"):
            for seed in range(8):
                v = render.SeedJitter.of(seed)
                chosen = framing.choose(space, crop, v.share, v.across, v.down, v.tilt)  # type: ignore[arg-type]
                back = cv2.invertAffineTransform(chosen.affine(1))
                corners = np.array([[0, 0], [1024, 0], [0, 1280], [1024, 1280]]) @ back[:, :2].T + back[:, 2]
                assert corners[:, 0].min() >= 0
                assert corners[:, 0].max() <= framing.CANVAS_WIDTH
                assert corners[:, 1].max() <= framing.CANVAS_HEIGHT


def test_a_small_tilt_is_levelled_by_half() -> None:
    pixels = portraits.tilted(8)
    found = face.find(pixels)
    tilted = analysis.analyse(pixels, found[0], [], steps=21)
    straight = exposed("portrait", StyleSpec())
    headshot, _ = render.render_frame(render.prepare_look(tilted, StyleSpec(), 7.5), render.SeedJitter())
    lean = face.roll_degrees(face.mesh(headshot, same_face(headshot)))
    upright = face.roll_degrees(face.mesh(straight, same_face(straight)))
    assert 2 <= abs(lean - upright) <= 6.5


@pytest.mark.parametrize("cut", ["bottom", "left", "right", "bust"])
def test_a_body_that_ends_in_the_photo_never_ends_in_mid_air(cut: str) -> None:
    pixels = portraits.photograph("portrait")
    region = {
        "bottom": np.s_[:560, :],
        "left": np.s_[:, 300:],
        "right": np.s_[:, :700],
        "bust": np.s_[:520, 260:740],
    }[cut]
    pixels = np.ascontiguousarray(pixels[region])
    studied = analysis.analyse(pixels, face.find(pixels)[0], [], steps=21)
    for seed in SEEDS:
        crop = render.render_frame(
            render.prepare_look(studied, StyleSpec(), 7.5), render.SeedJitter.of(seed), render.LIKENESS_TEST_SIZE
        )[1]
        assert crop.cut == 0
        # Where the frame's border lies beyond the photo's, no person may touch it.
        canvas = studied.alpha[
            max(0, int(crop.top)) : int(crop.top + framing.HEIGHT / crop.scale),
            max(0, int(crop.left)) : int(crop.left + framing.WIDTH / crop.scale),
        ]
        assert canvas[-1].max() > 0.9  # the body reaches the lower border


def test_a_small_face_gives_a_full_headshot_and_a_note(studio: Studio) -> None:
    photo = Photo.of(Image.fromarray(picture("small_face")))
    [headshot] = shoot(studio, photo, HeadshotRequest(), (1,))
    assert headshot.image.size == (1024, 1280)
    advice = [note.text for note in headshot.notes if note.kind == "advice"]
    assert "The face is too small in this photo for a headshot of use at full size: use a closer photo." in advice


# --- colour and light --------------------------------------------------------------------------------------------


def skin_of(pixels: np.ndarray) -> np.ndarray:
    """(n, 3) Lab of both cheeks and the forehead, on the face scaled to one size."""
    found = same_face(pixels)
    mesh = face.mesh(pixels, found)
    side = 200
    lab = cv2.cvtColor(pixels.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    values = []
    for ring in (
        [50, 101, 118, 117, 123, 147, 187, 205],
        [280, 330, 347, 346, 352, 376, 411, 425],
        [9, 107, 66, 69, 299, 296, 336],
    ):
        mask = np.zeros(pixels.shape[:2], np.uint8)
        cv2.fillPoly(mask, [mesh[ring, :2].astype(np.int32)], 1)
        values.append(lab[mask > 0])
    smooth = np.concatenate(values)
    assert len(smooth) > side
    return smooth


@pytest.mark.parametrize("kind", ["portrait", "astronaut", "darker_skin", "lighter_skin"])
@pytest.mark.parametrize("backdrop", ["white", "black"])
def test_skin_is_neither_lightened_nor_darkened_nor_evened_out(kind: str, backdrop: str) -> None:
    before, after = skin_of(picture(kind)), skin_of(exposed(kind, StyleSpec(backdrop=backdrop)))  # type: ignore[arg-type]
    assert abs(after[:, 0].mean() - before[:, 0].mean()) < 5
    assert np.abs(after[:, 1:].mean(axis=0) - before[:, 1:].mean(axis=0)).max() < 5
    assert after[:, 1:].std() > 0.8 * before[:, 1:].std()


def brightness_of_sides(pixels: np.ndarray) -> tuple[float, float]:
    mesh = face.mesh(pixels, same_face(pixels))
    grey = (cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY) / 255.0) ** 2.2
    sides = []
    for ring in ([50, 117, 123, 147, 187, 205], [280, 346, 352, 376, 411, 425]):
        mask = np.zeros(grey.shape, np.uint8)
        cv2.fillPoly(mask, [mesh[ring, :2].astype(np.int32)], 1)
        sides.append(float(grey[mask > 0].mean()))
    return sides[0], sides[1]


def test_skin_that_is_nearly_white_gets_no_more_light() -> None:
    pale = analysed("portrait")
    skin = (pale.surface.skin > 0.6).astype(np.uint8)

    def burnt(guidance_scale: float) -> float:
        shared = render.prepare_look(pale, StyleSpec(backdrop="charcoal", contrast="low"), guidance_scale)
        made, crop = render.render_frame(shared, render.SeedJitter())
        frame_from_grid = crop.affine(1) @ np.diag([analysis.GRID, analysis.GRID, 1.0])
        there = cv2.warpAffine(skin, frame_from_grid, made.shape[1::-1]) > 0
        return float((made.max(axis=2)[there] > 240).mean())

    assert burnt(7.5) < burnt(1) + 0.02


@pytest.mark.parametrize("kind", PORTRAITS)
def test_the_key_light_brightens_its_own_side(kind: str) -> None:
    left, right = brightness_of_sides(exposed(kind, StyleSpec(light="Rembrandt", key_side="left")))
    other_left, other_right = brightness_of_sides(exposed(kind, StyleSpec(light="Rembrandt", key_side="right")))
    assert left / right > 1.15 * other_left / other_right


@pytest.mark.parametrize("kind", PORTRAITS)
def test_split_light_is_harder_than_loop_and_loop_than_soft(kind: str) -> None:
    def ratio(pattern: lighting.Pattern) -> float:
        left, right = brightness_of_sides(exposed(kind, StyleSpec(light=pattern, key_side="left")))
        return left / right

    assert ratio("split") > 1.2 * ratio("loop")
    assert ratio("loop") > 1.02 * ratio("soft")


def test_relighting_leaves_the_skins_mean_exposure() -> None:
    studied = analysed("portrait")
    weight = studied.surface.skin * studied.surface.face
    for setup in lighting.SETUPS.values():
        gain = lighting.relight(studied.surface, studied.light, setup, -1.0, 1.0, studied.face_px / 4)
        assert float((gain * weight).sum() / weight.sum()) == pytest.approx(1, abs=0.02)


def test_normals_face_the_camera_on_the_nose_and_turn_away_at_the_ears() -> None:
    shape = analysed("portrait").surface
    assert np.linalg.norm(shape.normals, axis=2) == pytest.approx(1, abs=1e-4)
    rows, columns = np.nonzero(shape.face > 0.9)
    middle = (rows.min() + rows.max()) // 2
    inside = shape.normals[middle, columns.min() : columns.max()]
    assert inside[len(inside) // 8, 0] < -0.25 < 0.25 < inside[-len(inside) // 8, 0]
    assert inside[len(inside) // 2, 2] > 0.8


@pytest.mark.parametrize("kind", PORTRAITS)
def test_guidance_is_how_far_the_look_departs_from_the_photo(kind: str) -> None:
    reference = face.embed(picture(kind), face.find(picture(kind))[0])
    departures = []
    for guidance_scale in (1, 7.5, 20):
        pixels = exposed(kind, StyleSpec(light="Rembrandt"), guidance_scale)
        departures.append(1 - face.likeness(reference, face.embed(pixels, same_face(pixels))))
    assert departures[0] < 0.03  # cut out, framed and corrected only
    assert departures[0] < departures[1] < departures[2]


def test_black_and_white_has_no_colour_left() -> None:
    pixels = exposed("portrait", StyleSpec(black_and_white=True)).astype(int)
    assert np.ptp(pixels, axis=2).max() <= 1


@pytest.mark.parametrize(
    ("backdrop", "lightness", "blueness"),
    [("white", (88, 101), (-4, 4)), ("light grey", (55, 85), (-6, 4)), ("charcoal", (8, 40), (-6, 4)),
     ("black", (0, 14), (-5, 4)), ("navy", (8, 36), (-40, -8)), ("beige", (45, 85), (6, 30))],
)  # fmt: skip
def test_the_backdrop_has_its_colour_beside_the_head(
    backdrop: str, lightness: tuple[float, float], blueness: tuple[float, float]
) -> None:
    pixels = exposed("portrait", StyleSpec(backdrop=backdrop))  # type: ignore[arg-type]
    corner = cv2.cvtColor(pixels[80:300, 40:200].astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    middle = np.median(corner, axis=(0, 1))
    assert lightness[0] <= middle[0] <= lightness[1]
    assert blueness[0] <= middle[2] <= blueness[1]


def test_retouch_softens_the_middle_scale_and_keeps_the_pores() -> None:
    raw, polished = (exposed("portrait", StyleSpec(retouch=retouch, grain="none")) for retouch in ("none", "polished"))  # type: ignore[arg-type]
    mesh = face.mesh(raw, same_face(raw))
    cheek = np.zeros(raw.shape[:2], np.uint8)
    cv2.fillPoly(cheek, [mesh[[280, 330, 347, 346, 352, 376, 411, 425], :2].astype(np.int32)], 1)

    def bands(pixels: np.ndarray) -> tuple[float, float]:
        grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY).astype(np.float32)
        fine = grey - cv2.GaussianBlur(grey, (0, 0), 2)
        middle = cv2.GaussianBlur(grey, (0, 0), 4) - cv2.GaussianBlur(grey, (0, 0), 11)
        return float(fine[cheek > 0].std()), float(middle[cheek > 0].std())

    (fine_raw, middle_raw), (fine_polished, middle_polished) = bands(raw), bands(polished)
    assert middle_polished < 0.9 * middle_raw
    assert fine_polished > 0.9 * fine_raw


def test_skin_in_the_shade_of_the_key_is_warmer_than_the_same_skin_made_darker() -> None:
    look = StyleSpec(light="split", key_side="left", grain="none", rim="none", retouch="none")
    lit, shaded = (exposed("portrait", look, guidance) for guidance in (1.0, 7.5))
    reds = []
    for pixels in (lit, shaded):
        mesh = face.mesh(pixels, same_face(pixels))
        cheek = np.zeros(pixels.shape[:2], np.uint8)
        cv2.fillPoly(cheek, [mesh[[280, 346, 352, 376, 411, 425], :2].astype(np.int32)], 1)
        red, green, blue = pixels[cheek > 0].astype(float).mean(axis=0)
        reds.append((red / blue, green))
    (before, bright), (after, dark) = reds
    assert dark < 0.9 * bright
    assert after > 1.03 * before


# --- running -----------------------------------------------------------------------------------------------------


def test_a_photo_without_a_face_is_refused_with_a_sentence(studio: Studio) -> None:
    with pytest.raises(PhotoError, match="No face"):
        shoot(studio, Photo.of(Image.fromarray(picture("no_face"))), HeadshotRequest(), (1,))


def test_a_photo_on_its_side_is_refused_with_how_to_turn_it_and_taken_once_it_is_turned(studio: Studio) -> None:
    upright = Photo.of(Image.fromarray(picture("portrait")))
    on_its_side = upright.turned(270)
    with pytest.raises(PhotoError, match=r"lies on its side.*90° clockwise"):
        shoot(studio, on_its_side, HeadshotRequest(), (1,))
    [one], [other] = (shoot(studio, photo, HeadshotRequest(), (1,)) for photo in (on_its_side.turned(90), upright))
    assert one.png == other.png


def test_another_face_can_be_chosen(studio: Studio) -> None:
    pixels = picture("two_people")
    photo = Photo.of(Image.fromarray(pixels))
    references = [face.embed(pixels, found) for found in face.find(pixels)[:2]]

    async def run(index: int) -> Headshot:
        requests = plan(HeadshotRequest(), [1])
        [headshot] = [headshot async for headshot in studio.generate(photo, requests, Progress(), face=index)]
        return headshot

    for index in (0, 1):
        result = np.asarray(asyncio.run(run(index)).image)
        embedding = face.embed(result, face.find(result)[0])
        scores = [face.likeness(reference, embedding) for reference in references]
        assert int(np.argmax(scores)) == index


def test_each_further_seed_reuses_the_analysis(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    photo = Photo.of(Image.fromarray(picture("portrait")))
    shoot(studio, photo, HeadshotRequest(), (1,))
    seen: list[str] = []
    original = models.run
    monkeypatch.setattr(models, "run", lambda name, batch: seen.append(name) or original(name, batch))
    shoot(studio, photo, HeadshotRequest(prompt="navy backdrop"), (8, 9))
    assert "u2netp" not in seen
    assert "sface_int8bq" in seen  # the spy does see what runs


def test_the_studio_remembers_no_more_photos_than_it_was_told(monkeypatch: pytest.MonkeyPatch) -> None:
    forgetful = Studio(cached_photos=1)
    first, second = (Photo.of(Image.fromarray(picture(kind))) for kind in PORTRAITS)
    shoot(forgetful, first, HeadshotRequest(), (1,))
    shoot(forgetful, second, HeadshotRequest(), (1,))
    seen: list[str] = []
    original = models.run
    monkeypatch.setattr(models, "run", lambda name, batch: seen.append(name) or original(name, batch))
    shoot(forgetful, second, HeadshotRequest(), (2,))
    assert "u2netp" not in seen
    shoot(forgetful, first, HeadshotRequest(), (2,))
    assert "u2netp" in seen


def test_a_forgotten_photo_is_analysed_anew(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    photo = Photo.of(Image.fromarray(picture("portrait")))
    shoot(studio, photo, HeadshotRequest(), (1,))
    studio.drop_cache(photo)
    seen: list[str] = []
    original = models.run
    monkeypatch.setattr(models, "run", lambda name, batch: seen.append(name) or original(name, batch))
    shoot(studio, photo, HeadshotRequest(), (1,))
    assert "u2netp" in seen


def test_a_photo_taken_back_while_it_is_analysed_is_not_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    hasty = Studio()
    photo = Photo.of(Image.fromarray(picture("portrait")))
    original = models.run
    seen: list[str] = []

    def interrupted(name: str, batch: np.ndarray) -> list[np.ndarray]:
        if name == "u2netp":
            seen.append(name)
            hasty.drop_cache(photo)
        return original(name, batch)

    monkeypatch.setattr(models, "run", interrupted)
    shoot(hasty, photo, HeadshotRequest(), (1,))
    once = len(seen)
    shoot(hasty, photo, HeadshotRequest(), (1,))
    assert len(seen) == 2 * once > 0


def test_stop_ends_a_comparison_and_keeps_what_had_landed(studio: Studio) -> None:
    photo = Photo.of(Image.fromarray(picture("portrait")))
    landed: list[Headshot] = []
    progress = Progress()

    async def run() -> None:
        async for headshot in studio.generate(photo, plan(HeadshotRequest(), list(range(8))), progress):
            landed.append(headshot)
            progress.cancel()

    with pytest.raises(Stopped):
        asyncio.run(run())
    assert 1 <= len(landed) <= 3
    assert len(shoot(studio, photo, HeadshotRequest(), (1,))) == 1  # and the studio goes on


def test_progress_tells_the_stages_and_the_count(studio: Studio) -> None:
    steps = []
    photo = Photo.of(Image.fromarray(picture("portrait")))

    async def run() -> None:
        progress = Progress(lambda step: steps.append((step.done, step.total)))
        async for _ in studio.generate(photo, plan(HeadshotRequest(), [1, 2, 3]), progress):
            pass

    asyncio.run(run())
    assert [done for done, _ in steps] == sorted(done for done, _ in steps)
    assert steps[-1] == (3, 3)


def test_comparisons_at_once_take_turns_and_all_finish(studio: Studio) -> None:
    photos = [Photo.of(Image.fromarray(picture(kind))) for kind in PORTRAITS] * 2
    prompts = ("white backdrop", "navy backdrop", "office backdrop", "garden backdrop")
    landed: list[int] = []

    async def one(number: int) -> None:
        requests = plan(HeadshotRequest(prompt=prompts[number]), [1, 2, 3, 4])
        async for _ in studio.generate(photos[number], requests, Progress()):
            landed.append(number)

    async def run() -> None:
        await asyncio.gather(*(one(number) for number in range(4)))

    asyncio.run(run())
    assert sorted(landed) == [number for number in range(4) for _ in range(4)]
    first_to_end = min(len(landed) - landed[::-1].index(number) for number in range(4))
    assert len(set(landed[:first_to_end])) > 1  # nobody is done before somebody else has something


def test_no_work_is_done_on_the_event_loop(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    threads: set[int] = set()
    for place, name in (
        ("headshot.imaging.models", "run"),
        ("headshot.studio.backend", "render_frame"),
        ("headshot.studio.backend", "fast_png"),
    ):
        original = getattr(importlib.import_module(place), name)

        def noting(*arguments: object, original: Callable[..., object] = original) -> object:
            threads.add(threading.get_ident())
            return original(*arguments)

        monkeypatch.setattr(f"{place}.{name}", noting)
    shoot(studio, Photo.of(Image.fromarray(picture("astronaut"))), HeadshotRequest(prompt="beige backdrop"), (1,))
    assert threads
    assert threading.get_ident() not in threads


def test_what_the_studio_cannot_do_is_said_and_not_dropped(studio: Studio) -> None:
    photo = Photo.of(Image.fromarray(picture("portrait")))
    request = HeadshotRequest(prompt="charcoal backdrop, Rembrandt light, wearing a red velvet jacket, big smile")
    [headshot] = shoot(studio, photo, request, (1,))
    said = {
        kind: " ".join(note.text for note in headshot.notes if note.kind == kind) for kind in ("applied", "not applied")
    }
    assert "charcoal" in said["applied"]
    assert "Rembrandt" in said["applied"]
    assert "jacket" in said["not applied"]
    assert "smile" in said["not applied"]
