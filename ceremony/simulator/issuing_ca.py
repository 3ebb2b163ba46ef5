"""Whether a chain is one that Azure Device Registry takes for its issuing CA: from Microsoft's page, and knowing nothing of the tool.

The page is "Create or edit a policy with an external root CA in Azure Device Registry", its table of requirements.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID

from ceremony.simulator.errors import Refused

_LEAST = timedelta(days=365)
_CURVES = (ec.SECP256R1, ec.SECP384R1, ec.SECP521R1)
_HASHES = (hashes.SHA256, hashes.SHA384, hashes.SHA512)


def read_chain(text: str) -> list[x509.Certificate]:
    """The certificates of a chain in PEM. Raises Refused 400."""
    try:
        found = x509.load_pem_x509_certificates(text.encode(errors="replace"))
        for certificate in found:
            # cryptography reads these only when asked: what can't be read is refused here, once. Explicit EC parameters are among it.
            _ = certificate.subject, certificate.issuer, certificate.extensions, certificate.public_key(), certificate.not_valid_after_utc
    except (ValueError, UnsupportedAlgorithm, x509.InvalidVersion, x509.DuplicateExtension, x509.UnsupportedGeneralNameType) as broken:
        raise Refused(400, 400000, "The certificate chain can't be read.", "InvalidCertificateChain") from broken
    return found


def problems_with_chain(chain: list[x509.Certificate], csr: x509.CertificateSigningRequest, now: datetime) -> list[str]:
    """Why it is refused: nothing when it is taken. The first certificate is the issuing CA's, the last the root."""
    leaf, root = chain[0], chain[-1]
    problems = []
    if leaf.public_key() != csr.public_key():
        problems.append("the first certificate is not of the key in the certificate signing request")
    if _normal(leaf.subject) != _normal(csr.subject):
        problems.append("the subject is not the one in the certificate signing request")
    for number, certificate in enumerate(chain, 1):
        problems += [f"certificate {number} {problem}" for problem in _problems_with_ca(certificate, now)]
    for below, above in zip(chain, [*chain[1:], root], strict=True):
        try:
            below.verify_directly_issued_by(above)
        except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
            problems.append(f"{below.subject.rfc4514_string()} is not issued by {above.subject.rfc4514_string()}")
    if _path_length(root) != 1:
        problems.append("the path length of the root is not 1")
    return problems


def _problems_with_ca(certificate: x509.Certificate, now: datetime) -> Iterator[str]:
    key = certificate.public_key()
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, _CURVES):
        yield "has a key that is not ECC on P-256, P-384 or P-521"
    if "ecdsa" not in certificate.signature_algorithm_oid._name.lower() or not isinstance(certificate.signature_hash_algorithm, _HASHES):
        yield "is not signed by ECDSA with SHA-256 or higher"
    extensions = {extension.oid: extension for extension in certificate.extensions}
    constraints = extensions.get(x509.BasicConstraints.oid)
    if constraints is None or not constraints.critical or not constraints.value.ca:
        yield "has no critical basicConstraints with CA true"
    usage = extensions.get(x509.KeyUsage.oid)
    if usage is None or not (usage.value.digital_signature and usage.value.key_cert_sign and usage.value.crl_sign):
        yield "has no keyUsage of digitalSignature, keyCertSign and cRLSign"
    extended = extensions.get(x509.ExtendedKeyUsage.oid)
    if extended is not None and ExtendedKeyUsageOID.CLIENT_AUTH not in extended.value:
        yield "has an extendedKeyUsage without clientAuth"
    if x509.SubjectKeyIdentifier.oid not in extensions:
        yield "has no subject key identifier"
    if certificate.not_valid_before_utc > now:
        yield "is not valid yet"
    if certificate.not_valid_after_utc - now < _LEAST:
        yield "has fewer than 365 days left"


def _path_length(certificate: x509.Certificate) -> int | None:
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.path_length
    except x509.ExtensionNotFound:
        return None


def _normal(name: x509.Name) -> list[tuple[str, str]]:
    """Without regard to case and white space."""
    return [(attribute.oid.dotted_string, " ".join(str(attribute.value).split()).casefold()) for attribute in name]
