"""Content Credentials: a signed statement in the file that names this program and what it did (C2PA, by c2pa-python).

No time-stamp server is asked, no thumbnail is stored, and no certificate names a person.
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
from .record import PRODUCT
from .source import Source

_FILE = "seal.pem"  # certificates and key in one file, so that there is never one without the other
_KEY = b"-----BEGIN PRIVATE KEY-----"
_END = "-----END CERTIFICATE-----"
_RENEW_DAYS = 30
_MEDIA: dict[Kind, str] = {"png": "image/png", "jpeg": "image/jpeg", "webp": "image/webp"}

# The library reads and writes by calling back into Python, a hundred times a picture: signatures at the same time wait
# for each other at every call, and take thrice as long.
_signing = threading.Lock()


class C2paSigner:
    """Signs pictures with one certificate. Safe to use from several threads.

    Raises SettingsError where the certificate cannot sign Content Credentials, which is tried out at once.
    """

    def __init__(self, certificate: Certificate) -> None:
        try:
            self._algorithm = algorithm(certificate)
        except ValueError as error:
            raise SettingsError(f"Pictures cannot be signed: {error}.") from error
        if days_left(certificate.chain) < 0:
            raise SettingsError("Pictures cannot be signed: the certificate has expired.")
        self._certificate = certificate
        self._try_out()

    @classmethod
    def of_files(cls, chain: Path, key: Path) -> "C2paSigner":
        """The certificate chain, its own certificate first, and its private key, both PEM."""
        try:
            return cls(Certificate(chain.read_bytes(), key.read_bytes()))
        except OSError as error:
            name = Path(error.filename or chain).name
            raise SettingsError(f"Pictures cannot be signed: “{name}” cannot be read ({error.strerror}).") from error

    @classmethod
    def of_folder(cls, folder: Path) -> "C2paSigner":
        """The certificate that this server made for itself, made now where the folder has none, or none for long.

        Its file is readable by the server's user alone.
        """
        file = folder / _FILE
        try:
            if file.exists():
                chain, begin, key = file.read_bytes().partition(_KEY)
                with suppress(ValueError):  # of a damaged file, which the seal explains
                    if days_left(chain) < _RENEW_DAYS:
                        _write(file, create_certificate())
                        return cls.of_folder(folder)
                return cls(Certificate(chain, begin + key))
            _write(file, create_certificate(), anew=True)
        except OSError as error:
            raise SettingsError(
                f"Pictures cannot be signed: “{_FILE}” cannot be kept in the data folder ({error.strerror})."
            ) from error
        return cls.of_folder(folder)

    @property
    def chain(self) -> str:
        """The certificates, PEM, by which a reader knows this server's pictures."""
        return self._certificate.chain.decode()

    def sealed(self, data: bytes, kind: Kind, *, parent: bytes | None = None) -> bytes:
        """The file with Content Credentials; what else it holds stays as it is, and no later change goes unnoticed.

        parent: the picture file that this one was made from, named in the statement by its hash.
        Raises PhotoError where the file is not of that kind, or damaged.
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
                    builder.set_intent(c2pa.C2paBuilderIntent.EDIT)  # which says by itself that the parent was opened
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

    def _try_out(self) -> None:
        """The library knows best whether a certificate fits the profile: it signs a small picture, and reads it."""
        picture = io.BytesIO()
        Image.new("RGB", (8, 8)).save(picture, "PNG")
        try:
            signed = self._signed(picture.getvalue(), "png", Source.GENERATED, None)
        except PhotoError as error:
            raise SettingsError(_unfit(str(error.__cause__))) from error
        c2pa = _c2pa()
        with (
            c2pa.Context.from_dict(trusting(self.chain)) as context,
            c2pa.Reader("image/png", io.BytesIO(signed), context=context) as reader,
        ):
            if reader.get_validation_state() != "Trusted":
                told = reader.get_validation_results() or {}
                failures = told.get("activeManifest", {}).get("failure", [])
                raise SettingsError(_unfit(failures[0]["explanation"] if failures else "it is not trusted"))


# Nothing is fetched: not what a picture's statement names elsewhere, not a certificate's state of today.
_SETTINGS: dict[str, Any] = {
    "version": 1,
    "builder": {"thumbnail": {"enabled": False}},
    "verify": {"verify_after_sign": False, "remote_manifest_fetch": False, "ocsp_fetch": False},
}


def trusting(chain: str) -> dict[str, Any]:
    """The library's settings for a reader that trusts whoever issued this chain's first certificate, and nobody else.

    chain: "" trusts nobody.
    """
    _, _, issuers = chain.partition(_END)
    known = {"trust_anchors": issuers.strip()} if issuers.strip() else {}
    return {**_SETTINGS, "trust": {"trust_config": "\n".join(CLAIM_SIGNING), **known}}


def _unfit(reason: str) -> str:
    return f"Pictures cannot be signed: the certificate does not fit Content Credentials ({reason[:200]})."


def _c2pa() -> Any:
    """The package, which brings 20 MB of machine code and is loaded where somebody signs."""
    try:
        import c2pa  # type: ignore[import-untyped]  # ships no types
    except (ImportError, OSError) as error:  # OSError: its library is there and cannot be loaded on this system
        raise SettingsError("Pictures cannot be signed: the package c2pa-python is missing or broken.") from error
    return c2pa


def _write(file: Path, certificate: Certificate, *, anew: bool = False) -> None:
    """anew: where another process of this server is quicker, its file stays."""
    file.parent.mkdir(parents=True, exist_ok=True)
    draft = file.with_name(f".{_FILE}-{secrets.token_hex(8)}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as opened:
        opened.write(certificate.chain + certificate.key)
        opened.flush()
        os.fsync(opened.fileno())
    if not anew:
        draft.replace(file)
        return
    try:
        os.link(draft, file)
    except FileExistsError:
        pass
    except OSError:  # a file system without links
        draft.replace(file)
    draft.unlink(missing_ok=True)
