"""Makes a self-signed certificate for a server that has none, and checks certificates. It has no person's name."""

import datetime as dt
from dataclasses import dataclass

_VALID_DAYS = 3_650  # ten years: without a time stamp a signature is worth nothing once its certificate has ended
_ISSUER, _SIGNER = "Headshot Playground, made on this server", "Headshot Playground"
# The purposes of a certificate that may sign claims (C2PA specification, 14.5.1): C2PA's own, or, as authorities issued
# them before that one existed, signing documents or mail.
CLAIM_SIGNING = ("1.3.6.1.4.1.62558.2.1", "1.3.6.1.5.5.7.3.36", "1.3.6.1.5.5.7.3.4")
_CURVES = {"secp256r1": "es256", "secp384r1": "es384", "secp521r1": "es512"}


@dataclass(frozen=True)
class Certificate:
    """A certificate with its private key.

    Attributes:
        chain: PEM; begins with the certificate that belongs to the key.
        key: PEM.
    """

    chain: bytes
    key: bytes


def create_certificate() -> Certificate:
    """Make a certificate and its authority, whose key is thrown away so that it never signs anything else."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    def name_of(text: str) -> x509.Name:
        return x509.Name(
            [
                x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Headshot Playground"),
                x509.NameAttribute(NameOID.COMMON_NAME, text),
            ]
        )

    def usage(*, signs: bool) -> x509.KeyUsage:
        return x509.KeyUsage(
            digital_signature=signs,
            content_commitment=False,
            key_encipherment=False,
            data_encipherment=False,
            key_agreement=False,
            key_cert_sign=not signs,
            crl_sign=not signs,
            encipher_only=False,
            decipher_only=False,
        )

    # From midnight: the certificate must not reveal the minute in which the first headshot was made.
    since = dt.datetime.now(dt.UTC).replace(hour=0, minute=0, second=0, microsecond=0) - dt.timedelta(days=1)
    authority_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())

    def builder(subject: str, public: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(name_of(subject))
            .issuer_name(name_of(_ISSUER))
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(since)
            .not_valid_after(since + dt.timedelta(days=_VALID_DAYS))
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        )

    authority = (
        builder(_ISSUER, authority_key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage(signs=False), critical=True)
        .sign(authority_key, hashes.SHA256())
    )
    leaf = (
        builder(_SIGNER, key.public_key())
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(usage(signs=True), critical=True)
        .add_extension(x509.ExtendedKeyUsage([x509.ObjectIdentifier(CLAIM_SIGNING[0])]), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key()),
            critical=False,
        )
        .sign(authority_key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    return Certificate(
        leaf.public_bytes(pem) + authority.public_bytes(pem),
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()),
    )


def days_left(chain: bytes) -> int:
    """Return how long the first certificate is still valid; below zero after its end.

    Raises:
        ValueError: if it is no certificate.
    """
    from cryptography import x509

    [first, *_] = x509.load_pem_x509_certificates(chain)
    return (first.not_valid_after_utc - dt.datetime.now(dt.UTC)).days


def serial(chain: bytes) -> int:
    """Return the serial number of the first certificate, which is unique for its issuer."""
    from cryptography import x509

    return x509.load_pem_x509_certificates(chain)[0].serial_number


def algorithm(certificate: Certificate) -> str:
    """Return the key's signing algorithm, by its name in the C2PA specification (13.2.1).

    Raises:
        ValueError: if key and chain do not belong together or cannot sign claims. Its text is a phrase for a person.
    """
    from cryptography import x509
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

    try:
        first, *issuers = x509.load_pem_x509_certificates(certificate.chain)
    except ValueError as error:
        raise ValueError("the certificate chain is not in PEM format") from error
    try:
        key = serialization.load_pem_private_key(certificate.key, None)
    except TypeError as error:
        raise ValueError("the key is locked with a password, which nobody is there to type") from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise ValueError("the key is not in PEM format") from error
    if not issuers:
        raise ValueError("the chain lacks its issuer’s certificate, by which its pictures are known again")
    if key.public_key() != first.public_key():
        raise ValueError("the key does not belong to the chain’s first certificate")
    match key:
        case ec.EllipticCurvePrivateKey() if key.curve.name in _CURVES:
            return _CURVES[key.curve.name]
        case ed25519.Ed25519PrivateKey():
            return "ed25519"
        case rsa.RSAPrivateKey():
            return "ps256"
    raise ValueError("the key is of a kind that signs no Content Credentials: use P-256, P-384, P-521, Ed25519 or RSA")
