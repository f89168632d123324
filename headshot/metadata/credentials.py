"""Checks a picture's Content Credentials, and says in plain words what they prove."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from headshot.imaging.limited_process import run_limited

from .container import Kind
from .limits import printable

_VERIFY = Path(__file__).with_name("verify.py")
_MEMORY_BYTES = 2 * 2**30  # the libraries alone reserve a part of it
_CPU_SECONDS = 10  # a headshot takes a hundredth of one
_SECONDS = 20  # longer than the processor time, because the machine may be busy
_MEDIA: dict[Kind, str] = {"png": "image/png", "jpeg": "image/jpeg", "webp": "image/webp"}

State = Literal["none", "ours", "changed", "stranger", "broken"]


@dataclass(frozen=True)
class Credentials:
    """The result of checking a file's Content Credentials.

    Attributes:
        state: "none": there are none. "ours": signed by this server, and unchanged. "changed": changed after it was
            signed. "stranger": unchanged, but signed with a certificate that this server does not know. "broken": the
            statement is forged, damaged or expired.
        sentence: the same for a person.
        signer: the names in the certificate, "" if they could not be read.
        tool: the program that the statement names, or "".
        source: the kind of picture that the statement names, or "".
    """

    state: State
    sentence: str
    signer: str = ""
    tool: str = ""
    source: str = ""


NONE = Credentials("none", "No Content Credentials: nobody signed this file, so what it says may have been changed.")


def check_credentials(data: bytes, kind: Kind, chain: str = "") -> Credentials:
    """Check the Content Credentials of a file that has some, valid or not.

    Args:
        data: the file's bytes, untrusted.
        kind: of file.
        chain: the PEM certificates by which this server recognises its own pictures.
    """
    from .certificate import serial
    from .signing import trusting

    request = json.dumps(trusting(chain)).encode() + b"\n" + data
    try:
        report = json.loads(
            run_limited(
                _VERIFY,
                [_MEDIA[kind]],
                request,
                memory_bytes=_MEMORY_BYTES,
                cpu_seconds=_CPU_SECONDS,
                seconds=_SECONDS,
            )
        )
    except (OSError, ValueError):  # ValueError: no JSON
        report = {"unreadable": "the reader gave up"}
    if "unreadable" in report:
        return Credentials("broken", "Its Content Credentials cannot be read: they are damaged or forged.")
    words = {name: printable(str(report[name]))[:200] for name in ("issuer", "name", "tool", "source")}
    signer = " · ".join(dict.fromkeys(filter(None, (words["issuer"], words["name"])))) or "somebody without a name"
    own = bool(chain) and report["state"] == "Trusted" and report["serial"] == str(serial(chain.encode()))
    state, sentence = _verdict(set(report["failures"]), signer, own=own)
    return Credentials(state, sentence, signer, words["tool"], words["source"])


def _verdict(failures: set[str], signer: str, *, own: bool) -> tuple[State, str]:
    if own:
        return "ours", f"Signed by “{signer}” with this server’s certificate, and not changed since."
    if any("mismatch" in code and "ash" in code for code in failures):  # dataHash, hashedURI, bmffHash and the like
        return "changed", f"Changed after “{signer}” signed it: what it says may not be true of this picture."
    strange = {code for code in failures if code.startswith("signingCredential.")} - {"signingCredential.expired"}
    if strange == failures:  # or no failure at all, by another certificate of the same issuer
        return "stranger", (
            f"Signed by “{signer}”, and not changed since, with a certificate that this server does not know: "
            "anybody can write a name into such a one."
        )
    if {"signingCredential.expired", "claimSignature.outsideValidity"} & failures:
        return "broken", f"Signed by “{signer}” with a certificate that was out of date, which proves nothing."
    return "broken", "Its signature does not hold: it is forged or damaged."
