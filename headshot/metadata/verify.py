r"""Check one picture's Content Credentials: `verify.py MEDIA_TYPE < {"trust": …}\npicture > verdict`.

`credentials.py` runs it by `run_limited`, in a process of its own, because the reader is machine code that a stranger's
file can make crash. It fetches nothing from the network.

Writes one line of JSON: state, failures, serial, issuer, name, tool and source, or `unreadable` with the reason.
"""

import io
import json
import sys
from typing import Any

import c2pa  # type: ignore[import-untyped]  # ships no types


def main() -> None:
    """Check the picture from standard input and write the verdict to standard output."""
    trust, _, data = sys.stdin.buffer.read().partition(b"\n")
    try:
        with (
            c2pa.Context.from_dict(json.loads(trust)) as context,
            c2pa.Reader(sys.argv[1], io.BytesIO(data), context=context) as reader,
        ):
            verdict = _verdict(reader)
    except c2pa.C2paError as error:
        verdict = {"unreadable": str(error)[:200]}
    sys.stdout.write(json.dumps(verdict))


def _verdict(reader: Any) -> dict[str, Any]:
    manifest = reader.get_active_manifest() or {}
    results = (reader.get_validation_results() or {}).get("activeManifest", {})
    signature = manifest.get("signature_info") or {}
    tools = manifest.get("claim_generator_info") or [{}]
    actions = [
        action
        for assertion in manifest.get("assertions", [])
        if str(assertion.get("label", "")).startswith("c2pa.actions")
        for action in assertion["data"].get("actions", [])
    ]
    sources = [action["digitalSourceType"] for action in actions if "digitalSourceType" in action]
    return {
        "state": reader.get_validation_state(),
        "failures": [failure.get("code", "") for failure in results.get("failure", [])],
        "serial": str(signature.get("cert_serial_number", "")),
        "issuer": signature.get("issuer") or "",
        "name": signature.get("common_name") or "",
        "tool": " ".join(str(tools[0].get(part, "")) for part in ("name", "version")).strip(),
        "source": sources[-1] if sources else "",
    }


if __name__ == "__main__":
    main()
