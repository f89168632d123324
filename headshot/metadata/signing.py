"""Content Credentials: a signed statement in the file that names this program and what it did (C2PA, by c2pa-python).

No time-stamp server is contacted, no thumbnail is stored, and no certificate has the name of a person.
"""

import io
import json
import os
import secrets
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

from PIL import Image

from headshot.errors import PhotoError, SettingsError
from headshot.version import __version__

from . import xmp
from .certificate import CLAIM_SIGNING, Certificate, algorithm, create_certificate, days_left
from .container import Kind, container_metadata, kind_of
from .digital_source_type import Source
from .record import PRODUCT

_FILE = "seal.pem"  # certificates and key in one file, so that there is never one without the other
_KEY = b"-----BEGIN PRIVATE KEY-----"
_END = "-----END CERTIFICATE-----"
_RENEW_DAYS = 30  # before its end: a server that is restarted once a month never signs with an expired one
_MEDIA: dict[Kind, str] = {"png": "image/png", "jpeg": "image/jpeg", "webp": "image/webp"}

# The library reads and writes by calling back into Python, a hundred times a picture: concurrent signatures
# wait for each other at every call, and take three times as long.
_signing = threading.Lock()


class C2paSigner:
    """Signs pictures with one certificate. Safe to use from several threads.

    Raises:
        SettingsError: if the certificate cannot sign Content Credentials, which is tested at once.
    """

    def __init__(self, certificate: Certificate) -> None:
        try:
            self._algorithm = algorithm(certificate)
        except ValueError as error:
            raise SettingsError(f"Pictures cannot be signed: {error}.") from error
        if days_left(certificate.chain) < 0:
            raise SettingsError("Pictures cannot be signed: the certificate has expired.")
        self._certificate = certificate
        self._self_test()

    @classmethod
    def of_files(cls, chain: Path, key: Path) -> "C2paSigner":
        """Use the operator's certificate.

        Args:
            chain: a PEM file, its own certificate first.
            key: a PEM file with its private key.

        Raises:
            SettingsError: if a file cannot be read, or the certificate cannot sign.
        """
        try:
            return cls(Certificate(chain.read_bytes(), key.read_bytes()))
        except OSError as error:
            name = Path(error.filename or chain).name
            raise SettingsError(f"Pictures cannot be signed: “{name}” cannot be read ({error.strerror}).") from error

    @classmethod
    def self_signed(cls, folder: Path) -> "C2paSigner":
        """Use the server's own certificate; makes one if the folder has none, or it ends within 30 days.

        Only the server's user may read its file.

        Raises:
            SettingsError: if the file cannot be read or written, or is damaged.
        """
        file = folder / _FILE
        try:
            if file.exists():
                chain, begin, key = file.read_bytes().partition(_KEY)
                with suppress(ValueError):  # of a damaged file, for which the constructor has a better error
                    if days_left(chain) < _RENEW_DAYS:
                        _write(file, create_certificate())
                        return cls.self_signed(folder)
                return cls(Certificate(chain, begin + key))
            _write(file, create_certificate(), only_if_missing=True)
        except OSError as error:
            raise SettingsError(
                f"Pictures cannot be signed: “{_FILE}” cannot be kept in the data folder ({error.strerror})."
            ) from error
        return cls.self_signed(folder)

    @property
    def chain(self) -> str:
        """The certificates, PEM, by which a reader recognises this server's pictures."""
        return self._certificate.chain.decode()

    def sign(self, data: bytes, kind: Kind, *, parent: bytes | None = None) -> bytes:
        """Return the file with Content Credentials added and everything else unchanged.

        Args:
            data: the file's bytes.
            kind: of file.
            parent: the picture file that this one was made from; the statement has its hash.

        Raises:
            PhotoError: if the file is not of that kind, or damaged.
        """
        found = container_metadata(data)
        if found.kind != kind:
            raise PhotoError(f"The picture cannot be signed as {kind}: it is a {found.kind} file.")
        source = xmp.read(found.xmp).get("source") or Source.GENERATED
        return self._signed(data, kind, source, parent)

    def _signed(self, data: bytes, kind: Kind, source: str, parent: bytes | None) -> bytes:
        c2pa = _c2pa()

        action = {"action": "c2pa.created" if parent is None else "c2pa.edited", "digitalSourceType": source}
        claim: dict[str, Any] = {
            "claim_generator_info": [{"name": PRODUCT, "version": __version__}],
            "title": "Headshot",
            "assertions": [] if parent is not None else [{"label": "c2pa.actions.v2", "data": {"actions": [action]}}],
        }
        signed = io.BytesIO()
        try:
            with (
                _signing,
                c2pa.Context.from_dict(_SETTINGS) as context,
                c2pa.Builder(json.dumps(claim), context=context) as builder,
            ):
                if parent is not None:
                    builder.set_intent(c2pa.C2paBuilderIntent.EDIT)  # which adds the action that the parent was opened
                    kind_of_parent = kind_of(parent)
                    if kind_of_parent is None:
                        raise PhotoError("The picture cannot be signed: the one it was made from is no picture file.")
                    about = json.dumps({"title": "The picture before", "relationship": "parentOf"})
                    builder.add_ingredient(about, _MEDIA[kind_of_parent], io.BytesIO(parent))
                    builder.add_action(json.dumps(action))
                with c2pa.Signer.from_info(self._signer_info(c2pa)) as signer:
                    builder.sign(signer, _MEDIA[kind], io.BytesIO(data), signed)
        except c2pa.C2paError as error:
            raise PhotoError("The picture could not be signed: its file is damaged.") from error
        return signed.getvalue()

    def _signer_info(self, c2pa: Any) -> Any:
        return c2pa.C2paSignerInfo(self._algorithm.encode(), self._certificate.chain, self._certificate.key, None)

    def _self_test(self) -> None:
        """Sign a small picture and read it: only the library knows whether a certificate fits the profile."""
        picture = io.BytesIO()
        Image.new("RGB", (8, 8)).save(picture, "PNG")
        try:
            signed = self._signed(picture.getvalue(), "png", Source.GENERATED, None)
        except PhotoError as error:
            raise SettingsError(_misfit_message(str(error.__cause__))) from error
        c2pa = _c2pa()
        with (
            c2pa.Context.from_dict(trusting(self.chain)) as context,
            c2pa.Reader("image/png", io.BytesIO(signed), context=context) as reader,
        ):
            if reader.get_validation_state() != "Trusted":
                results = reader.get_validation_results() or {}
                failures = results.get("activeManifest", {}).get("failure", [])
                raise SettingsError(_misfit_message(failures[0]["explanation"] if failures else "it is not trusted"))


# Nothing is fetched: neither manifests that a picture only links to, nor the state of a certificate.
_SETTINGS: dict[str, Any] = {
    "version": 1,
    "builder": {"thumbnail": {"enabled": False}},
    "verify": {"verify_after_sign": False, "remote_manifest_fetch": False, "ocsp_fetch": False},
}


def trusting(chain: str) -> dict[str, Any]:
    """Return the library's settings for a reader that trusts only the issuer of this chain's first certificate.

    Args:
        chain: PEM; "" trusts nobody.
    """
    _, _, issuers = chain.partition(_END)
    known = {"trust_anchors": issuers.strip()} if issuers.strip() else {}
    return {**_SETTINGS, "trust": {"trust_config": "\n".join(CLAIM_SIGNING), **known}}


def _misfit_message(reason: str) -> str:
    return f"Pictures cannot be signed: the certificate does not fit Content Credentials ({reason[:200]})."


def _c2pa() -> Any:
    """Import the package only now: it loads 20 MB of machine code."""
    try:
        import c2pa  # type: ignore[import-untyped]  # ships no types
    except (ImportError, OSError) as error:  # OSError: its library is there and cannot be loaded on this system
        raise SettingsError("Pictures cannot be signed: the package c2pa-python is missing or broken.") from error
    return c2pa


def _write(file: Path, certificate: Certificate, *, only_if_missing: bool = False) -> None:
    """Write the file atomically. `only_if_missing`: if another process of this server was quicker, its file stays."""
    file.parent.mkdir(parents=True, exist_ok=True)
    draft = file.with_name(f".{_FILE}-{secrets.token_hex(8)}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as opened:
        opened.write(certificate.chain + certificate.key)
        opened.flush()
        os.fsync(opened.fileno())
    if not only_if_missing:
        draft.replace(file)
        return
    try:
        os.link(draft, file)
    except FileExistsError:
        pass
    except OSError:  # a file system without links
        draft.replace(file)
    draft.unlink(missing_ok=True)
