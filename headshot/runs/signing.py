"""Signs downloads with Content Credentials (C2PA)."""

import logging
import threading
from typing import TYPE_CHECKING

from headshot.errors import SettingsError
from headshot.metadata import Kind, with_duration
from headshot.request import Headshot
from headshot.settings import Settings, variable

if TYPE_CHECKING:  # signing takes a tenth of a second to load
    from headshot.metadata.signing import C2paSigner

_log = logging.getLogger(__name__)


class LazySigner:
    """Signs files with a certificate that is opened, or made, when it is first needed. Thread-safe."""

    def __init__(self, settings: Settings) -> None:
        """Open the certificate that the settings name, if they name one.

        Raises:
            SettingsError: if that certificate cannot sign.
        """
        self._settings = settings
        self._opening = threading.Lock()
        self._signer: C2paSigner | None = None
        self._broken = not settings.content_credentials
        if settings.content_credentials and settings.c2pa_certificate is not None:
            self._open()

    @property
    def signs(self) -> bool:
        """Whether there is a certificate, or one could be made just now."""
        with self._opening:
            if self._signer is None and not self._broken:
                try:
                    self._open()
                except SettingsError:
                    self._broken = True
                    _log.exception("Headshots are not signed")
        return self._signer is not None

    def chain(self) -> str:
        """Return the certificates by which this server's pictures are recognised, PEM; "" before the first use."""
        return "" if self._signer is None else self._signer.chain

    def sign(self, data: bytes, kind: Kind = "png", *, parent: bytes | None = None) -> bytes:
        """Return the file with its signature, or unsigned if no certificate can be made.

        Args:
            data: the file.
            kind: its format.
            parent: the file that it was converted from, if any.
        """
        return self._signer.sign(data, kind, parent=parent) if self.signs and self._signer is not None else data

    def sign_headshot(self, headshot: Headshot) -> bytes:
        """Return a headshot's file, signed. Without a certificate it is the same file whenever it is made."""
        return self.sign(with_duration(headshot.png, headshot.seconds)) if self.signs else headshot.png

    def _open(self) -> None:
        from headshot.metadata.signing import C2paSigner

        certificate, key = self._settings.c2pa_certificate, self._settings.c2pa_key
        if certificate is None:
            self._signer = C2paSigner.self_signed(self._settings.data_dir.expanduser())
        elif key is None:
            raise SettingsError(f"{variable('c2pa_certificate')} needs its private key: set {variable('c2pa_key')}.")
        else:
            self._signer = C2paSigner.of_files(certificate.expanduser(), key.expanduser())
