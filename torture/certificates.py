"""Certificates that the client of a cell trusts, and one of another host that nobody vouches for."""

import ssl
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from os import environ
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

__all__ = ["Certificates", "certificates"]

_NAMED = "SSL_CERT_FILE"


def _pem(name: x509.GeneralName) -> bytes:
    """A key, and a certificate of this host that is signed by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, str(name.value))])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([name]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return pem + certificate.public_bytes(Encoding.PEM)


def _context(path: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return context


class Certificates:
    """What a listener shows: the one that is trusted while it is `vouched` for, then the other; `unvouched` counts the
    handshakes that it was shown in."""

    def __init__(self, folder: Path) -> None:
        self.vouched, self.unvouched = True, 0
        self.path = folder / "trusted.pem"
        self.path.write_bytes(_pem(x509.IPAddress(ip_address("127.0.0.1"))))
        other = folder / "other.pem"
        other.write_bytes(_pem(x509.DNSName("elsewhere.example")))
        self._trusted, self._other = _context(self.path), _context(other)
        self._trusted.sni_callback = self._shown

    def context(self) -> ssl.SSLContext:
        return self._trusted

    def _shown(self, connection: ssl.SSLSocket | ssl.SSLObject, _: str, __: ssl.SSLContext) -> None:
        if not self.vouched:
            self.unvouched += 1
            connection.context = self._other


@contextmanager
def certificates(*, wanted: bool) -> Iterator[Certificates | None]:
    """Those of one cell, the first of which this process trusts for so long; None where it is not about them."""
    if not wanted:
        yield None
        return
    before = environ.get(_NAMED)
    with tempfile.TemporaryDirectory() as folder:
        shown = Certificates(Path(folder))
        environ[_NAMED] = str(shown.path)
        try:
            yield shown
        finally:
            environ.pop(_NAMED)
            if before is not None:
                environ[_NAMED] = before
