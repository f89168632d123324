"""The words the studio knows: which choose the look, which it must decline, which mean nothing to it.

Tables, the longest-first matcher over them, and `document()`, which writes them out as docs/vocabulary.md.
Phrases stand as people write them; spelling, hyphens, plurals and articles are levelled by `tokens` and `match`.
"""

import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from dataclasses import field as _field
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Literal

Role = Literal[
    "look",  # chooses something
    "colour",  # a backdrop, but only beside a backdrop word or alone: "navy suit" is about the suit
    "refused",  # the studio cannot; `reason` says why
    "backdrop word",
    "studio word",  # a weak backdrop word: "black studio", but also "warm studio light"
    "light word",
    "person word",
    "picture word",  # ends what was said before it: in "moody portrait smiling" it is the portrait that is moody
    "link",  # a preposition: what comes after it belongs to something else
    "and",
    "not",
    "number",
    "filler",
    "unknown",
]
_NOTHING: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True)
class Term:
    """What one phrase means.

    sets: fields of the look stated outright.  implies: fields that give way to anything stated outright.
    otherwise: what is meant instead when the prompt states another value for an implied field.
    reason: a key of REASONS.  loose: an adjective, which belongs to the refused thing after it ("warm smile").
    allows: in the negative prompt, the values that remain for a field, the best first; empty: satisfied anyway.
    opens: what follows is what this word is about, known or not: "wearing a zorblax".
    lean: for a link, what a bare colour after it is: "on white" a backdrop, "in white" clothes.
    """

    role: Role
    sets: Mapping[str, Any] = _field(default_factory=lambda: _NOTHING)
    implies: Mapping[str, Any] = _field(default_factory=lambda: _NOTHING)
    otherwise: Mapping[str, Any] = _field(default_factory=lambda: _NOTHING)
    allows: Mapping[str, tuple[Any, ...]] | None = None
    reason: str = ""
    loose: bool = False
    opens: bool = False
    lean: str = ""


# ------------------------------------------------------------------------------------------------ the look

# Every value of a field, in its natural order; the first is what is left when a negative prompt rules others out.
ORDER: dict[str, tuple[Any, ...]] = {
    "backdrop": (
        "light grey",
        "grey",
        "white",
        "charcoal",
        "black",
        "navy",
        "beige",
        "office",
        "window",
        "garden",
        "own background",
    ),
    "light": ("loop", "soft", "butterfly", "broad window", "Rembrandt", "split"),
    "key_side": ("right", "left", "auto"),
    "tone": ("natural", "warm", "cool"),
    "black_and_white": (False, True),
    "contrast": ("normal", "low", "high"),
    "brightness": ("normal", "high key", "low key"),
    "crop": ("classic", "close", "wide"),
    "retouch": ("gentle", "none", "polished"),
    "rim": ("subtle", "none", "strong"),
    "vignette": ("subtle", "none", "strong"),
    "grain": ("fine", "none", "film"),
}
BACKDROPS = (
    "white, light grey, grey, charcoal, black, navy, beige, office, window and garden, and the photo's own background"
)

# Paper backdrops: the colour counts beside a backdrop word ("navy wall"), after "on" or "against", or alone.
PAPERS: dict[str, str] = {
    "white": "white, pure white, bright white, clean white, off white, warm white, snow white",
    "light grey": "light grey, pale grey, soft grey, light neutral grey, silver",
    "grey": "grey, mid grey, medium grey, neutral grey, cool grey, warm grey, studio grey",
    "charcoal": "charcoal, charcoal grey, dark grey, deep grey, anthracite, graphite, slate, slate grey",
    "black": "black, pure black, jet black, deep black",
    "navy": "navy, navy blue, dark navy, deep navy, dark blue, deep blue, midnight blue",
    "beige": "beige, cream, ivory, sand, tan, taupe, warm beige, light beige",
}
# The same, for words that name a backdrop only directly beside a backdrop word.
BEHIND: dict[str, str] = {
    "white": "bright, airy",
    "light grey": "light, neutral, plain, simple, clean, solid, seamless, minimal, minimalist, smooth",
    "charcoal": "dark, moody, dramatic",
    "beige": "warm",
}
# Beside a named colour these add nothing, so they are not missed.
PLAIN = frozenset(
    {"light", "neutral", "plain", "simple", "clean", "solid", "seamless", "minimal", "minimalist", "smooth"}
)
# What people call a backdrop that says nothing of its own there.
BACKDROP_FILLER = "soft, blurred, blurry, blur, bokeh, out of focus, defocused, classic, even, flat, gentle"

# Outright choices: field -> value -> phrases.
CHOICES: dict[str, dict[Any, str]] = {
    "backdrop": {
        "office": "office, home office, workplace, workspace, coworking space, boardroom, meeting room, "
        "conference room",
        "own background": "own background, own backdrop, original background, real background, photo background, "
        "same background, background as it is, keep background, keep own background, keep original background, "
        "keep my background, keep photo background, keep background blurred, keep background as it is",
        "garden": "garden, park, greenery, foliage, trees, leaves, outdoor, outdoors, outside, nature",
    },
    "light": {
        "loop": "loop, three point, 3 point",
        "Rembrandt": "Rembrandt",
        "butterfly": "butterfly, Paramount, clamshell, beauty, beauty dish, glamour",
        "split": "split, side light, side lighting, side lit",
        "broad window": "broad, broad window, window light, window lighting, window lit, light from window, "
        "natural light, natural lighting, daylight, natural window light",
    },
    "key_side": {
        side: f"from {side}, from {side} side, from camera {side}, light on {side}, lighting on {side}, lit on {side}, "
        f"key on {side}, key light on {side}, {side} light, {side} lighting, {side} lit, {side} side light, "
        f"{side} side lighting, {side} key, {side} key light, light camera {side}"
        for side in ("left", "right")
    },
    "tone": {
        "natural": "natural tone, neutral tone, natural colours, true to life",
        "warm": "warm, warmer, golden, golden hour, sunset light, cosy",
        "cool": "cool, cooler, cold, icy",
    },
    "black_and_white": {
        True: "black and white, black white, b&w, b/w, bw, monochrome, monochromatic, mono, greyscale, grey scale",
        False: "in colour, full colour, colour photo, colour portrait, colour photograph",
    },
    "contrast": {
        "low": "low contrast, less contrast, soft contrast, gentle contrast, matte, soft shadows, gentle shadows",
        "normal": "normal contrast, medium contrast",
        "high": "high contrast, more contrast, strong contrast, contrasty, punchy, hard, harsh, hard shadows, "
        "strong shadows, deep shadows, harsh shadows, chiaroscuro",
    },
    "brightness": {
        "low key": "low key, lowkey, dark, darker, dim, shadowy",
        "normal": "normal brightness",
        "high key": "high key, highkey, bright, brighter, airy, light and airy",
    },
    "crop": {
        "close": "close, close up, closeup, close crop, tight, tight crop, tight framing, tightly cropped, face only, "
        "face shot, extreme close up",
        "classic": "classic, classic crop, head and shoulders, head and shoulder, shoulders up, shoulder up, "
        "medium close up",
        "wide": "wide, wide crop, wide shot, half body, half length, chest up, upper body, waist up, bust, bust shot, "
        "medium shot, torso",
    },
    "retouch": {
        "none": "unretouched, untouched, unedited, raw, raw photo, natural skin, natural skin texture, skin texture, "
        "realistic skin, realistic skin texture, detailed skin, detailed skin texture, real skin, skin pores, "
        "visible pores, pores",
        "gentle": "gentle retouch, gentle retouching, light retouch, light retouching, lightly retouched, "
        "subtle retouch, subtle retouching, natural retouch, natural retouching, gently retouched",
        "polished": "polished, retouch, retouched, retouching, flawless, flawless skin, smooth skin, soft skin, "
        "clear skin, perfect skin, magazine, magazine cover, vogue, airbrushed",
    },
    "rim": {
        "subtle": "subtle rim light, subtle rim lighting, soft rim light, subtle hair light",
        "strong": "rim, rim light, rim lighting, rim lit, strong rim light, hair light, hair lighting, backlit, "
        "back lit, backlight, back light, backlighting, back lighting, edge light, edge lighting, kicker, halo light",
    },
    "vignette": {
        "none": "vignette free",
        "subtle": "subtle vignette, soft vignette, light vignette, slight vignette, gentle vignette",
        "strong": "vignette, vignetting, strong vignette, heavy vignette, dark vignette, dark edges, dark corners",
    },
    "grain": {
        "none": "clean, grainless, noise free, grain free, noiseless",
        "fine": "fine grain, subtle grain, slight grain",
        "film": "grain, grainy, film, film grain, film look, film photo, film photography, analogue, analogue film, "
        "35mm film, kodak, kodak portra, portra, ilford, fujifilm",
    },
}


@dataclass(frozen=True)
class StylePhrase:
    """One phrase, several fields; whatever else the prompt states outright wins over what is implied."""

    words: str
    implies: Mapping[str, Any]
    sets: Mapping[str, Any] = _field(default_factory=lambda: _NOTHING)
    otherwise: Mapping[str, Any] = _field(default_factory=lambda: _NOTHING)


MOODS = (
    StylePhrase(
        "soft, softer, softbox, flat, diffused, diffuse, overcast, even light, even lighting, evenly lit, ring light",
        implies={"light": "soft"},
        otherwise={"contrast": "low"},  # "soft loop light" is a loop, softened
    ),
    StylePhrase(
        "window, windows, by window, near window, next to window, beside window, in front of window",
        sets={"backdrop": "window"},
        implies={"light": "broad window"},
    ),
    *(
        StylePhrase(f"window light from {side}, window light on {side}, natural light from {side}", {}, sets=both)
        for side in ("left", "right")
        for both in [{"light": "broad window", "key_side": side}]
    ),
    StylePhrase(
        "dramatic, moody, cinematic, film still",
        implies={"light": "Rembrandt", "contrast": "high", "brightness": "low key"},
    ),
    StylePhrase(
        "noir, film noir",
        sets={"black_and_white": True},
        implies={"light": "split", "contrast": "high", "brightness": "low key"},
    ),
    StylePhrase("natural, neutral, natural look", implies={"tone": "natural"}),
    StylePhrase("corporate, business, executive", implies={"backdrop": "light grey", "light": "loop"}),
)

# Adjectives that belong to a refused thing right after them: "warm smile", "dark hair", "classic suit".
LOOSE = (
    "soft, softer, flat, diffused, broad, split, beauty, glamour, natural, neutral, warm, warmer, golden, cool, "
    "cooler, cold, icy, cosy, matte, punchy, hard, harsh, dark, darker, dim, bright, brighter, airy, close, tight, "
    "wide, classic, raw, polished, flawless, clean, dramatic, moody, corporate, business, executive, untouched, "
    "outdoor, film, short, young, old, older, thin, tall, pale, leather, denim, silk, velvet, wooden, brick, formal, "
    "casual, serious, happy, sad, angry, calm, confident, friendly, cheerful, playful, intense, painted, vintage, "
    "retro, neon, muted, pastel, vibrant, vivid, textured, abstract, patterned, gradient, mottled, canvas, "
    "hand painted, marble, concrete, fantasy, flower, coffee, summer, winter"
)

# ------------------------------------------------------------------------------------------------ what it cannot do

REASONS: dict[str, str] = {
    "clothes": "the studio cannot change clothes; they stay as in the photo.",
    "accessories": "the studio cannot put on or take off glasses, hats or jewellery.",
    "hair": "the studio cannot change hair or beard; they stay as in the photo.",
    "make-up": "the studio cannot put on make-up.",
    "expression": "the studio cannot change the expression; choose a photo that has it.",
    "pose": "the studio cannot change pose, gaze or hands; choose a photo that has them.",
    "person": "the studio cannot change age, body or features; the person stays as in the photo.",
    "backdrop": f"the studio has no such backdrop; it has {BACKDROPS}.",
    "props": "the studio cannot add objects or animals.",
    "people": "the studio shows one person.",
    "style": "the studio makes photographs, no other art.",
    "angle": "the studio cannot move the camera; choose a photo taken from there.",
    "colours": "the studio cannot colour the light or the picture; it has natural, warm, cool and black and white.",
    "writing": "the studio puts no writing or frames on the picture.",
    "optics": "the studio cannot imitate this effect.",
    "add-on": "add-on models have no place in the studio.",
    "cut out": "there is always a backdrop; the plainest is white.",
    "blue": "navy is the nearest blue the studio has.",
    "full length": "the studio shows head and chest; the wide crop is the nearest.",
    "tint": "the studio does not tint; plain black and white is the nearest.",
    "lines": "lines and marks that are the person stay.",
    "removal": "nothing can be taken off the person; what the photo has stays.",
    "bare colour": "a backdrop or clothes? Say “navy backdrop”, for instance.",
    "left out": "left out, as it contradicts another choice.",
    "unknown": "not in the studio's vocabulary.",
}

REFUSED: dict[str, str] = {
    "clothes": "suit, suits, jacket, blazer, coat, overcoat, lab coat, shirt, t-shirt, tee, polo, blouse, top, "
    "sweater, jumper, cardigan, hoodie, sweatshirt, turtleneck, roll neck, dress, gown, skirt, trousers, pants, "
    "jeans, denim, leather jacket, vest, waistcoat, tuxedo, tux, tie, bow tie, necktie, collar, uniform, scrubs, "
    "kimono, sari, saree, robe, armour, costume, cosplay, outfit, attire, clothes, clothing, clothed, wardrobe, wear, "
    "formalwear, smart casual, business casual, business attire, formal, casual, office wear, office attire, "
    "office clothes, shoes, boots, sleeves, lapel, cape, apron, nude, naked, shirtless, topless, bikini, swimsuit, "
    "lingerie, wearing, wears, dressed, dressed in, dressed as, in suit and tie, pinstripe, tweed, silk, velvet, "
    "leather",
    "accessories": "glasses, eyeglasses, spectacles, sunglasses, shades, monocle, hat, cap, beanie, fedora, helmet, "
    "crown, tiara, flower crown, headband, veil, hijab, turban, mask, scarf, gloves, earrings, earring, necklace, "
    "jewellery, jewelry, ring, rings, bracelet, watch, wristwatch, piercing, brooch, lanyard, badge, name tag, "
    "headphones, headset, contact lenses",
    "hair": "hair, haired, haircut, hairstyle, hairdo, blonde, blond, brunette, redhead, ginger, bald, curls, curly, "
    "wavy, ponytail, bun, braid, braids, bangs, fringe, bob, afro, dreadlocks, mohawk, updo, pixie cut, buzz cut, "
    "beard, bearded, moustache, goatee, stubble, sideburns, clean shaven, shaved, facial hair, eyebrows, eyebrow, "
    "eyelashes, lashes, flyaways",
    "make-up": "make-up, makeup, lipstick, lip gloss, mascara, eyeliner, eyeshadow, eye shadow, blush, foundation, "
    "red lips, face paint, nail polish",
    "expression": "smile, smiles, smiling, grin, grinning, laugh, laughing, laughter, frown, frowning, expression, "
    "serious, happy, joyful, sad, angry, anger, calm, confident, friendly, approachable, trustworthy, crying, tears, "
    "surprised, shocked, stern, thoughtful, pensive, playful, cheerful, smirk, pout, wink, neutral expression, "
    "open mouth, closed mouth, emotion, emotional, intense",
    "pose": "pose, posed, posing, gaze, gazing, stare, staring, looking, looking at camera, looking into camera, "
    "looking at viewer, looking away, looking left, looking right, looking up, looking down, eye contact, profile, "
    "side profile, profile view, side view, back view, three quarter, three quarter view, turned, facing, "
    "facing camera, facing left, facing right, from behind, head tilt, tilted head, head tilted, arms crossed, "
    "crossed arms, folded arms, arms, hand, hands, fingers, standing, sitting, seated, leaning, walking, running, "
    "jumping, kneeling, lying, posture, gesture, gesturing, thumbs up, pointing, dancing, waving, eyes closed, "
    "closed eyes, action shot",
    "person": "young, younger, youthful, slender, teeth, white teeth, whiter teeth, old, older, elderly, middle aged, "
    "aged, age, teen, teenage, teenager, child, kid, baby, year old, years old, slim, slimmer, thin, thinner, fat, "
    "muscular, athletic, tall, short, curvy, skinny, body, jaw, jawline, chin, cheeks, cheekbones, nose, lips, mouth, "
    "ears, neck, shoulders, skin, eyes, eye, blue eyes, green eyes, brown eyes, freckles, tanned, tan skin, pale, "
    "asian, african, caucasian, european, indian, hispanic, latino, latina, arab, chinese, japanese, korean, "
    "african american, elf, vampire, zombie, robot, cyborg, superhero, wizard, princess, king, queen, warrior, "
    "celebrity, tattoo, tattoos, scar",
    "backdrop": "beach, sea, ocean, lake, river, waterfall, island, city, cityscape, city lights, skyline, street, "
    "urban, downtown, alley, rooftop, building, buildings, architecture, library, bookshelf, bookshelves, bookcase, "
    "bookstore, car, space, outer space, galaxy, stars, planet, moon, mars, mountain, mountains, forest, jungle, "
    "woods, desert, field, meadow, snow, winter, autumn, spring, summer, rain, fog, mist, storm, sky, clouds, sunset, "
    "sunrise, night, castle, church, temple, palace, cafe, café, coffee shop, restaurant, pub, gym, stadium, stage, "
    "theatre, classroom, school, university, campus, hospital, clinic, lab, laboratory, factory, warehouse, kitchen, "
    "living room, bedroom, bathroom, home, house, hotel, lobby, airport, plane, train, boat, ship, bridge, brick, "
    "bricks, concrete, wooden, marble, curtain, curtains, fireplace, christmas, paris, london, new york, tokyo, "
    "scenery, landscape, nightclub, courtroom, shop, market, museum, gallery, gradient, textured, mottled, canvas, "
    "pattern, patterned, abstract, colourful backdrop, colourful background, green screen",
    "cut out": "transparent, transparent background, alpha channel",
    "props": "dog, cat, puppy, horse, bird, animal, pet, phone, laptop, computer, book, books, cup, mug, coffee, "
    "microphone, guitar, violin, piano, sword, gun, weapon, flower, flowers, rose, roses, bouquet, plant, plants, "
    "balloon, umbrella, chair, office chair, desk, table, sofa, couch, stool, briefcase, bag, handbag, backpack, "
    "camera in hand, ball, bicycle, bike, motorcycle, cigarette, cigar, pipe, wine, glass, pen, holding, stethoscope, "
    "flag, wings, horns, halo, smoke, fire, flames, sparks, petals, butterflies, snowflakes, confetti, candle, cake",
    "people": "people, crowd, group, group photo, couple, family, friends, team, colleagues, two people, twins, "
    "second person, another person, other people, bride and groom, husband, wife, children, kids, together",
    "style": "cartoon, comic, anime, manga, illustration, illustrated, drawing, sketch, pencil sketch, painting, "
    "oil painting, painted, hand painted, painterly, watercolour, watercolor painting, acrylic, pastel drawing, "
    "digital art, digital painting, concept art, 3d, 3d render, render, rendered, rendering, cgi, unreal engine, "
    "octane, octane render, pixar, disney, ghibli, pixel art, voxel, low poly, vector art, clip art, pop art, "
    "line art, ink, graffiti, impressionist, impressionism, cubist, surreal, surrealist, surrealism, fantasy, statue, "
    "sculpture, claymation, lego, caricature, artstation, art, artwork, cel shaded, game art, sticker, icon, "
    "logo design, stained glass, mosaic, charcoal drawing, charcoal sketch, pencil, renaissance, baroque",
    "angle": "low angle, high angle, camera angle, angle, worm's eye view, bird's eye view, overhead, top down, "
    "from above, from below, dutch angle, drone, drone shot, aerial, fisheye, fish eye, wide angle, wide angle lens, "
    "over the shoulder, perspective, selfie angle",
    "colours": "vibrant, vivid, saturated, colourful, pastel, pastel colours, muted, muted colours, desaturated, hdr, "
    "teal and orange, orange and teal, neon, rgb, gel, gels, colour graded, colour grading, faded, retro, vintage, "
    "duotone, infrared, cross processed, polaroid",
    "writing": "text, caption, subtitle, title, watermark, logo, signature, border, frame, name, qr code, collage, "
    "grid",
    "optics": "catchlight, catchlights, catchlights in eyes, catch light, lens flare, flare, motion blur, "
    "double exposure, tilt shift, soft focus, light leak, light leaks, god rays, volumetric, volumetric light, "
    "volumetric lighting, long exposure, glitch, scanlines, chromatic aberration, anamorphic, sparkle, sparkles, "
    "particles, mirror, reflection, silhouette",
}
# Openers: what follows them in the same phrase is what they are about, known or not.
OPENERS = "wearing, wears, dressed, dressed in, dressed as, holding, looking, facing, turned"
# In the negative prompt these cannot appear anyway: the picture is one person's photo on the studio's own backdrop.
NEVER_THERE = frozenset({"backdrop", "people", "style", "colours", "writing", "optics"})
# Colours and kinds of light, refused beside a backdrop word, beside a light word and alone alike.
OTHER_COLOURS = (
    "red, crimson, burgundy, maroon, green, emerald, olive, sage, mint, yellow, mustard, orange, peach, coral, pink, "
    "magenta, purple, violet, lilac, lavender, teal, turquoise, cyan, brown, gold, rainbow, multicoloured, "
    "dark green, light green, light blue, sky blue, baby blue, pale blue, dark red, light pink, hot pink"
)
BLUES = "blue, royal blue, cobalt, cobalt blue, medium blue"
SEPIA = "sepia, sepia tone"
FULL_LENGTH = "full body, full length, full figure, whole body, head to toe, full body shot, three quarter length"

# ------------------------------------------------------------------------------------------------ what needs no answer

BACKDROP_WORDS = (
    "background, backdrop, wall, paper, seamless paper, paper roll, studio background, studio backdrop, studio paper, "
    "scene, setting, environment, bg"
)
STUDIO_WORDS = "studio"
LIGHT_WORDS = (
    "light, lights, lighting, lit, illumination, illuminated, key light, main light, tone, tones, toned, glow, hue, "
    "gel light, shadow, shadows, colour palette, palette, tint"
)
PERSON_WORDS = (
    "person, man, woman, male, female, guy, lady, gentleman, girl, boy, subject, model, human, individual, someone, "
    "men, women, adult, he, she, his, her, him, my, me, myself, i, you, your, their, they, businessman, "
    "businesswoman, business man, business woman, entrepreneur, founder, ceo, manager, director, lawyer, attorney, "
    "doctor, nurse, engineer, developer, scientist, teacher, professor, student, actor, actress, artist, musician, "
    "writer, author, realtor, consultant, employee, worker, leader, employer, politician, speaker, face, head"
)
PICTURE_WORDS = (
    "headshot, head shot, portrait, portraiture, photo, photograph, photography, picture, pic, image, shot, snapshot, "
    "photo shoot, photoshoot, studio shot, studio light, studio lighting, studio portrait, studio photo, "
    "studio photography, studio photoshoot"
)
FILLER: dict[str, str] = {
    "the kind of picture": "professional, professionally, photographed, photographer, photographic, linkedin, "
    "linkedin profile, profile picture, profile photo, profile pic, avatar, cv, resume, passport, company, website, "
    "work, job, career, editorial, fashion, acting, camera, lens, crop, cropped, framing, framed, composition, "
    "composed, style, look, looks, vibe, vibes, mood, feel, atmosphere, aesthetic, effect, view, colour, colours, "
    "contrast, exposure, brightness",
    "praise": "high quality, best quality, top quality, good quality, quality, highest, high, best, good, great, "
    "nice, beautiful, gorgeous, pretty, handsome, attractive, stunning, amazing, perfect, excellent, elegant, "
    "stylish, sophisticated, timeless, premium, luxury, modern, contemporary, simple, minimal, minimalist, "
    "masterpiece, masterful, award winning, award, winning, popular, trending, iconic, professional quality, "
    "high end, world class, impressive, charismatic, subtle, gentle, strong, slight, slightly, plain, smooth, "
    "seamless, solid, even, balanced, flattering, pleasing, centred, well lit, well exposed, well composed, crisp",
    "realism and detail": "photorealistic, photo realistic, photorealism, realistic, realism, hyperrealistic, "
    "hyper realistic, hyperrealism, ultra realistic, lifelike, real, real life, authentic, true, genuine, detailed, "
    "highly detailed, ultra detailed, intricate, intricate details, detail, details, fine details, high detail, "
    "high resolution, high res, highres, hi res, hires, resolution, uhd, hd, full hd, ultra hd, 4k, 8k, 16k, 2k, "
    "sharp, sharpness, sharp focus, focus on eyes, sharp focus on eyes, focus, in focus, focused, focal, tack sharp, "
    "eyes in focus, sharp eyes, ultra, hyper, extreme, extremely, absurdres, score, megapixel",
    "camera talk": "dslr, slr, mirrorless, canon, nikon, sony, leica, hasselblad, fuji, canon eos, eos r5, 5d, "
    "medium format, full frame, mm, iso, aperture, shutter, f, prime lens, portrait lens, bokeh, "
    "shallow depth of field, depth of field, dof, blurred background, blurry background, background blur, "
    "out of focus background, out of focus, blurred, blur, defocused, unsharp background, shallow, depth, "
    "natural bokeh, creamy bokeh, creamy, getty images, unsplash, flickr, 500px, sigma, zeiss, white balance",
    "small words": "a, an, the, this, that, these, those, some, one, it, its, is, are, was, be, being, been, has, "
    "have, do, does, very, really, quite, too, so, more, most, bit, little, super, just, only, also, please, make, "
    "makes, give, want, would, like, can, could, should, create, generate, show, showing, shows, use, using, add, "
    "keep, get, put, isolated, replace, change, turn, i'm, type, kind, sort, set, side, featuring, feature, touch, "
    "hint, new, same, any, all, both, will, must, let, need, which, who, there, here, then, thank, thanks",
}
ARTICLES = frozenset({"a", "an", "the"})  # never part of a phrase: "lit from the left" is "lit from left"

LINKS: dict[str, str] = {
    "": "of, with, w, at, by, from, for, to, into, onto, near, next to, beside, behind, under, above, below, between, "
    "as, but, while, inside, within, through, across, around, about, over, than, if, when, where, because, via, plus, "
    "having, in the background, in style of, style of, out of, up, down, off, out",
    "backdrop": "on, against, before, in front of, standing against, set against",
    "clothes": "in",
}
ANDS = "and, or, nor, yet"
NOTS = (
    "no, not, without, never, non, avoid, exclude, remove, minus, less, don't, dont, do not, does not, doesn't, "
    "free of, instead of, rather than, isn't, nothing, get rid of, hide, drop, omit, w/o"
)

# ------------------------------------------------------------------------------------------------ the negative prompt


@dataclass(frozen=True)
class NegativeRule:
    """In the negative prompt: what remains allowed, field by field, the best first."""

    words: str
    allows: Mapping[str, tuple[Any, ...]]
    means: str


RULES = (
    NegativeRule(
        "harsh shadows, harsh shadow, harsh light, harsh lighting, hard light, hard lighting, hard shadows, harsh, "
        "hard, strong shadows, deep shadows, dark shadows, heavy shadows, shadow, shadows, shadows on face, contrasty",
        {"contrast": ("low", "normal")},
        "low contrast",
    ),
    NegativeRule(
        "flat lighting, flat light, flat, dull, dull lighting, low contrast, washed out",
        {"contrast": ("normal", "high"), "light": ("loop", "butterfly", "broad window", "Rembrandt", "split")},
        "no soft light, no low contrast",
    ),
    NegativeRule(
        "plastic skin, plastic, airbrushed, airbrush, waxy skin, waxy, wax skin, doll like, doll, smooth skin, "
        "overly smooth skin, over smoothed, oversmoothed, artificial skin, fake skin, over retouched, overretouched, "
        "over edited, overprocessed, over processed",
        {"retouch": ("gentle", "none")},
        "gentle retouch at most",
    ),
    NegativeRule(
        "retouch, retouched, retouching, filter, filters, beauty filter, smoothing, skin smoothing, edited, "
        "photoshopped",
        {"retouch": ("none",)},
        "no retouch",
    ),
    NegativeRule(
        "blemishes, blemish, acne, pimples, pimple, spots, skin spots, skin blemishes, shiny skin, oily skin, shine, "
        "shiny, greasy skin, red skin, redness, uneven skin, bad skin, dark circles, eye bags, under eye bags",
        {"retouch": ("polished", "gentle")},
        "polished retouch",
    ),
    NegativeRule("vignette, vignetting, dark edges, dark corners", {"vignette": ("none",)}, "no vignette"),
    NegativeRule("grain, grainy, film grain, noise, noisy, image noise", {"grain": ("none",)}, "no grain"),
    NegativeRule(
        "rim light, rim lighting, hair light, backlight, backlit, backlighting, back light, edge light, rim, halo",
        {"rim": ("none",)},
        "no rim light",
    ),
    NegativeRule(
        "dark, too dark, dark photo, underexposed, under exposed, gloomy, dim, low light",
        {"brightness": ("normal", "high key")},
        "not low key",
    ),
    NegativeRule(
        "bright, too bright, overexposed, over exposed, blown out, blown highlights, overexposure",
        {"brightness": ("normal", "low key")},
        "not high key",
    ),
    NegativeRule(
        "warm, yellow tint, yellow cast, orange skin, orange tint, yellowish, yellow skin, red tint",
        {"tone": ("natural", "cool")},
        "no warm tone",
    ),
    NegativeRule("cool, cold, blue tint, blue cast, bluish", {"tone": ("natural", "warm")}, "no cool tone"),
    NegativeRule("tint, colour cast", {"tone": ("natural",)}, "natural tone"),
    NegativeRule(
        "colour, colours, colourful, colour photo, in colour", {"black_and_white": (True,)}, "black and white"
    ),
    NegativeRule(
        "dark background, dark backdrop, dark backgrounds",
        {"backdrop": ("light grey", "grey", "white", "beige", "navy", "office", "window", "garden", "own background")},
        "no black, no charcoal",
    ),
    NegativeRule("full body, full length, whole body, wide shot", {"crop": ("classic", "close")}, "no wide crop"),
)
LINES = (
    "wrinkles, wrinkle, lines, fine lines, crow's feet, pores, large pores, freckles, freckle, moles, mole, scar, "
    "scars, birthmark, double chin"
)
# What the studio's pictures do not have whatever is asked: they are a photo of one person before its own backdrop.
BOILERPLATE = (
    "blurry, blur, blurred, lowres, low res, low resolution, low quality, worst quality, bad quality, normal quality, "
    "poor quality, jpeg, jpeg artifacts, jpeg artefacts, artifacts, artefacts, compression, compression artifacts, "
    "pixelated, pixelation, watermark, text, signature, logo, username, error, cropped, cropped head, head cut off, "
    "cut off, cut off head, out of frame, extra fingers, missing fingers, fused fingers, too many fingers, "
    "fewer digits, extra digit, extra limbs, extra arms, extra legs, missing arms, missing limbs, bad hands, "
    "mutated hands, poorly drawn hands, poorly drawn face, malformed hands, malformed limbs, malformed, deformed, "
    "deformed face, deformed eyes, deformed iris, deformed pupils, disfigured, distorted, distorted face, distortion, "
    "mutation, mutated, mutilated, gross proportions, bad proportions, bad anatomy, anatomy, wrong anatomy, "
    "long neck, cloned face, duplicate, duplicated, morbid, ugly, bad, bad art, amateur, amateurish, unprofessional, "
    "low effort, weird, creepy, unnatural, unrealistic, fake, artificial, ai generated, semi-realistic, asymmetric, "
    "asymmetrical, asymmetric eyes, cross eyed, crossed eyes, lazy eye, bad eyes, weird eyes, bad teeth, extra teeth, "
    "oversaturated, over saturated, saturated, oversaturation, oversharpened, over sharpened, overbaked, hdr, "
    "banding, posterization, chromatic aberration, lens flare, busy background, busy, cluttered background, "
    "messy background, clutter, cluttered, messy, distracting background, distracting, distractions, "
    "distracting elements, complex background, nsfw, easynegative, bad hand v4, badhandv4, embedding, out of focus, "
    "unfocused, motion blur, camera shake, tilted, monochrome artifacts, kitsch, stock photo, cheesy, snapshot, "
    "selfie, webcam, phone photo, sloppy, boring, two heads, two faces, extra heads, multiple heads, poor lighting, "
    "bad lighting, uneven lighting, skin imperfections, beginner, tiling, poorly drawn, dehydrated, glitch, frame, "
    "border, disconnected limbs, floating limbs, mangled, draft, grotesque, uncanny, low detail, low poly, overlay, "
    "sketchy"
)

# ------------------------------------------------------------------------------------------------ words and tables

_SPELLING = {
    "gray": "grey",
    "grayscale": "greyscale",
    "grays": "grey",
    "greys": "grey",
    "color": "colour",
    "colors": "colours",
    "colored": "coloured",
    "colorful": "colourful",
    "multicolored": "multicoloured",
    "center": "centre",
    "centered": "centred",
    "glamor": "glamour",
    "glamorous": "glamour",
    "analog": "analogue",
    "mustache": "moustache",
    "armor": "armour",
    "theater": "theatre",
    "watercolor": "watercolour",
    "cozy": "cosy",
    "grayish": "grey",
    "greyish": "grey",
    "n": "and",
}
_SEPARATORS = frozenset(",;.!?\n\r|•·—–…，、。；！？")  # and " - "
_TOKEN = re.compile(r"[wd][wdm]*(?:'[wd][wdm]*|(?<=d)\.d+)*|&|,| - ")  # over the shape, one letter a character
_MEASURE = re.compile(r"\d[\d.]*(?:mm|k|p|px|mp|bit|fps|st|nd|rd|th)?")


@dataclass(frozen=True)
class Token:
    """A word as written, at [start, end) of its text, and levelled for look-up. A comma stands for every break."""

    word: str
    start: int
    end: int


@lru_cache(4096)  # more characters than a prompt has
def _shape(character: str) -> str:
    if character in _SEPARATORS:
        return ","
    if character in "'’‘":
        return "'"
    if character in "&-":
        return character
    category = unicodedata.category(character)
    if category[0] == "L":
        return "w"
    return "d" if category[0] == "N" else "m" if category[0] == "M" else " "


def tokens(text: str) -> Iterator[Token]:
    """The words and breaks of any text. Weights (“:1.3”), brackets, emoji and other marks are passed over."""
    shape = "".join(
        "." if character == "." and text[at + 1 : at + 2].isdigit() else _shape(character)
        for at, character in enumerate(text)
    )
    for found in _TOKEN.finditer(shape):
        start, end = found.span()
        written = text[start:end]
        match found[0]:
            case "," | " - ":
                yield Token(",", start, end)
            case "&":
                yield Token("and", start, end)
            case _ if written == "BREAK":  # the separator of popular front ends
                yield Token(",", start, end)
            case digits if set(digits) <= {"d", "."} and text[start - 1 : start] == ":":
                continue  # a weight, or the second half of a ratio
            case _:
                yield Token(_level(written), start, end)


def _level(written: str) -> str:
    word = unicodedata.normalize("NFKC", written).casefold().replace("’", "'").replace("‘", "'")
    word = word.removesuffix("'s")
    return _SPELLING.get(word, word)


def phrase(written: str) -> tuple[str, ...]:
    """A phrase as the tables hold it: levelled words, no articles."""
    words = tuple(token.word for token in tokens(written) if token.word != ",")
    return tuple(word for word in words if word not in ARTICLES) or words


def split(words: str) -> list[str]:
    """The phrases of a comma-separated list, as written."""
    return [written.strip() for written in words.split(",") if written.strip()]


Table = dict[tuple[str, ...], Term]


def _add(table: Table, words: str, term: Term) -> None:
    # The first table to claim a phrase keeps it: the look before refusals before filler.
    for written in split(words):
        table.setdefault(phrase(written), term)


def _build() -> tuple[Table, Table, Table]:
    loose = {phrase(written) for written in split(LOOSE)}
    table: Table = {}
    for mood in MOODS:
        for written in split(mood.words):
            term = Term("look", mood.sets, mood.implies, mood.otherwise, loose=phrase(written) in loose)
            _add(table, written, term)
    for field, values in CHOICES.items():
        for value, words in values.items():
            for written in split(words):
                _add(table, written, Term("look", {field: value}, loose=phrase(written) in loose))
    _add(table, FULL_LENGTH, Term("look", {"crop": "wide"}, reason="full length"))
    _add(table, SEPIA, Term("look", {"black_and_white": True}, reason="tint"))
    for paper, words in PAPERS.items():
        _add(table, words, Term("colour", {"backdrop": paper}))
    _add(table, BLUES, Term("colour", {"backdrop": "navy"}, reason="blue"))
    _add(table, OTHER_COLOURS, Term("colour", reason="backdrop"))
    openers = {phrase(written) for written in split(OPENERS)}
    for reason, words in REFUSED.items():
        for written in split(words):
            here = phrase(written)
            _add(table, written, Term("refused", reason=reason, loose=here in loose, opens=here in openers))
    for lean, words in LINKS.items():
        _add(table, words, Term("link", lean=lean))
    _add(table, ANDS, Term("and"))
    _add(table, NOTS, Term("not"))
    _add(table, BACKDROP_WORDS, Term("backdrop word"))
    _add(table, STUDIO_WORDS, Term("studio word"))
    _add(table, LIGHT_WORDS, Term("light word"))
    _add(table, PERSON_WORDS, Term("person word"))
    _add(table, PICTURE_WORDS, Term("picture word"))
    for words in FILLER.values():
        _add(table, words, Term("filler"))

    negative: Table = {}
    for rule in RULES:
        _add(negative, rule.words, Term("look", allows=rule.allows))
    _add(negative, LINES, Term("refused", reason="lines"))
    _add(negative, BOILERPLATE, Term("filler"))
    _add(negative, NOTS, Term("filler"))  # "no text" among what must not appear means the same as "text"

    behind: Table = {}
    for paper, words in BEHIND.items():
        _add(behind, words, Term("colour", {"backdrop": paper}))
    _add(behind, BACKDROP_FILLER, Term("filler"))
    return table, table | negative, behind


POSITIVE, NEGATIVE, BEHIND_TABLE = _build()
_LONGEST = max(len(words) for words in NEGATIVE)
_WORDS = {word for words in NEGATIVE for word in words}
SMALL_WORDS = frozenset(phrase(written) for written in split(FILLER["small words"]))
_UNKNOWN, _NUMBER = Term("unknown"), Term("number")


@dataclass(frozen=True)
class Item:
    """Tokens [first, last] of a part, and what they mean together."""

    term: Term
    first: int
    last: int
    words: tuple[str, ...]


def match(words: list[str], table: Table) -> list[Item]:
    """Read a part's words (no articles): the longest phrases first, a colour before its equals, then from the left."""
    known = [_singular(word) for word in words]
    taken: list[Item | None] = [None] * len(known)
    for length in range(min(_LONGEST, len(known)), 0, -1):
        found = []
        for first in range(len(known) - length + 1):
            # As written first, so that "glasses" is not read as the plural of "glass".
            for words_here in (tuple(words[first : first + length]), tuple(known[first : first + length])):
                term = table.get(words_here)
                if term is not None:
                    found.append((term.role != "colour", first, term, words_here))
                    break
        for _, first, term, words_here in sorted(found, key=lambda candidate: candidate[:2]):
            last = first + length - 1
            if all(item is None for item in taken[first : last + 1]):
                taken[first : last + 1] = [Item(term, first, last, words_here)] * length
    items = []
    for at, item in enumerate(taken):
        if item is None:
            term = _NUMBER if _MEASURE.fullmatch(words[at]) else _UNKNOWN
            items.append(Item(term, at, at, (words[at],)))
        elif item.first == at:
            items.append(item)
    return items


def _singular(word: str) -> str:
    if len(word) < 4 or not word.endswith("s") or word.endswith("ss"):
        return word
    endings = (word[:-3] + "y" if word.endswith("ies") else word, word[:-1], word[:-2] if word.endswith("es") else word)
    return next((singular for singular in endings if singular in _WORDS), word)


# ------------------------------------------------------------------------------------------------ in writing

_NAMES = {
    "light": "Light",
    "key_side": "Side of the key light",
    "tone": "Tone",
    "black_and_white": "Black and white",
    "contrast": "Contrast",
    "brightness": "Brightness",
    "crop": "Crop",
    "retouch": "Retouch",
    "rim": "Rim light",
    "vignette": "Vignette",
    "grain": "Grain",
}

_INTRODUCTION = """\
# The studio's vocabulary

The studio reads `prompt` and `negative_prompt` by the words below. What it understands is listed with every headshot as
*applied*; what it cannot do, and every word that is not here, is listed as *not applied*, in your own words.

This page is written by `headshot.studio.prompt.vocabulary.document()`; a test compares the two.

- Capitals, hyphens, underscores, plurals, articles, British or American spelling, brackets, weights such as
  `(soft:1.3)`, emoji, bare numbers, sizes such as `85mm` and switches such as `--ar 4:5` make no difference. A new
  line, a full stop and `BREAK` are commas.
- The longest phrase wins. An adjective belongs to the noun after it: *warm smile* is about the smile, *navy suit* about
  the suit.
- Where two choices contradict each other the first one stands, and the other is listed as left out. A single choice
  (*Rembrandt*) always wins over a mood (*corporate*).
- “No vignette”, “without grain”, “not black and white” in the prompt count as negative prompt, as far as the next comma
  or preposition. Where prompt and negative prompt contradict each other, the negative prompt wins and the result says
  so.
"""


def document() -> str:
    """docs/vocabulary.md, whole."""
    backdrops = {paper: [words] for paper, words in PAPERS.items()}
    backdrops["navy"].append(f"as the nearest: {BLUES}")
    for value, words in CHOICES["backdrop"].items():
        backdrops[value] = [words]
    lines = [
        _INTRODUCTION,
        "## Backdrop",
        "",
        "Scenes are procedural and out of focus. A paper colour counts beside a backdrop word "
        f"({BACKDROP_WORDS}, {STUDIO_WORDS}), after *on*, *against*, *before* or *in front of*, "
        f"or when it stands alone "
        "between commas.",
        "",
        *_table("Backdrop", {value: "; ".join(words) for value, words in backdrops.items()}),
        "",
        "Only beside a backdrop word:",
        "",
        *_table("Backdrop", BEHIND),
        "",
        f"Without a meaning there: {BACKDROP_FILLER}.",
        "",
        f"There is no backdrop or light in: {OTHER_COLOURS}.",
    ]
    for field, title in _NAMES.items():
        named = {_named(value): words for value, words in CHOICES[field].items()}
        lines += ["", f"## {title}", "", *_table(title, named)]
    lines += [
        "",
        f"Words for light that choose nothing by themselves: {LIGHT_WORDS}.",
        "",
        f"As the nearest the studio has, with a note: {FULL_LENGTH} (wide crop); {SEPIA} (black and white).",
        "",
        "## Moods and combinations",
        "",
        "| Words | Chooses | Suggests, unless stated | Otherwise |",
        "| --- | --- | --- | --- |",
    ]
    for mood in MOODS:
        lines.append(f"| {mood.words} | {_said(mood.sets)} | {_said(mood.implies)} | {_said(mood.otherwise)} |")
    lines += [
        "",
        f"Adjectives that belong to a thing named right after them, where the studio cannot change it: {LOOSE}.",
        "",
        "## What the studio cannot do",
        "",
    ]
    for reason, words in REFUSED.items():
        lines += [f"**{reason.capitalize()}**: {REASONS[reason]} {words}.", ""]
    lines += [
        f"After these, whatever follows in the phrase belongs to them: {OPENERS}.",
        "",
        "## Negative prompt",
        "",
        "Each choice above, named in the negative prompt, is kept out. Besides, or instead:",
        "",
        "| Words | Means |",
        "| --- | --- |",
    ]
    lines += [f"| {rule.words} | {rule.means} |" for rule in RULES]
    lines += [
        "",
        f"**Stay in the picture**, with a note: {LINES}. So do clothes, hair, glasses, a smile: nothing is taken off a "
        "person.",
        "",
        "**Never there anyway**, so passed over: other people, other scenery, art styles, coloured light, writing, and "
        f"{BOILERPLATE}.",
        "",
        "## Passed over",
        "",
        f"**Pictures**: {PICTURE_WORDS}.",
        "",
        f"**The person**: {PERSON_WORDS}.",
        "",
    ]
    for group, words in FILLER.items():
        lines += [f"**{group.capitalize()}**: {words}.", ""]
    lines += [
        f"**Links**, which end a phrase: {'; '.join(LINKS.values())}; {ANDS}.",
        "",
        f"**Negations**: {NOTS}.",
    ]
    return "\n".join(lines) + "\n"


def _named(value: Any) -> str:
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)


def _said(values: Mapping[str, Any]) -> str:
    return ", ".join(
        "black and white" if value is True else f"{_NAMES.get(field, field).lower()}: {value}"
        for field, value in values.items()
    )


def _table(title: str, rows: Mapping[str, str]) -> list[str]:
    return [f"| {title} | Words |", "| --- | --- |", *(f"| {value} | {words} |" for value, words in rows.items())]
