"""What a look is: the fields that a prompt chooses, and their values."""

from dataclasses import dataclass
from typing import Literal

from headshot.request import Note

Painted = Literal["white", "light grey", "grey", "charcoal", "black", "navy", "beige", "office", "window", "garden"]
Backdrop = Painted | Literal["own background"]
OWN_BACKGROUND: Backdrop = "own background"  # the photo's, out of focus
Pattern = Literal["loop", "Rembrandt", "butterfly", "split", "broad window", "soft"]


@dataclass(frozen=True)
class StyleSpec:
    """A look: everything that a photographer decides before the first frame. The seed varies within it.

    Attributes:
        backdrop: what stands behind the person.
        light: the portrait pattern.
        key_side: the side of the key light in the picture; auto keeps the side of the photo's own light.
        tone: the colour temperature.
        black_and_white: whether the picture has no colour.
        contrast: how steep the tone curve is.
        brightness: of backdrop and picture.
        crop: how close the frame is.
        retouch: how much of the skin is evened out.
        rim: the light on the outline, from behind.
        vignette: how much darker the corners are.
        grain: of the film.
    """

    backdrop: Backdrop = "light grey"
    light: Pattern = "loop"
    key_side: Literal["auto", "left", "right"] = "auto"
    tone: Literal["natural", "warm", "cool"] = "natural"
    black_and_white: bool = False
    contrast: Literal["low", "normal", "high"] = "normal"
    brightness: Literal["low key", "normal", "high key"] = "normal"
    crop: Literal["close", "classic", "wide"] = "classic"
    retouch: Literal["none", "gentle", "polished"] = "gentle"
    rim: Literal["none", "subtle", "strong"] = "subtle"
    vignette: Literal["none", "subtle", "strong"] = "subtle"
    grain: Literal["none", "fine", "film"] = "fine"


@dataclass(frozen=True)
class ParsedPrompt:
    """A prompt and negative prompt, understood.

    Attributes:
        look: the chosen look.
        notes: what the person should know about the choice, each reason once.
    """

    look: StyleSpec
    notes: tuple[Note, ...]
