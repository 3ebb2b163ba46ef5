"""The site file: what differs from machine to machine. Shown and recorded, not approved."""

import difflib
import re
import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ceremony.errors import CeremonyError
from ceremony.pki.names import shown_text
from ceremony.words import sha256_hex

LARGEST_SITE_FILE = 1 << 16
"""A site file is at most 64 KiB."""

TOKEN_NAMES = ("primary", "backup")

MODULE_VARIABLES = (
    "SOFTHSM2_CONF", "YUBIHSM_PKCS11_CONF", "OPENSC_CONF", "CS_PKCS11_R2_CFG", "CS_PKCS11_R3_CFG",
    "ChrystokiConfigurationPath", "NFAST_HOME", "TPM2_PKCS11_STORE", "TPM2_PKCS11_TCTI", "KRYOPTIC_CONF",
    "P11_KIT_SERVER_ADDRESS", "NSS_LIB_PARAMS",
)  # fmt: skip
"""What a module may be told by its environment: the place of its configuration, and nothing that logs or weakens."""

# PKCS #11 v2.40, 3.2: CK_TOKEN_INFO.serialNumber has 16 characters, padded with blanks.
_SERIAL = re.compile(r"[!-~](?:[ -~]{0,14}[!-~])?")


@dataclass(frozen=True)
class CredentialToken:
    """Where a participant's credential is, if on a token: its PKCS#11 library, and the token's label."""

    module: Path
    token: str


@dataclass(frozen=True)
class Site:
    """A site file as read. `module` is the PKCS#11 library; `tokens` gives serials by name (`primary`, `backup`).

    `credentials_medium` is where people's own media are mounted, `credentials` gives by participant's id the tokens of those
    whose credential is on one. `environment` is what the module's process gets beside the bare minimum. `octets` are the
    file's bytes (none: b""), `sha256` their digest in hex.
    """

    module: Path | None = None
    tokens: Mapping[str, str] = field(default_factory=dict)
    inbox: Path | None = None
    outbox: Path | None = None
    credentials_medium: Path | None = None
    credentials: Mapping[str, CredentialToken] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    octets: bytes = b""

    @property
    def sha256(self) -> str:
        """SHA-256 of the file's bytes, hex."""
        return sha256_hex(self.octets)


NO_SITE = Site()
"""What is so where no site file is given."""


def read_site(path: Path | None) -> Site:
    """The site file at `path`; an empty site for None. Raises CeremonyError SITE-UNREADABLE, SITE-BROKEN, SITE-INVALID."""
    if path is None:
        return Site()
    try:
        with path.open("rb") as file:
            octets = file.read(LARGEST_SITE_FILE + 1)
    except OSError as failed:
        raise CeremonyError("SITE-UNREADABLE", f"The site file {path} could not be read: {failed.strerror}.") from failed
    return parse_site(octets)


def parse_site(octets: bytes) -> Site:
    """A site file's bytes (UTF-8 TOML), all problems told at once; no bytes, no site. Raises CeremonyError SITE-BROKEN, SITE-INVALID."""
    if len(octets) > LARGEST_SITE_FILE:
        raise CeremonyError("SITE-BROKEN", f"The site file is larger than {LARGEST_SITE_FILE} bytes.")
    try:
        document = tomllib.loads(octets.decode())
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as broken:
        raise CeremonyError("SITE-BROKEN", f"The site file is not TOML: {shown_text(str(broken))}.") from broken
    if not octets.strip():
        return Site(octets=octets)
    reader = _Reader()
    site = reader.site(document, octets)
    if reader.problems:
        raise CeremonyError("SITE-INVALID", "The site file: " + "; ".join(reader.problems) + ".")
    return site


class _Reader:
    """Takes the tables one by one and keeps a list of all that is wrong."""

    def __init__(self) -> None:
        self.problems: list[str] = []

    def site(self, document: dict[str, Any], octets: bytes) -> Site:
        self.known("", document, ("format", "module", "tokens", "media", "credentials"))
        if type(document.get("format")) is not int or document["format"] != 1:
            self.problems.append("format must be 1")
        module = self.table(document, "module", ("path", "environment"))
        media = self.table(document, "media", ("inbox", "outbox", "credentials"))
        if "module" in document and "path" not in module:
            self.problems.append("module.path is missing")
        return Site(
            module=self.path(module, "module", "path"),
            tokens=self.serials(self.table(document, "tokens", TOKEN_NAMES)),
            inbox=self.path(media, "media", "inbox"),
            outbox=self.path(media, "media", "outbox"),
            credentials_medium=self.path(media, "media", "credentials"),
            credentials=self.credential_tokens(document),
            environment=self.texts(self.table(module, "environment", MODULE_VARIABLES, under="module."), "module.environment"),
            octets=octets,
        )

    def known(self, where: str, table: Mapping[str, Any], names: Collection[str]) -> None:
        for key in sorted(table.keys() - set(names)):
            near = difflib.get_close_matches(key, names, 1)
            hint = f" (nearest: {near[0]})" if near else f" (known: {', '.join(names)})"
            self.problems.append(f"unknown key {where}{shown_text(key)}{hint}")

    def table(self, parent: Mapping[str, Any], name: str, keys: Collection[str], *, under: str = "") -> dict[str, Any]:
        found = parent.get(name, {})
        if not isinstance(found, dict):
            self.problems.append(f"{under}{name} must be a table")
            return {}
        self.known(f"{under}{name}.", found, keys)
        return {key: value for key, value in found.items() if key in keys}

    def texts(self, table: Mapping[str, Any], where: str) -> dict[str, str]:
        good = {key: value for key, value in table.items() if isinstance(value, str) and value.isprintable() and value}
        self.problems.extend(f"{where}.{key} must be a text of printable characters" for key in table if key not in good)
        return good

    def path(self, table: Mapping[str, Any], where: str, name: str) -> Path | None:
        text = self.texts({name: table[name]} if name in table else {}, where).get(name)
        if text is None:
            return None
        if not Path(text).is_absolute():
            self.problems.append(f"{where}.{name} must be a whole path, from / on")
        return Path(text)

    def credential_tokens(self, document: dict[str, Any]) -> dict[str, CredentialToken]:
        found = {}
        tables = document.get("credentials", {})
        if not isinstance(tables, dict):
            self.problems.append("credentials must be a table of tables")
            return {}
        for name in tables:
            where = f"credentials.{shown_text(name)}"
            table = self.table(tables, name, ("module", "token"), under="credentials.")
            module, token = self.path(table, where, "module"), self.texts(table, where).get("token")
            if module and token:
                found[name] = CredentialToken(module, token)
            else:
                self.problems.append(f"{where} needs module (a whole path) and token (its label)")
        return found

    def serials(self, table: Mapping[str, Any]) -> dict[str, str]:
        serials = {}
        for name, value in table.items():
            if isinstance(value, str) and _SERIAL.fullmatch(value):
                serials[name] = value
            else:
                self.problems.append(f"tokens.{name} must be a serial of 1 to 16 printable ASCII characters")
        if len(set(serials.values())) < len(serials):
            self.problems.append("tokens: one serial stands under two names")
        return serials
