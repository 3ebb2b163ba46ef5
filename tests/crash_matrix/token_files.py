"""Tokens in memory whose store is a file below the ceremony's folder, in SoftHSM's place: a copy of the folder is the whole world."""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, Self, cast
from unittest import mock

import msgspec
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_der_private_key

from ceremony import transcript
from ceremony.activation import shares
from ceremony.machine.checks import Finding
from hsm.errors import TokenError
from hsm.facts import TokenInfo
from tests.engine.memory_token import Faults, MemoryModule, MemoryToken, Pair, Store

Changed = Callable[[str], None]
_KEPT = ("label", "serial", "initialised", "signed", "generated", "drawn", "wrong_pins", "tried", "opened")


class SoftwareToken(MemoryToken):
    """Says of itself that it keeps keys in software, as a rehearsal's must."""

    def info(self) -> TokenInfo:
        return msgspec.structs.replace(super().info(), software=True)


class FileModule(MemoryModule):
    """The tokens of one store, and, as SoftHSM has it, a blank one beside them. Each change is in the file before it is told of."""

    def __init__(self, configuration: Path, changed: Changed) -> None:
        super().__init__([], lambda what: None, Faults(), software=True)
        self._changed = changed
        self._place = configuration.with_name("tokens")
        stores = [read_store(path) for path in sorted(self._place.glob("*.token"))]
        if all(store.initialised for store in stores):
            # SoftHSM's serials are 16 characters of chance.
            stores.append(Store(serial=hashlib.sha256(f"{configuration.parent.name} {len(stores)}".encode()).hexdigest()[:16]))
        self._tokens = [SoftwareToken(store, self._telling(store), Faults()) for store in stores]

    def _telling(self, store: Store) -> Changed:
        def changed(what: str) -> None:
            write_store(self._place / f"{store.serial}.token", store)
            self._changed(f"token: {what}")

        return changed

    def token(self, *, serial: str | None = None, label: str | None = None, blank: bool = False) -> MemoryToken:
        found = [token for token in self._tokens if token.store.initialised != blank and label in (None, token.store.label)]
        found = [token for token in found if serial in (None, token.store.serial)]
        if len(found) != 1:
            raise TokenError("TOKEN-AMBIGUOUS" if found else "TOKEN-NOT-FOUND", f"{len(found)} tokens answer.")
        return found[0]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


def write_store(path: Path, store: Store) -> None:
    """Whole or not at all: what a token does in its own memory is not torn by a crash of the machine."""
    pairs = {
        key_id: [pair.label, pair.private.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()).hex(), pair.has_public]
        for key_id, pair in store.pairs.items()
    }
    kept = {name: getattr(store, name) for name in _KEPT}
    text = json.dumps({**kept, "user_pin": store.user_pin.hex(), "so_pin": store.so_pin.hex(), "pairs": pairs})
    partial = path.with_suffix(".partial")
    partial.write_text(text)
    partial.replace(path)


def read_store(path: Path) -> Store:
    read: dict[str, Any] = json.loads(path.read_text())
    pairs = {
        key_id: Pair(label, cast(ec.EllipticCurvePrivateKey, load_der_private_key(bytes.fromhex(private), None)), has_public)
        for key_id, (label, private, has_public) in read.pop("pairs").items()
    }
    read |= {name: bytes.fromhex(read[name]) for name in ("user_pin", "so_pin")}
    return Store(**read, pairs=pairs)


def stores_of(folder: Path) -> list[Store]:
    """All tokens of a rehearsal but those with people's credentials."""
    return [read_store(path) for path in sorted(folder.glob("work/rehearsal/*token/tokens/*.token"))]


def _copied(environment: Mapping[str, str], serial: str, new_serial: str) -> None:
    place = Path(environment["SOFTHSM2_CONF"]).with_name("tokens")
    if not (place / f"{new_serial}.token").exists():
        store = read_store(place / f"{serial}.token")
        store.serial, store.signed, store.generated = new_serial, [], 0
        write_store(place / f"{new_serial}.token", store)


def _removed(environment: Mapping[str, str], serial: str) -> None:
    (Path(environment["SOFTHSM2_CONF"]).with_name("tokens") / f"{serial}.token").unlink()


@contextmanager
def in_memory(changed: Changed) -> Iterator[None]:
    """While open, a module that is started is one of these; `changed` hears of each change.

    Shares are handled in this process, the machine is well, and a line that was read once is not parsed anew.
    """

    def start(path: Path, environment: Mapping[str, str], **more: Any) -> FileModule:
        return FileModule(Path(environment["SOFTHSM2_CONF"]), changed)

    with (
        mock.patch("hsm.client.Module.start", start),
        mock.patch("ceremony.room.vendor_copy.copy_token", _copied),
        mock.patch("ceremony.room.vendor_copy.remove_token", _removed),
        mock.patch("ceremony.room.shares.client", shares),
        mock.patch("ceremony.room.check_machine.check_machine", lambda **_: [Finding("routes", "ok", "No route.")]),
        mock.patch("ceremony.room.check_machine.input_devices", lambda: ()),
        mock.patch("ceremony.transcript._line", cache(transcript._line)),
    ):
        yield
