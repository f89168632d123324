"""Content Credentials on what leaves the house."""

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
    """Signs what leaves the house, with a certificate that is opened, or made, when it is first needed."""

    def __init__(self, settings: Settings) -> None:
        """Raises SettingsError where the certificate that is named cannot sign."""
        self._settings = settings
        self._opening = threading.Lock()
        self._seal: C2paSigner | None = None
        self._broken = not settings.content_credentials
        if settings.content_credentials and settings.c2pa_certificate is not None:
            self._open()

    @property
    def signs(self) -> bool:
        """Whether there is a certificate, or one could be made just now."""
        with self._opening:
            if self._seal is None and not self._broken:
                try:
                    self._open()
                except SettingsError:
                    self._broken = True
                    _log.exception("Headshots are not signed")
        return self._seal is not None

    def chain(self) -> str:
        """The certificates by which this server's pictures are known, PEM; "" while nothing was signed."""
        return "" if self._seal is None else self._seal.chain

    def signed(self, data: bytes, kind: Kind = "png", *, parent: bytes | None = None) -> bytes:
        """As Seal.sealed; unsigned where no certificate can be made, for that must cost nobody their headshot."""
        return self._seal.sealed(data, kind, parent=parent) if self.signs and self._seal is not None else data

    def finished(self, headshot: Headshot) -> bytes:
        """A headshot's file as it leaves the house. Unsigned it is the same file whenever it is made."""
        return self.signed(with_duration(headshot.png, headshot.seconds)) if self.signs else headshot.png

    def _open(self) -> None:
        from headshot.metadata.signing import C2paSigner

        certificate, key = self._settings.c2pa_certificate, self._settings.c2pa_key
        if certificate is None:
            self._seal = C2paSigner.of_folder(self._settings.data_dir.expanduser())
        elif key is None:
            raise SettingsError(f"{variable('c2pa_certificate')} needs its private key: set {variable('c2pa_key')}.")
        else:
            self._seal = C2paSigner.of_files(certificate.expanduser(), key.expanduser())
