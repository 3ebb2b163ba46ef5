"""A token in memory with real keys, in the shape of hsm.client: what a crash leaves of it is in `Store`, a login is not."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from ceremony.pki.signatures import hash_of
from hsm.errors import TokenError
from hsm.facts import AttributeReading, FoundKey, GeneratedKey, ModuleInfo, ObjectInfo, SignatureMade, TokenInfo

SERIAL = "MEM0001"
_CURVES: dict[str, type[ec.EllipticCurve]] = {"ec:secp256r1": ec.SECP256R1, "ec:secp384r1": ec.SECP384R1}


@dataclass
class Pair:
    """A key pair; a crash in the middle of its generation leaves the private half alone."""

    label: str
    private: ec.EllipticCurvePrivateKey
    has_public: bool = True
    sensitive: bool = True

    @property
    def public_der(self) -> bytes:
        return self.private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


@dataclass
class Store:
    """What is on the token and stays there, and what was ever asked of it."""

    label: str = ""
    serial: str = SERIAL
    user_pin: bytes = b""
    so_pin: bytes = b""
    initialised: bool = False
    pairs: dict[str, Pair] = field(default_factory=dict)
    signed: list[str] = field(default_factory=list)
    generated: int = 0
    drawn: int = 0
    wrong_pins: int = 0
    pad: bool = False
    tried: int = 0
    opened: int = 0

    def copy(self) -> "Store":
        return replace(self, pairs={key_id: replace(pair) for key_id, pair in self.pairs.items()}, signed=list(self.signed))


@dataclass
class Faults:
    """What the next calls of a method do instead: raise before they act, or after. Each is used once.

    `act` is asked with the key of each act of the room, and "before" or "after".
    """

    act: Callable[[str, str], Exception | None] = lambda key, when: None
    before: dict[str, list[Exception]] = field(default_factory=dict)
    after: dict[str, list[Exception]] = field(default_factory=dict)

    def raise_at(self, key: str, when: str) -> None:
        if error := self.act(key, when):
            raise error

    def raise_before(self, method: str) -> None:
        if self.before.get(method):
            raise self.before[method].pop(0)

    def raise_after(self, method: str) -> None:
        if self.after.get(method):
            raise self.after[method].pop(0)


def module_info(software: bool) -> ModuleInfo:
    return ModuleInfo(
        path="/opt/memory/module.so",
        sha256="5" * 64,
        manufacturer="In memory",
        description="In memory",
        library_version="1.0",
        cryptoki_version="2.40",
        software=software,
        profile="memory",
    )


class MemoryToken:
    def __init__(self, store: Store, changed: Callable[[str], None], faults: Faults, software: bool = False) -> None:
        self.software = software
        self.store, self._changed, self._faults = store, changed, faults
        self.is_open = False

    @property
    def logged_in(self) -> bool:
        self._faults.raise_before("logged-in")
        return self.is_open

    def info(self) -> TokenInfo:
        self._faults.raise_before("info")
        store = self.store
        flags = ("TOKEN_INITIALIZED",) * store.initialised + ("USER_PIN_INITIALIZED",) * bool(store.user_pin)
        return TokenInfo(
            label=store.label,
            serial=store.serial,
            manufacturer="In memory",
            model="Memory",
            hardware_version="1.0",
            firmware_version="1.0",
            flags=flags,
            initialised=store.initialised,
            user_pin_set=bool(store.user_pin),
            pin_tries="final" if store.wrong_pins == 2 else "locked" if store.wrong_pins > 2 else "low" if store.wrong_pins else "ok",
            so_pin_tries="ok",
            shortest_pin=4,
            longest_pin=64,
            pin_alphabet="alphanumeric",
            locks_after=3,
            protected_path=store.pad,
            software=self.software,
            profile="memory",
        )

    def initialise(self, label: str, so_pin: bytearray | None, user_pin: bytearray | None, again: bool = False) -> TokenInfo:
        so_pin, user_pin = self._typed(so_pin), self._typed(user_pin)
        self._faults.raise_before("initialise")
        if self.store.initialised and not again:
            raise TokenError("TOKEN-NOT-BLANK", "In use.")
        if self.store.initialised:
            self._require_so(so_pin)
        self.store.label, self.store.initialised, self.store.user_pin, self.store.so_pin = label, True, b"", bytes(so_pin)
        self.store.pairs.clear()
        self._changed("token initialised, no user PIN yet")
        self.store.user_pin = bytes(user_pin)
        self._changed("token initialised")
        self._faults.raise_after("initialise")
        return self.info()

    def wipe(self, label: str, so_pin: bytearray | None, *, last_try_too: bool = False) -> TokenInfo:
        self._require_so(self._typed(so_pin))
        self._faults.raise_before("wipe")
        self.is_open = False
        self.store.label, self.store.user_pin = label, b""
        self.store.pairs.clear()
        self._changed("token wiped")
        self._faults.raise_after("wipe")
        return self.info()

    def _typed(self, pin: bytearray | None) -> bytearray:
        """What comes over the interface, or, for None, what is typed on the pad."""
        assert (pin is None) == self.store.pad
        return bytearray(b"typed on the pad") if pin is None else pin

    def login(self, user_pin: bytearray | None, *, last_try_too: bool = False) -> None:
        user_pin = self._typed(user_pin)
        self._faults.raise_before("login")
        if self.store.wrong_pins == 2 and not last_try_too:
            raise TokenError("TOKEN-PIN-LAST-TRY", "One try is left.")
        self.store.tried += 1
        if not self.store.user_pin or bytes(user_pin) != self.store.user_pin:
            self.store.wrong_pins += 1
            raise TokenError("TOKEN-PIN-WRONG", "Wrong.")
        self.store.wrong_pins = 0
        self.store.opened += 1
        self.is_open = True

    def _require_so(self, so_pin: bytearray) -> None:
        self.store.tried += 1
        if bytes(so_pin) != self.store.so_pin:
            raise TokenError("TOKEN-PIN-WRONG", "Wrong.")
        self.store.opened += 1

    def login_so(self, so_pin: bytearray, *, last_try_too: bool = False) -> None:
        self._require_so(so_pin)

    def set_pin(self, who: str, old: bytearray | None, new: bytearray | None, *, last_try_too: bool = False) -> None:
        if old is None:
            assert new is None and self.store.pad
            self._changed(f"{who} PIN changed on the pad")
            return
        assert new is not None
        self._faults.raise_before("set-pin")
        if who == "so":
            self._require_so(old)
            self.store.so_pin = bytes(new)
        else:
            self.login(old, last_try_too=last_try_too)
            self.store.user_pin = bytes(new)
        self.is_open = False
        self._changed(f"{who} PIN changed")
        self._faults.raise_after("set-pin")

    def reset_user_pin(self, so_pin: bytearray, new_user_pin: bytearray, *, last_try_too: bool = False) -> None:
        self._faults.raise_before("reset-user-pin")
        self._require_so(so_pin)
        self.store.user_pin, self.store.wrong_pins = bytes(new_user_pin), 0
        self._changed("user PIN reset")
        self._faults.raise_after("reset-user-pin")

    def logout(self) -> None:
        self.is_open = False
        self._faults.raise_before("logout")

    def _must_be_open(self) -> None:
        if not self.is_open:
            raise TokenError("TOKEN-NOT-LOGGED-IN", "Nobody is logged in.")

    def inventory(self) -> list[ObjectInfo]:
        self._must_be_open()
        return [
            ObjectInfo(object_class="PRIVATE_KEY", label=pair.label, key_id=key_id, key_type="EC")
            for key_id, pair in self.store.pairs.items()
        ]

    def generate_key(self, key: str, label: str, key_id: bytes) -> GeneratedKey:
        self._must_be_open()
        self._faults.raise_before("generate-key")
        if key_id.hex() in self.store.pairs or any(pair.label == label for pair in self.store.pairs.values()):
            raise TokenError("KEY-EXISTS", "Label or id is taken.")
        pair = Pair(label, ec.generate_private_key(_CURVES[key]()), has_public=False)
        self.store.pairs[key_id.hex()] = pair
        self.store.generated += 1
        self._changed("private half")
        pair.has_public = True
        self._changed("key pair")
        self._faults.raise_after("generate-key")
        return GeneratedKey(
            label=label,
            key_id=key_id,
            public_key_der=pair.public_der,
            attributes=self.attributes(key_id),
            mechanism="CKM_EC_KEY_PAIR_GEN",
            profile="memory",
        )

    def find_key(self, key_id: bytes) -> FoundKey | None:
        self._must_be_open()
        self._faults.raise_before("find-key")
        pair = self.store.pairs.get(key_id.hex())
        if pair is None:
            return None
        return FoundKey(
            label=pair.label, has_private=True, has_public=pair.has_public, public_key_der=pair.public_der if pair.has_public else None
        )

    def attributes(self, key_id: bytes) -> dict[str, AttributeReading]:
        self._must_be_open()
        sensitive = self.store.pairs[key_id.hex()].sensitive
        return {"SENSITIVE": AttributeReading(value=sensitive, wanted=True, verdict="as-wanted" if sensitive else "differs")}

    def sign(self, key_id: bytes, algorithm: str, message: bytes) -> SignatureMade:
        self._must_be_open()
        self._faults.raise_before("sign")
        pair = self.store.pairs.get(key_id.hex())
        if pair is None:
            raise TokenError("KEY-NOT-FOUND", "No such key.")
        self.store.signed.append(hashlib.sha256(message).hexdigest())
        self._changed("signature")
        self._faults.raise_after("sign")
        return SignatureMade(signature=pair.private.sign(message, ec.ECDSA(hash_of(algorithm))), mechanism="CKM_ECDSA")

    def random(self, length: int) -> bytes:
        self._faults.raise_before("random")
        self.store.drawn += 1
        return hashlib.shake_256(f"token {self.store.drawn}".encode()).digest(length)

    def destroy(self, key_id: bytes) -> None:
        self._must_be_open()
        self._faults.raise_before("destroy")
        del self.store.pairs[key_id.hex()]
        self._changed("key destroyed")
        self._faults.raise_after("destroy")


class MemoryModule:
    def __init__(self, stores: Sequence[Store], changed: Callable[[str], None], faults: Faults, software: bool) -> None:
        self.info = module_info(software)
        self._tokens = [MemoryToken(store, changed, faults, software) for store in stores]
        self.closed = False

    def tokens(self) -> list[TokenInfo]:
        return [token.info() for token in self._tokens]

    def token(self, *, serial: str | None = None, label: str | None = None, blank: bool = False) -> MemoryToken:
        fits = [token for token in self._tokens if token.store.initialised != blank and serial in (None, token.store.serial)]
        if not fits:
            raise TokenError("TOKEN-NOT-FOUND", "None answers.")
        return fits[0]

    def close(self) -> None:
        for token in self._tokens:
            token.is_open = False
        self.closed = True
