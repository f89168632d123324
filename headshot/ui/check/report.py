"""What the metadata of a picture says, as HTML. Pure functions; every text that is not ours is escaped."""

import base64
from collections.abc import Iterable, Sequence
from html import escape

from PIL import Image

from headshot.backend_names import LOCAL, MODELSLAB, STUDIO
from headshot.errors import PhotoError
from headshot.imaging.encoding import jpeg
from headshot.imaging.photo import Photo
from headshot.metadata import Found

_SHOWN_PX = 640  # twice the width it is shown at, for sharp screens
_LONG_CHARS = 600  # of a prompt; a longer one is folded
_CONTENT_ID_CHARS = 8  # in a history of 5,000 two begin alike in one of 300


def picture(data: bytes) -> str:
    """Return the dropped picture, small and without metadata; or a sentence if its pixels cannot be read."""
    try:
        image = Image.fromarray(Photo.from_bytes(data).pixels)
    except PhotoError as error:
        return f'<p class="unseen">No preview. {escape(str(error))}</p>'
    image.thumbnail((_SHOWN_PX, _SHOWN_PX), Image.Resampling.LANCZOS)
    address = f"data:image/jpeg;base64,{base64.b64encode(jpeg(image, 85)).decode()}"
    return f'<img src="{address}" width="{image.width}" height="{image.height}" alt="The picture you dropped">'


# Names that stay true for a file that comes from a server with other backends.
_BACKENDS = {STUDIO: "the studio", LOCAL: "the local pipeline", MODELSLAB: "ModelsLab"}
_SEALS = {"ours": "good", "changed": "bad", "broken": "bad", "stranger": "warn", "none": "quiet"}


def report(found: Found, parent: str) -> str:
    """Return all that was found in a picture.

    Args:
        found: its metadata.
        parent: which of the visitor's pictures its parent is, as the end of a sentence; "" if none.
    """
    maker = found.maker or ("No generation data found" if found.request is None else "Unknown program")
    made = [found.source, found.backend and f"made by {_BACKENDS.get(found.backend, found.backend)}", found.model]
    request, given = found.request, found.given
    based_on = f"Based on the picture with content ID {_short(found.parent)}{parent}." if found.parent else ""
    parts = [
        f"<header><h2>{escape(maker)}</h2>{_line(made)}</header>",
        f'<p class="seal {_SEALS[found.credentials.state]}">{escape(found.credentials.sentence)}</p>',
        *(f'<p class="remark">{escape(remark)}</p>' for remark in found.remarks),
        f'<p class="after">{escape(based_on)}</p>' if based_on else "",
    ]
    if request is not None:
        parts += [_prompt("Prompt", request.prompt)] if "prompt" in given else []
        parts += [_prompt("Negative prompt", request.negative_prompt)] if "negative_prompt" in given else []
    parts.append(_facts(_main_facts(found)))
    if found.notes:
        notes = "".join(
            f'<li><span class="kind">{escape(each.kind.capitalize())}</span> {escape(each.text)}</li>'
            for each in found.notes
        )
        parts.append(f"<details><summary>Notes ({len(found.notes)})</summary><ul>{notes}</ul></details>")
    more = [*found.settings, *found.versions, *([("Based on", found.parent)] if found.parent else [])]
    more += [("Full content ID", found.content_id)] if request is not None else []
    if more:
        parts.append(f"<details><summary>More metadata ({len(more)})</summary>{_facts(more)}</details>")
    return f'<div class="checked" role="status">{"".join(parts)}</div>'


def _main_facts(found: Found) -> list[tuple[str, str]]:
    request, given = found.request, found.given
    facts = []
    if request is not None:
        facts = [
            ("Seed", "" if request.seed is None else str(request.seed)),
            ("Steps", str(request.num_inference_steps) if "num_inference_steps" in given else ""),
            ("Guidance", f"{request.guidance_scale:g}" if "guidance_scale" in given else ""),
            ("Time", "" if found.seconds is None else f"{found.seconds:.1f} s"),
            ("Content ID", _short(found.content_id)),
        ]
    facts += [("Format", found.format), ("Read from", ", ".join(found.carriers) or "no metadata found")]
    return [(title, text) for title, text in facts if text]


def _short(content_id: str) -> str:
    """As much of a content id as a person compares."""
    return f"{content_id[:_CONTENT_ID_CHARS]}…"


def _line(phrases: Iterable[str]) -> str:
    line = " · ".join(escape(phrase) for phrase in phrases if phrase)
    return f"<p>{line}</p>" if line else ""


def _prompt(title: str, text: str) -> str:
    words = f"<blockquote>{escape(text) or '<i>empty</i>'}</blockquote>"
    if len(text) > _LONG_CHARS:
        words = f"<details><summary>{len(text):,} characters</summary>{words}</details>"
    return f'<section class="words"><h3>{escape(title)}</h3>{words}</section>'


def _facts(facts: Iterable[tuple[str, str]]) -> str:
    rows = "".join(f"<div><dt>{escape(title)}</dt><dd>{escape(text)}</dd></div>" for title, text in facts)
    return f"<dl>{rows}</dl>"


def photo_match(found: Found, photo: Photo | None) -> tuple[str, str]:
    """Return whether a picture was made from the form's photo.

    Args:
        found: the picture's metadata.
        photo: the form's, if there is one.

    Returns:
        A CSS class, and a sentence ("" if the picture names no photo).
    """
    if not found.photo_sha256:
        return "quiet", ""
    if photo is None:
        return "warn", "Made from a photo that is not loaded. Choose that photo to get the same picture."
    if photo.sha256 == found.photo_sha256:
        return "good", "Made from this photo."
    return "warn", "Made from another photo. Choose that photo to get the same picture."


def comparison(rows: Sequence[tuple[str, str, str]], problem: str, photo: tuple[str, str]) -> str:
    """Return the differences between a picture's settings and the form's as a table.

    Args:
        rows: for each difference the field's title, the form's value, the picture's value.
        problem: why the form cannot be read, "" if it can.
        photo: as `photo_match` returns it.
    """
    css_class, sentence = photo
    about = f'<p class="seal {css_class}">{escape(sentence)}</p>' if sentence else ""
    if problem:
        words = f"The form has an error, so its default values are shown. {problem}"
        about += f'<p class="remark">{escape(words)}</p>'
    title = "<h3>Compared with the form</h3>"
    if not rows:
        return f'<div class="against">{title}<p class="same">No difference.</p>{about}</div>'
    head = '<tr><td></td><th scope="col">In the form</th><th scope="col">In the file</th></tr>'
    lines = "".join(
        f'<tr><th scope="row">{escape(field)}</th><td>{escape(mine)}</td><td class="theirs">{escape(theirs)}</td></tr>'
        for field, mine, theirs in rows
    )
    return f'<div class="against">{title}<table><thead>{head}</thead><tbody>{lines}</tbody></table>{about}</div>'
