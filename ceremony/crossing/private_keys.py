"""Looks for a private key in a file that is to leave, whatever it is wrapped in (design, rule 11).

Found are PEM, OpenSSH, PuTTY, JWK and age keys by their marks, and PKCS#1, PKCS#8 (encrypted too), SEC 1 and PKCS#12
by the first octets of their DER, at any place of the file: raw, in base64 (both alphabets, wrapped in lines or JSON) or in hex.
Not found is what is compressed or encrypted by other means; a PDF of ours is instead compared with the one that is
made again from the record.
"""

import binascii
import re
from collections.abc import Iterator, Mapping

_MARKS = (
    (rb"BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY", "a PEM or PGP private key"),
    (rb"openssh-key-v1\0", "an OpenSSH private key"),
    (rb"PuTTY-User-Key-File", "a PuTTY private key"),
    (rb"AGE-SECRET-KEY-1", "an age secret key"),
)
_JWK = (re.compile(rb'"kty\\*"\s*:'), re.compile(rb'"d\\*"\s*:\s*\\*"'))

_LENGTH = rb"(?:[\x05-\x7f]|\x81.|\x82..)"
_RSADSI = rb"\x2a\x86\x48\x86\xf7\x0d\x01"
# RFC 5280 section 5.1: a TBSCertList begins as a PKCS#8 key does, with the algorithm of its signature, and a name after that.
_OF_A_CRL = rb"\x06(?:\x08\x2a\x86\x48\xce\x3d\x04\x03[\x02-\x04]|\x09" + _RSADSI + rb"\x01[\x0b-\x0d]\x05\x00)\x30"
_DER = (
    # RFC 5958 section 2: version, AlgorithmIdentifier beginning with an OID; after it the key as an octet string.
    (
        rb"\x30" + _LENGTH + rb"\x02\x01[\x00\x01]\x30" + _LENGTH + rb"(?!" + _OF_A_CRL + rb")\x06[\x03-\x14][\x2a\x2b\x55\x60]",
        "a PKCS#8 private key",
    ),
    # RFC 5958 section 3 with the algorithms of PKCS#5 and PKCS#12 (1.2.840.113549.1.5 and .1.12.1).
    (rb"\x30" + _LENGTH + rb"\x30" + _LENGTH + rb"\x06[\x09\x0a]" + _RSADSI + rb"(?:\x05|\x0c\x01)", "an encrypted PKCS#8 private key"),
    # RFC 8017 appendix A.1.2: version 0 or 1, then the modulus, at least 512 bits.
    (rb"\x30\x82..\x02\x01[\x00\x01]\x02(?:\x41\x00|\x81.|\x82..)", "a PKCS#1 private key"),
    # RFC 5915 section 3: version 1, then the key as an octet string.
    (rb"\x30" + _LENGTH + rb"\x02\x01\x01\x04[\x10-\x48].{16,72}?\xa0[\x05-\x40]\x06", "a SEC 1 private key"),
    (rb"\x30" + _LENGTH + rb"\x02\x01\x01\x04[\x14-\x42].{20,66}?\xa1[\x10-\x7f\x81]", "a SEC 1 private key"),
    # RFC 7292 section 4: version 3, then a ContentInfo of PKCS#7 (1.2.840.113549.1.7).
    (rb"\x30(?:\x25\x02\x01\x01\x04\x20|\x35\x02\x01\x01\x04\x30|\x47\x02\x01\x01\x04\x42)", "a SEC 1 private key"),
    (rb"\x30(?:" + _LENGTH + rb"|\x80)\x02\x01\x03\x30(?:" + _LENGTH + rb"|\x80)\x06\x09" + _RSADSI + rb"\x07", "a PKCS#12 file"),
)
_MARKED, _ENCODED = ([(re.compile(pattern, re.DOTALL), name) for pattern, name in patterns] for patterns in (_MARKS, _DER))
_IN_ALL_DER = (b"\x06", b"\x02\x01")
"""One of these is in whatever a pattern of `_DER` finds. Text has neither, and they are looked for much faster."""

# Pieces of base64 as they are wrapped: by line ends, or by line ends written in JSON. The shortest key is longer than 48 characters.
_BREAK = rb"(?:\\[nr]|[\r\n\t ])+"
_BASE64 = re.compile(
    rb"[A-Za-z0-9+/_-]{48,}(?:" + _BREAK + rb"[A-Za-z0-9+/_-]{2,})*|(?:[A-Za-z0-9+/_-]{16,}" + _BREAK + rb"){2,}[A-Za-z0-9+/_-]{2,}"
)
_SMALL = 1 << 16
_ONE_ALPHABET = bytes.maketrans(b"-_", b"+/")
_HEX = re.compile(rb"[0-9A-Fa-f]{48,}")
_IN, _OUT = b"+", b" "


def _marking(letters: bytes) -> bytes:
    """A table for bytes.translate: _IN for these letters, _OUT for all else."""
    return bytes(_IN[0] if octet in letters else _OUT[0] for octet in range(256))


_HEX_LETTERS = _marking(b"0123456789ABCDEFabcdef")
_BASE64_LETTERS = _marking(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/_-")


def private_keys_in(files: Mapping[str, bytes]) -> dict[str, str]:
    """Which files hold a private key, by path, and of what kind."""
    small = [path for path, octets in files.items() if len(octets) <= _SMALL]
    # Thousands of small files are searched as one, which costs a tenth: what is in one of them is in all of them together, and the
    # bytes between them go on with nothing.
    if private_key_in(b"\n!\n".join(files[path] for path in small)) is None:
        files = {path: octets for path, octets in files.items() if len(octets) > _SMALL}
    return {path: kind for path, octets in files.items() if (kind := private_key_in(octets))}


def private_key_in(octets: bytes) -> str | None:
    """What kind of private key these bytes hold, in words; None when none was found."""
    for form in (octets, octets.replace(b"\0", b"")):
        for found in (form, b"\n".join(_decoded(form))):
            may_be_der = any(part in found for part in _IN_ALL_DER)
            for pattern, name in (*_MARKED, *_ENCODED) if may_be_der else _MARKED:
                if pattern.search(found):
                    return name
            if all(member.search(found) for member in _JWK):
                return "a JWK private key"
        if b"\0" not in octets:
            break
    return None


def _runs(pattern: re.Pattern[bytes], octets: bytes, letters: bytes, least: int) -> Iterator[bytes]:
    """What `pattern.findall` finds, for a pattern that takes whole runs of letters and begins with one of at least so many.

    A PDF is half a megabyte without any: to look for such a run first is twenty times as fast as to try the pattern at each octet.
    """
    marked = octets.translate(letters)
    start = marked.find(_IN * least)
    while start >= 0:
        found = pattern.match(octets, start)
        past = found.end() if found else marked.find(_OUT, start)
        if found:
            yield found[0]
        start = marked.find(_IN * least, past) if past >= 0 else -1


def _decoded(octets: bytes) -> Iterator[bytes]:
    # Digests and certificates stand in a record many times over: what was decoded once need not be again. All runs are decoded in one
    # go, with line ends between them.
    digits = dict.fromkeys(run.decode() for run in _runs(_HEX, octets, _HEX_LETTERS, 48))
    for start in (0, 1):
        yield bytes.fromhex("0a".join(run[start : start + ((len(run) - start) & ~1)] for run in digits))
    texts = [
        run.replace(b"\\n", b"").replace(b"\\r", b"").translate(_ONE_ALPHABET, b"\r\n\t ")
        for run in dict.fromkeys(_runs(_BASE64, octets, _BASE64_LETTERS, 16))
    ]
    # What stands before the key shifts it: each of the four alignments is tried.
    for start in range(4):
        yield binascii.a2b_base64(b"CgoK".join(text[start : start + ((len(text) - start) & ~3)] for text in texts))
