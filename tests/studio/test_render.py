"""The renderer: what a look does to the picture of a real person."""

import cv2
import numpy as np
import portraits
import pytest
from studio_pictures import PORTRAITS, analysed, picture, rendered, same_face

from headshot.imaging import face
from headshot.studio import analysis, framing, lighting, render
from headshot.studio.prompt.style_spec import StyleSpec

SEEDS = (1, 2, 3, 4)


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
    space = analysed(kind).framing_limits
    means = {}
    for crop in ("close", "classic", "wide"):
        moves = (render.SeedJitter.of(seed) for seed in range(60))
        shares = [framing.choose_frame(space, crop, v.share, v.across, v.down, v.tilt).share for v in moves]  # type: ignore[arg-type]
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
                chosen = framing.choose_frame(space, crop, v.share, v.across, v.down, v.tilt)  # type: ignore[arg-type]
                back = cv2.invertAffineTransform(chosen.affine(1))
                corners = np.array([[0, 0], [1024, 0], [0, 1280], [1024, 1280]]) @ back[:, :2].T + back[:, 2]
                assert corners[:, 0].min() >= 0
                assert corners[:, 0].max() <= framing.CANVAS_WIDTH
                assert corners[:, 1].max() <= framing.CANVAS_HEIGHT


def test_a_small_tilt_is_levelled_by_half() -> None:
    pixels = portraits.tilted(8)
    found = face.find(pixels)
    tilted = analysis.analyse(pixels, found[0], [], steps=21)
    straight = rendered("portrait", StyleSpec())
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
    before, after = skin_of(picture(kind)), skin_of(rendered(kind, StyleSpec(backdrop=backdrop)))  # type: ignore[arg-type]
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
    left, right = brightness_of_sides(rendered(kind, StyleSpec(light="Rembrandt", key_side="left")))
    other_left, other_right = brightness_of_sides(rendered(kind, StyleSpec(light="Rembrandt", key_side="right")))
    assert left / right > 1.15 * other_left / other_right


@pytest.mark.parametrize("kind", PORTRAITS)
def test_split_light_is_harder_than_loop_and_loop_than_soft(kind: str) -> None:
    def ratio(pattern: lighting.Pattern) -> float:
        left, right = brightness_of_sides(rendered(kind, StyleSpec(light=pattern, key_side="left")))
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
        pixels = rendered(kind, StyleSpec(light="Rembrandt"), guidance_scale)
        departures.append(1 - face.likeness(reference, face.embed(pixels, same_face(pixels))))
    assert departures[0] < 0.03  # cut out, framed and corrected only
    assert departures[0] < departures[1] < departures[2]


def test_black_and_white_has_no_colour_left() -> None:
    pixels = rendered("portrait", StyleSpec(black_and_white=True)).astype(int)
    assert np.ptp(pixels, axis=2).max() <= 1


@pytest.mark.parametrize(
    ("backdrop", "lightness", "blueness"),
    [("white", (88, 101), (-4, 4)), ("light grey", (55, 85), (-6, 4)), ("charcoal", (8, 40), (-6, 4)),
     ("black", (0, 14), (-5, 4)), ("navy", (8, 36), (-40, -8)), ("beige", (45, 85), (6, 30))],
)  # fmt: skip
def test_the_backdrop_has_its_colour_beside_the_head(
    backdrop: str, lightness: tuple[float, float], blueness: tuple[float, float]
) -> None:
    pixels = rendered("portrait", StyleSpec(backdrop=backdrop))  # type: ignore[arg-type]
    corner = cv2.cvtColor(pixels[80:300, 40:200].astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    middle = np.median(corner, axis=(0, 1))
    assert lightness[0] <= middle[0] <= lightness[1]
    assert blueness[0] <= middle[2] <= blueness[1]


def test_retouch_softens_the_middle_scale_and_keeps_the_pores() -> None:
    raw, polished = (rendered("portrait", StyleSpec(retouch=retouch, grain="none")) for retouch in ("none", "polished"))  # type: ignore[arg-type]
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
    lit, shaded = (rendered("portrait", look, guidance) for guidance in (1.0, 7.5))
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
