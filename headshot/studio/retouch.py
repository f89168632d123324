"""Retouching: enlargement of small faces, evening of the skin's middle scale, clear eyes."""

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from headshot.imaging.warp import downsampled, scale_factor, source_region

Array = npt.NDArray[Any]


# Canvas to photo pixels, by eye on ten small faces. Up to the first, edges can be steepened; from the second on,
# steepened edges look etched, and JPEG blocks on the skin look like scales.
_DETAILED, _DETAIL_IS_GONE = 1.6, 2.4
_JPEG = 0.012  # sRGB: detail of this strength is halved; pores and blocks are weaker, lashes and wrinkles stronger
_CLARITY = 0.25  # unsharp masking before the enlargement, wide, so that eyes and mouth keep their contrast


def enlarge(pixels: Array, affine: Array, size: tuple[int, int]) -> Array:
    """Warp photo pixels onto the canvas.

    Reduction is by area. Enlargement goes in steps of at most two. A face that has nearly enough pixels is kept
    crisp: after each step its edges are steepened, held between the neighbourhood's darkest and brightest value so
    that they get no halos. A small face is denoised first and then enlarged softly.

    Args:
        pixels: (H, W, 3) uint8 RGB.
        affine: (2, 3) canvas from photo.
        size: width and height of the canvas.

    Returns:
        (height, width, 3) float32, 0…1.
    """
    scale = scale_factor(affine)
    region, affine = downsampled(*source_region(pixels, affine, size, margin=6 + 4 / scale))
    picture: Array = region.astype(np.float32) / 255
    softness = float(np.clip((scale - _DETAILED) / (_DETAIL_IS_GONE - _DETAILED), 0, 1))
    if softness > 0:
        picture = _denoised(picture, softness)
    affine = affine.copy()
    while scale > 1.35:
        step = min(2.0, scale)
        interpolation = cv2.INTER_LANCZOS4 if softness < 1 else cv2.INTER_CUBIC
        picture = cv2.resize(picture, None, fx=step, fy=step, interpolation=interpolation)
        if softness < 1:
            picture = _sharpened_without_halos(picture, 0.5 * step, 0.32 * (step - 1) * (1 - softness))
        affine[:, :2] /= step
        affine[:, 2] += affine[:, :2] @ [0.5 - 0.5 * step, 0.5 - 0.5 * step]  # pixel centres, not corners
        scale /= step
    warped = cv2.warpAffine(picture, affine, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    return np.clip(warped, 0, 1)


def _denoised(picture: Array, softness: float) -> Array:
    """Remove JPEG blocks and sensor noise before they are enlarged into blotches; `softness`, 0…1, is how much.

    In the luminance, weak fine detail is removed and strong detail kept ("coring"). Colour is blurred: a JPEG has only
    half its pixels anyway.
    """
    luminance, *colour = cv2.split(cv2.cvtColor(picture, cv2.COLOR_RGB2YCrCb))
    blurred = cv2.GaussianBlur(luminance, (0, 0), 0.6)
    detail = luminance - blurred
    strong = np.abs(detail)
    cored: Array = blurred + detail * (strong / (strong + softness * _JPEG + 1e-6))
    clarity = _CLARITY * softness
    clear = cv2.addWeighted(cored, 1 + clarity, cv2.GaussianBlur(cored, (0, 0), 1.2), -clarity, 0)
    smooth = [cv2.bilateralFilter(plane, 5, 0.03 * softness + 1e-6, 1.5) for plane in colour]
    return cv2.cvtColor(cv2.merge([clear, *smooth]), cv2.COLOR_YCrCb2RGB)


def _sharpened_without_halos(picture: Array, sigma: float, amount: float) -> Array:
    kernel = np.ones((3, 3), np.uint8)
    low, high = cv2.erode(picture, kernel) - 0.008, cv2.dilate(picture, kernel) + 0.008
    for _ in range(2):
        blurred = cv2.GaussianBlur(picture, (0, 0), sigma)
        picture = np.clip(cv2.addWeighted(picture, 1 + amount, blurred, -amount, 0), low, high)
    return picture


def skin_layer(canvas: Array, skin: Array, face_px: float) -> Array:
    """Return the full retouch of the skin, (H, W) float32, to be added to each channel.

    Frequency separation: of the middle scale (spots, blotches, hard small shadows: sigma .0055 to .028 of the face)
    a third is left, the fine scale (pores) and the coarse one (form) are kept, and strong structure (lines, a beard,
    moles) is spared, because it is the person. Only luminance changes.

    Args:
        canvas: (H, W, 3) float32 RGB 0…1.
        skin: (h, w), 0…1, where skin shows; of any size.
        face_px: the face's height on the canvas.
    """
    luminance = cv2.cvtColor(canvas, cv2.COLOR_RGB2GRAY)
    half = cv2.resize(luminance, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    mask = cv2.resize(skin, half.shape[::-1], interpolation=cv2.INTER_LINEAR)
    fine = cv2.GaussianBlur(half, (0, 0), 0.0055 * face_px / 2)
    # Normalised by the mask: hair and backdrop beside the skin must not bleed into it.
    weight = cv2.GaussianBlur(mask, (0, 0), 0.028 * face_px / 2)
    coarse = cv2.GaussianBlur(half * mask, (0, 0), 0.028 * face_px / 2) / np.maximum(weight, 1e-3)
    band = fine - coarse
    spared = np.exp(-((band / 0.07) ** 2))
    change = -0.65 * band * spared * mask * np.clip(weight * 1.5 - 0.2, 0, 1)
    return cv2.resize(change, luminance.shape[::-1], interpolation=cv2.INTER_LINEAR)


def eye_layer(canvas: Array, eyes: Array, face_px: float) -> Array:
    """Return what makes eyes clear, (H, W) float32, to be added to each channel: local contrast and a little light.

    Args:
        canvas: (H, W, 3) float32 RGB 0…1.
        eyes: (H, W), 1 in the eyes' openings.
        face_px: the face's height on the canvas.
    """
    luminance = cv2.cvtColor(canvas, cv2.COLOR_RGB2GRAY)
    detail = luminance - cv2.GaussianBlur(luminance, (0, 0), 0.012 * face_px)
    return np.clip(0.45 * detail + 0.03 * luminance, -0.06, 0.06) * eyes
