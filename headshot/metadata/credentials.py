"""What a picture's Content Credentials are worth, in plain words."""

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from .container import Kind
from .limits import plain

_VERIFY = Path(__file__).with_name("verify.py")
_SECONDS = 20  # its own limit counts the processor's time; this one the clock's, on a busy machine
_MEDIA: dict[Kind, str] = {"png": "image/png", "jpeg": "image/jpeg", "webp": "image/webp"}

State = Literal["none", "ours", "changed", "stranger", "broken"]


@dataclass(frozen=True)
class Credentials:
    """state: "none" there are none.  "ours": signed by this server, and unchanged.  "changed": since it was signed.

    "stranger": unchanged, and signed by a certificate that this server does not know: whoever has it, said so.
    "broken": the statement is forged, damaged or past its time.
    sentence: the same for a person.  signer, tool, source: what the statement says, as far as it could be read.
    """

    state: State
    sentence: str
    signer: str = ""
    tool: str = ""
    source: str = ""


NONE = Credentials("none", "No Content Credentials: nobody signed this file, so what it tells may have been changed.")


def check_credentials(data: bytes, kind: Kind, chain: str = "") -> Credentials:
    """Of a file that has some, sound or not. chain: the PEM certificates by which this server knows its own."""
    from .certificate import serial
    from .signing import trusting

    asked = json.dumps(trusting(chain)).encode() + b"\n" + data
    command = [sys.executable, "-P", str(_VERIFY), _MEDIA[kind]]
    try:
        child = subprocess.run(command, input=asked, capture_output=True, timeout=_SECONDS)  # noqa: S603  our own file
        told = json.loads(child.stdout)
    except (subprocess.TimeoutExpired, ValueError):  # ValueError: it died, and wrote nothing
        told = {"unreadable": "the reader gave up"}
    if "unreadable" in told:
        return Credentials("broken", "Its Content Credentials cannot be read: they are damaged or forged.")
    words = {name: plain(str(told[name]))[:200] for name in ("issuer", "name", "tool", "source")}
    signer = " · ".join(dict.fromkeys(filter(None, (words["issuer"], words["name"])))) or "somebody without a name"
    own = bool(chain) and told["state"] == "Trusted" and told["serial"] == str(serial(chain.encode()))
    state, sentence = _judged(set(told["failures"]), signer, own=own)
    return Credentials(state, sentence, signer, words["tool"], words["source"])


def _judged(failures: set[str], signer: str, *, own: bool) -> tuple[State, str]:
    if own:
        return "ours", f"Signed by “{signer}” with this server’s certificate, and not changed since."
    if any("mismatch" in code and "ash" in code for code in failures):  # dataHash, hashedURI, bmffHash and the like
        return "changed", f"Changed after “{signer}” signed it: what it tells may not be true of this picture."
    strange = {code for code in failures if code.startswith("signingCredential.")} - {"signingCredential.expired"}
    if strange == failures:  # or no failure at all, by another certificate of the same issuer
        return "stranger", (
            f"Signed by “{signer}”, and not changed since, with a certificate that this server does not know: "
            "anybody can write a name into such a one."
        )
    if {"signingCredential.expired", "claimSignature.outsideValidity"} & failures:
        return "broken", f"Signed by “{signer}” with a certificate that was out of date, which proves nothing."
    return "broken", "Its signature does not hold: it is forged or damaged."
