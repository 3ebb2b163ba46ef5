"""`[backup]` of a script: what there is, or will be, when the token with the root's key is lost; read alike by script, verify, report."""

import datetime as dt
from typing import Annotated, Literal

import msgspec

History = Literal["LOCAL", "ALWAYS_SENSITIVE", "NEVER_EXTRACTABLE", "KEY_GEN_MECHANISM", "PUBLIC_KEY.LOCAL"]
"""Attributes that tell how a key came onto a token, not what it can do there: a copy unwrapped by its vendor may tell them otherwise
(PKCS#11 v2.40 base, 5.13, C_UnwrapKey). All others must be the original's."""

Kind = Literal["none", "vendor-clone", "twin-root"]

_Text = Annotated[str, msgspec.Meta(max_length=1000)]
_Name = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$(?!\n)")]

FIELDS: dict[Kind, tuple[str, ...]] = {
    "none": ("reason", "owner"),
    "vendor-clone": ("tool", "version", "domain", "holders", "bags", "differs", "by"),
    "twin-root": ("label", "by"),
}
"""Which keys belong to which kind."""

NEEDED: dict[Kind, tuple[str, ...]] = {
    "none": ("reason", "owner"),
    "vendor-clone": ("tool", "version", "domain", "holders"),
    "twin-root": ("label",),
}
"""Those that a kind can't be without; `by` is another matter (see engine.backup_demands)."""


class Backup(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`[backup]`: required, without default.

    `none`: why (`reason`), and who owns the risk (`owner`). `vendor-clone`: the vendor's `tool` in this `version` copies the key inside
    its security `domain`, whose cards, keys or shares the `holders` have; `bags` are the names of the things (see step kind record) in
    which the copy is kept; `differs` the attributes that the copy may tell otherwise than the original. `twin-root`: `label` is that of
    the twin. `by`: the last day (UTC) on which the copy is to be proved, or the twin made.
    """

    kind: Kind
    reason: _Text = ""
    owner: _Text = ""
    tool: _Text = ""
    version: _Text = ""
    domain: _Text = ""
    holders: tuple[Annotated[str, msgspec.Meta(min_length=1, max_length=200)], ...] = ()
    bags: tuple[_Name, ...] = ()
    differs: tuple[History, ...] = ()
    label: Annotated[str, msgspec.Meta(pattern=r"^([a-z0-9][a-z0-9._-]{0,63})?$(?!\n)")] = ""
    by: dt.date | None = None

    def lines(self) -> list[str]:
        """What the script says, in words, a line each; foreign text as it stands."""
        until = f" It is to be proved by {self.by}." if self.by else ""
        match self.kind:
            case "none":
                return ["Backup of the root key: NONE.", f"Reason: {self.reason}", f"Who owns this risk: {self.owner}"]
            case "vendor-clone":
                lines = [
                    f"Backup of the root key: a copy on a second token, made by its vendor's tool.{until}",
                    f"Tool: {self.tool}, version {self.version}",
                    f"Security domain: {self.domain}",
                    f"Held by: {', '.join(self.holders)}",
                ]
                if self.bags:
                    lines.append(f"Kept in: {', '.join(self.bags)}")
                if self.differs:
                    lines.append(f"What the copy may tell otherwise than the original: {', '.join(self.differs)}")
                return lines
        made = f" It is to be made and proved by {self.by}." if self.by else ""
        return [f"Backup of the root key: a twin, a second root on a token of its own, under the label {self.label}.{made}"]
