"""Keys on a token: how one is asked for, what is read back, which mechanism signs (child process only).

Rule 1: generated on the token, sensitive, sign-only; every attribute is read back and told as asserted by the module.
"""

import hashlib
import re
import struct
from typing import Any, Final, NamedTuple

import pkcs11
from pkcs11.attributes import AttributeMapper

from hsm import der
from hsm.catalogue import NUMBER_OF, token_error
from hsm.errors import TokenError
from hsm.facts import AttributeReading, Value, Verdict
from hsm.profiles import TokenProfile

Key = Any
"""An object of python-pkcs11; its classes are made at run time."""


class KeyKind(NamedTuple):
    """One kind of key we make. `bits` is what C_GetMechanismInfo counts in; `curve_der` is CKA_EC_PARAMS (RFC 5480, 2.1.1)."""

    key_type: pkcs11.KeyType
    bits: int
    making: pkcs11.Mechanism
    curve_der: bytes = b""


_EC, _RSA = pkcs11.KeyType.EC, pkcs11.KeyType.RSA
_EC_MAKING, _RSA_MAKING = pkcs11.Mechanism.EC_KEY_PAIR_GEN, pkcs11.Mechanism.RSA_PKCS_KEY_PAIR_GEN

KINDS: Final[dict[str, KeyKind]] = {
    "ec:secp256r1": KeyKind(_EC, 256, _EC_MAKING, bytes.fromhex("06082a8648ce3d030107")),
    "ec:secp384r1": KeyKind(_EC, 384, _EC_MAKING, bytes.fromhex("06052b81040022")),
    "ec:secp521r1": KeyKind(_EC, 521, _EC_MAKING, bytes.fromhex("06052b81040023")),
    "rsa:3072": KeyKind(_RSA, 3072, _RSA_MAKING),
    "rsa:4096": KeyKind(_RSA, 4096, _RSA_MAKING),
}
_PUBLIC_EXPONENT: Final = 65537

_SENT_PRIVATE: Final = {
    "TOKEN": True,
    "PRIVATE": True,
    "SENSITIVE": True,
    "EXTRACTABLE": False,
    "MODIFIABLE": False,
    "SIGN": True,
    "SIGN_RECOVER": False,
    "DECRYPT": False,
    "UNWRAP": False,
    "DERIVE": False,
}
_SENT_PUBLIC: Final = {
    "TOKEN": True,
    "PRIVATE": False,
    "MODIFIABLE": False,
    "VERIFY": True,
    "VERIFY_RECOVER": False,
    "ENCRYPT": False,
    "WRAP": False,
    "DERIVE": False,
}
_ASSERTED_PRIVATE: Final = {"ALWAYS_SENSITIVE": True, "NEVER_EXTRACTABLE": True, "LOCAL": True, "ALWAYS_AUTHENTICATE": False}
_ASSERTED_PUBLIC: Final = {"LOCAL": True}
_PUBLIC: Final = "PUBLIC_KEY."

_IRREGULAR_NAMES: Final = {
    "AnotherUserAlreadyLoggedIn": "CKR_USER_ANOTHER_ALREADY_LOGGED_IN",
    "TokenNotRecognised": "CKR_TOKEN_NOT_RECOGNIZED",
    "FunctionCancelled": "CKR_FUNCTION_CANCELED",
    "NoSuchKey": "CKR_OBJECT_HANDLE_INVALID",
    "NoSuchToken": "CKR_TOKEN_NOT_PRESENT",
}


_TOLD_BY_TEXT = {
    "Buffer was too small": "CKR_BUFFER_TOO_SMALL",
    "(already initialized)": "CKR_CRYPTOKI_ALREADY_INITIALIZED",
    "(not initialized)": "CKR_CRYPTOKI_NOT_INITIALIZED",
    "Parallel not supported": "CKR_SESSION_PARALLEL_NOT_SUPPORTED",
    "User type invalid": "CKR_USER_TYPE_INVALID",
}
"""Return values of which python-pkcs11 keeps neither class nor number, by what it says instead."""


def return_value(error: pkcs11.PKCS11Error) -> int:
    """The number behind an exception of python-pkcs11, which keeps only a class or, for values it does not know, a text."""
    if type(error) is pkcs11.PKCS11Error:
        unmapped = re.search(r"0x([0-9a-fA-F]+)", str(error))
        told = next((name for text, name in _TOLD_BY_TEXT.items() if text in str(error)), "CKR_GENERAL_ERROR")
        return int(unmapped[1], 16) if unmapped else NUMBER_OF[told]
    class_name = type(error).__name__
    words = re.findall(r"[A-Z]+(?![a-z])|[A-Z][a-z]+", class_name)
    name = _IRREGULAR_NAMES.get(class_name, "CKR_" + "_".join(word.upper() for word in words))
    return NUMBER_OF.get(name, NUMBER_OF["CKR_GENERAL_ERROR"])


def plain_mapper() -> AttributeMapper:
    """Reads CKA_KEY_GEN_MECHANISM as a number: tokens that cannot say it give one that is no mechanism."""
    mapper = AttributeMapper()
    number = struct.Struct("L")
    pack, unpack = (lambda value: number.pack(int(value))), (lambda octets: number.unpack(octets)[0])
    mapper.register_handler(pkcs11.Attribute.KEY_GEN_MECHANISM, pack, unpack)
    return mapper


def kind_of(key: str) -> KeyKind:
    """The kind by its name in a script. Raises KEY-UNKNOWN."""
    if key not in KINDS:
        raise TokenError("KEY-UNKNOWN", f"A key of the kind {key!r} was asked for.")
    return KINDS[key]


def require_mechanism(slot: pkcs11.Slot, kind: KeyKind, name: str) -> None:
    """Raises MECHANISM-MISSING unless the token lists the mechanism and takes this key size with it."""
    if kind.making not in slot.get_mechanisms():
        raise TokenError("MECHANISM-MISSING", f"The token does not make keys of the kind {name} (CKM_{kind.making.name}).")
    require_size(slot, kind.making, kind.bits)


def require_size(slot: pkcs11.Slot, mechanism: pkcs11.Mechanism, bits: int) -> None:
    """Raises MECHANISM-MISSING unless the token takes keys of this size with the mechanism; one that tells no sizes takes all."""
    info = slot.get_mechanism_info(mechanism)
    least, most = info.min_key_length or 0, info.max_key_length or 0
    if most and not least <= bits <= most:
        raise TokenError("MECHANISM-MISSING", f"The token takes keys of {least} to {most} bits, not {bits} (CKM_{mechanism.name}).")


def make_pair(session: pkcs11.Session, kind: KeyKind, label: str, key_id: bytes) -> tuple[Key, Key]:
    """C_GenerateKeyPair with the strict template: the public and the private object."""
    arguments: dict[str, Any] = {
        "id": key_id,
        "label": label,
        "store": True,
        "capabilities": pkcs11.MechanismFlag.SIGN | pkcs11.MechanismFlag.VERIFY,
        "mechanism": kind.making,
        "public_template": _template(_SENT_PUBLIC),
        "private_template": _template(_SENT_PRIVATE),
    }
    if kind.key_type is _RSA:
        return session.generate_keypair(_RSA, kind.bits, **arguments)
    curve = session.create_domain_parameters(_EC, {pkcs11.Attribute.EC_PARAMS: kind.curve_der}, local=True)
    return curve.generate_keypair(**arguments)


def _template(wanted: dict[str, bool]) -> dict[pkcs11.Attribute, Any]:
    return {pkcs11.Attribute[name]: value for name, value in wanted.items()}


def read_attribute(key: Key, name: str) -> Any:
    """One attribute, or None when the token has no such value, does not give it, or gives one that cannot be read.

    python-pkcs11 says "function failed" also of a value that the module calls unavailable. Any other error says nothing of the
    attribute, and is raised (PKCS11Error).
    """
    try:
        return key[pkcs11.Attribute[name]]
    except (pkcs11.AttributeTypeInvalid, pkcs11.AttributeSensitive, pkcs11.FunctionFailed, ValueError, struct.error):
        return None


def readings(private: Key, public: Key | None, profile: TokenProfile) -> dict[str, AttributeReading]:
    """Every attribute of a pair beside what was wanted, by its name without CKA_; the public half's with "PUBLIC_KEY." before it."""
    making = {"KEY_GEN_MECHANISM": _EC_MAKING if read_attribute(private, "KEY_TYPE") == _EC else _RSA_MAKING}
    halves: list[tuple[Key, str, dict[str, Any]]] = [(private, "", {**_SENT_PRIVATE, **_ASSERTED_PRIVATE, **making})]
    if public is not None:
        halves.append((public, _PUBLIC, {**_SENT_PUBLIC, **_ASSERTED_PUBLIC}))
    read: dict[str, AttributeReading] = {}
    for key, prefix, wanted_of in halves:
        for name, wanted in wanted_of.items():
            value = read_attribute(key, name)
            if value is None and name == "ALWAYS_AUTHENTICATE":
                # A token that does not know this attribute has its default (PKCS#11 v2.40 base, 4.9).
                value = False
            otherwise: Verdict = "unknown-by-profile" if prefix + name in profile.cannot_say else "differs"
            verdict: Verdict = "as-wanted" if value == wanted else otherwise
            read[prefix + name] = AttributeReading(value=_plain(name, value), wanted=_plain(name, wanted), verdict=verdict)
    return read


def _plain(name: str, value: Any) -> Value:
    if name != "KEY_GEN_MECHANISM" or value is None:
        return bool(value) if value is not None else None
    number = int(value)
    return f"CKM_{pkcs11.Mechanism(number).name}" if number in set(pkcs11.Mechanism) else f"0x{number:x}"


def differing(read: dict[str, AttributeReading]) -> list[str]:
    """What differs from what was wanted, in words."""
    return [f"{name} is {reading.value}, wanted {reading.wanted}" for name, reading in read.items() if reading.verdict == "differs"]


def public_key_der(public: Key) -> bytes:
    """SubjectPublicKeyInfo of a public object, DER. Raises KEY-UNKNOWN for kinds that we do not make."""
    key_type = read_attribute(public, "KEY_TYPE")
    if key_type == _RSA:
        modulus = int.from_bytes(public[pkcs11.Attribute.MODULUS], "big")
        return der.rsa_public_key(modulus, int.from_bytes(public[pkcs11.Attribute.PUBLIC_EXPONENT], "big"))
    curve = bytes(public[pkcs11.Attribute.EC_PARAMS]) if key_type == _EC else b""
    for kind in KINDS.values():
        if curve and kind.curve_der == curve:
            return der.ec_public_key(curve, _uncompressed_point(bytes(public[pkcs11.Attribute.EC_POINT]), kind.bits))
    raise TokenError("KEY-UNKNOWN", "The key on the token is of a kind that we do not make.")


def _uncompressed_point(value: bytes, bits: int) -> bytes:
    """CKA_EC_POINT is a DER OCTET STRING by the standard (v2.40 mechanisms, 2.3.3) and the bare point in some modules."""
    length = 1 + 2 * ((bits + 7) // 8)
    point = value if len(value) == length else value[-length:]
    if len(point) != length or point[0] != 4 or value not in (point, der.element(0x04, point)):
        raise TokenError("KEY-ATTRIBUTE", "The token gives a public point that is not an uncompressed one of the curve.")
    return point


def problems_with_public_key(public: Key, kind: KeyKind) -> list[str]:
    """What the public half holds that was not asked for: another curve, size or exponent."""
    if kind.key_type is _EC:
        return [] if public[pkcs11.Attribute.EC_PARAMS] == kind.curve_der else ["EC_PARAMS names another curve"]
    bits = int.from_bytes(public[pkcs11.Attribute.MODULUS], "big").bit_length()
    exponent = int.from_bytes(public[pkcs11.Attribute.PUBLIC_EXPONENT], "big")
    problems = [] if bits == kind.bits else [f"the modulus has {bits} bits, wanted {kind.bits}"]
    return problems if exponent == _PUBLIC_EXPONENT else [*problems, f"the public exponent is {exponent}, wanted {_PUBLIC_EXPONENT}"]


_HASHES: Final = {"sha256": "SHA256", "sha384": "SHA384", "sha512": "SHA512"}


class SignatureForm(NamedTuple):
    """What a key's signatures look like: the scheme, and their length in bytes as the token gives them."""

    scheme: str
    length: int


def signature_form(private: Key) -> SignatureForm:
    """Read once for each key. Raises KEY-UNKNOWN for kinds that we do not make."""
    if read_attribute(private, "KEY_TYPE") == _RSA:
        return SignatureForm("rsa-pkcs1", private.key_length // 8)
    curve = read_attribute(private, "EC_PARAMS")
    for kind in KINDS.values():
        if kind.curve_der and kind.curve_der == curve:
            return SignatureForm("ecdsa", 2 * ((kind.bits + 7) // 8))
    raise TokenError("KEY-UNKNOWN", "The key on the token is of a kind that we do not make.")


def signature(private: Key, form: SignatureForm, mechanisms: frozenset[Any], algorithm: str, message: bytes) -> tuple[bytes, str]:
    """Signs the message and returns the signature as X.509 wants it, with the name of the mechanism.

    `algorithm` is "ecdsa-" or "rsa-pkcs1-" and a hash. ECDSA goes over a hash made here (CKM_ECDSA, which every token
    with EC has); RSA takes the mechanism that hashes on the token, else the raw one over a DigestInfo.
    Raises MECHANISM-MISSING, SIGNATURE-MALFORMED, and PKCS11Error from the call itself.
    """
    scheme, _, hash_name = algorithm.rpartition("-")
    if scheme != form.scheme or hash_name not in _HASHES:
        raise TokenError("MECHANISM-MISSING", f"A signature of the kind {algorithm!r} was asked for; the key makes {form.scheme}.")
    mechanism, octets = way_to_sign(mechanisms, scheme, hash_name, message)
    made: bytes = private.sign(octets, mechanism=mechanism)
    if len(made) != form.length:
        raise TokenError("SIGNATURE-MALFORMED", f"The token returned {len(made)} bytes as a signature, not {form.length}.")
    return made if scheme == "rsa-pkcs1" else der.ecdsa_signature(made), f"CKM_{mechanism.name}"


def way_to_sign(mechanisms: frozenset[Any], scheme: str, hash_name: str, message: bytes) -> tuple[pkcs11.Mechanism, bytes]:
    """The mechanism of these that signs by the scheme with the hash, and what it is given. Raises MECHANISM-MISSING."""
    digest = hashlib.new(hash_name, message).digest()
    hashing = pkcs11.Mechanism[f"ECDSA_{_HASHES[hash_name]}" if scheme == "ecdsa" else f"{_HASHES[hash_name]}_RSA_PKCS"]
    if scheme == "ecdsa":
        ways = [(pkcs11.Mechanism.ECDSA, digest), (hashing, message)]
    else:
        ways = [(hashing, message), (pkcs11.Mechanism.RSA_PKCS, der.digest_info(hash_name, digest))]
    for mechanism, octets in ways:
        if mechanism in mechanisms:
            return mechanism, octets
    raise TokenError("MECHANISM-MISSING", f"The token has no mechanism for {scheme} with {hash_name}.")


def as_token_error(error: pkcs11.PKCS11Error, doing: str, *, state: str = "", outcome_unknown: bool = False) -> TokenError:
    """The TokenError for an exception of python-pkcs11."""
    return token_error(return_value(error), doing, state=state, outcome_unknown=outcome_unknown)
