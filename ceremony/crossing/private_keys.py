"""Looks for a private key in a file that is to leave, whatever it is wrapped in (design, rule 11).

Found are PEM, OpenSSH, PuTTY, JWK and age keys by their marks, and PKCS#1, PKCS#8 (encrypted too), SEC 1 and PKCS#12
by the first octets of their DER, at any place of the file: raw, in base64 (both alphabets, wrapped in lines or JSON) or in hex.
Not found is what is compressed or encrypted by other means; a PDF of ours is instead compared with the one that is
made again from the record.
"""

import base64
import re
from collections.abc import Iterator

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
_PATTERNS = [(re.compile(pattern, re.DOTALL), name) for pattern, name in (*_MARKS, *_DER)]

# Pieces of base64 as they are wrapped: by line ends, or by line ends written in JSON. The shortest key is longer than 48 characters.
_BREAK = rb"(?:\\[nr]|[\r\n\t ])+"
_BASE64 = re.compile(
    rb"[A-Za-z0-9+/_-]{48,}(?:" + _BREAK + rb"[A-Za-z0-9+/_-]{2,})*|(?:[A-Za-z0-9+/_-]{16,}" + _BREAK + rb"){2,}[A-Za-z0-9+/_-]{2,}"
)
_WRAPPING = re.compile(rb"\\[nr]|[\r\n\t ]")
_HEX = re.compile(rb"[0-9A-Fa-f]{48,}")
_IN, _OUT = b"+", b" "


def _marking(letters: bytes) -> bytes:
    """A table for bytes.translate: _IN for these letters, _OUT for all else."""
    return bytes(_IN[0] if octet in letters else _OUT[0] for octet in range(256))


_HEX_LETTERS = _marking(b"0123456789ABCDEFabcdef")
_BASE64_LETTERS = _marking(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/_-")


def private_key_in(octets: bytes) -> str | None:
    """What kind of private key these bytes hold, in words; None when none was found."""
    for form in (octets, octets.replace(b"\0", b"")):
        for found in (form, b"\n".join(_decoded(form))):
            for pattern, name in _PATTERNS:
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
    for run in _runs(_HEX, octets, _HEX_LETTERS, 48):
        for start in (0, 1):
            digits = run[start:]
            yield bytes.fromhex(digits[: len(digits) & ~1].decode())
    for run in _runs(_BASE64, octets, _BASE64_LETTERS, 16):
        text = _WRAPPING.sub(b"", run).translate(bytes.maketrans(b"-_", b"+/"))
        # What stands before the key shifts it: each of the four alignments is tried.
        for start in range(4):
            piece = text[start:]
            yield base64.b64decode(piece[: len(piece) & ~3])
