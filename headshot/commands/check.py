"""`headshot check`: which tool, model and settings made a picture, and whether its signature holds."""

import re
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from headshot.errors import HeadshotError, PhotoError, SettingsError
from headshot.imaging.photo import MAX_FILE_BYTES
from headshot.metadata import Found, read
from headshot.settings import Settings

from .console import printable, write_error, write_json, write_line

_TITLES = {
    "tool": "tool",
    "backend": "backend",
    "model": "model",
    "prompt": "prompt",
    "negative_prompt": "negative prompt",
    "num_inference_steps": "steps",
    "guidance_scale": "guidance",
    "seed": "seed",
    "source": "kind",
}
_SETTINGS = ("prompt", "negative_prompt", "num_inference_steps", "guidance_scale", "seed")


def check_files(files: Sequence[Path], *, as_json: bool) -> int:
    """Print what each picture file says about how it was made.

    Args:
        files: PNG, JPEG or WebP files. One that cannot be read does not stop the others.
        as_json: print one JSON list instead of lines.

    Returns:
        The exit status: 0, or 1 if a file could not be read.
    """
    reports = []
    for file in files:
        try:
            report = {"file": str(file), **_report(_found(file))}
        except HeadshotError as error:
            write_error(_about(file, str(error), len(files)))
            continue
        reports.append(report)
        if not as_json:
            _write(report)
    if as_json:
        write_json(reports)
    return 0 if len(reports) == len(files) else 1


def _found(file: Path) -> Found:
    try:
        with file.open("rb") as opened:
            data = opened.read(MAX_FILE_BYTES + 1)
    except FileNotFoundError as error:
        raise PhotoError(f"There is no file “{file.name}”: check its name and folder.") from error
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        reason = getattr(error, "strerror", None) or "unusable name"
        raise PhotoError(f"“{file.name}” cannot be read ({reason}).") from error
    if len(data) > MAX_FILE_BYTES:
        raise PhotoError(f"“{file.name}” is larger than {MAX_FILE_BYTES // 2**20} MB, the most that is read.")
    found = read(data)
    if found.credentials.state == "none":
        return found
    chain = _own_chain()
    return read(data, chain=chain) if chain else found


def _own_chain() -> str:
    """Return the certificates that this machine signs with, PEM; "" if it has none. None is made for a check."""
    from headshot.metadata.signing import C2paSigner  # the signing library has 20 MB

    settings = Settings()
    with suppress(SettingsError, RuntimeError, OSError):  # a stranger's signature is still worth showing
        if settings.c2pa_certificate is not None:
            return settings.c2pa_certificate.expanduser().read_text(encoding="ascii")
        folder = settings.data_dir.expanduser()
        if any(folder.glob("*.pem")):
            return C2paSigner.self_signed(folder).chain
    return ""


def _report(found: Found) -> dict[str, Any]:
    """Return the findings as JSON's types; None where the file does not say."""
    settings = {name: getattr(found.request, name) if name in found.given else None for name in _SETTINGS}
    return {
        "format": found.format,
        "tool": found.maker or None,
        "backend": found.backend or None,
        "model": found.model or None,
        **settings,
        "source": found.source or None,
        "ai": bool(re.search(r"\bAI\b", found.source)) if found.source else None,
        "signature": {"state": found.credentials.state, "sentence": found.credentials.sentence},
        "seconds": found.seconds,
        "notes": [{"kind": note.kind, "text": note.text} for note in found.notes],
        "remarks": list(found.remarks),
    }


def _write(report: dict[str, Any]) -> None:
    write_line(printable(report["file"]))
    known = {title: report[name] for name, title in _TITLES.items() if report[name] not in (None, "")}
    if report["tool"] is None:
        known = {"tool": "Nothing in the file says what made it", **known}
    signature = {"made by AI": {True: "yes", False: "no", None: "the file does not say"}[report["ai"]]}
    for title, value in {**known, **signature, "signature": report["signature"]["sentence"]}.items():
        text = f"{value:g}" if isinstance(value, float) else str(value)
        write_line(f"    {title + ':':<17} {printable(' '.join(text.split()))}")
    for remark in report["remarks"]:
        write_line(f"    {'note:':<17} {printable(remark)}")


def _about(file: Path, sentence: str, count: int) -> str:
    """Name the file where the sentence does not, and others were given too."""
    return sentence if count == 1 or file.name in sentence else f"{printable(str(file))}: {sentence}"
