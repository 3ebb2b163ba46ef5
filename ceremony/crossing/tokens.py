"""On which tokens a root's key is, by the ledger: where ceremonies used it, which copies were proved, and which tokens are lost."""

from collections.abc import Sequence

from ceremony.crossing.backups import ProvedBackup
from ceremony.crossing.ledger import LedgerOfCeremony, Root
from ceremony.crossing.physical import LostToken
from ceremony.crossing.roots import living_roots, other_roots


def first_tokens(ceremonies: Sequence[LedgerOfCeremony], public_key_sha256: str) -> list[str]:
    """Serials of the tokens on which ceremonies made or took up the key with this digest (hex, of DER SPKI), the oldest first."""
    own = (ceremony for ceremony in ceremonies if ceremony.root and ceremony.root.public_key_sha256 == public_key_sha256)
    return list(dict.fromkeys(ceremony.token for ceremony in own if ceremony.token))


def lost_tokens(ceremonies: Sequence[LedgerOfCeremony]) -> list[LostToken]:
    """Every token that was ever reported as lost."""
    return [lost for ceremony in ceremonies for lost in ceremony.lost_tokens]


def tokens_left(ceremonies: Sequence[LedgerOfCeremony], public_key_sha256: str) -> list[str]:
    """Serials of all tokens that hold this key by the ledger, without those that are lost: where it was used first, copies after."""
    gone = {lost.token for lost in lost_tokens(ceremonies)}
    known = [*first_tokens(ceremonies, public_key_sha256), *(copy.token for copy in _copies(ceremonies, public_key_sha256))]
    return [serial for serial in dict.fromkeys(known) if serial not in gone]


def spare_tokens(ceremonies: Sequence[LedgerOfCeremony], public_key_sha256: str) -> list[str]:
    """The same without the token that was in use last: those that the root can go on with when that one dies."""
    in_use = first_tokens(ceremonies, public_key_sha256)[-1:]
    return [serial for serial in tokens_left(ceremonies, public_key_sha256) if serial not in in_use]


def roots_without_a_token(ceremonies: Sequence[LedgerOfCeremony], lost_here: Sequence[LostToken] = ()) -> list[Root]:
    """The living roots whose last known token is lost: nobody can sign with them. `lost_here` are losses not in the ledger yet."""
    lost = [*lost_tokens(ceremonies), *lost_here]
    gone = {token.token for token in lost}
    keys = {token.public_key_sha256 for token in lost}
    return [
        root
        for root in living_roots(ceremonies)
        if root.public_key_sha256 in keys and not set(tokens_left(ceremonies, root.public_key_sha256)) - gone
    ]


def roots_to_go_on_with(
    ceremonies: Sequence[LedgerOfCeremony], public_key_sha256: str, lost_here: Sequence[LostToken] = ()
) -> list[str]:
    """The labels of the living roots with another key than this and a token to sign with, sorted."""
    lost = {root.label for root in roots_without_a_token(ceremonies, lost_here)}
    return [label for label in other_roots(ceremonies, public_key_sha256) if label not in lost]


def copies_left(ceremonies: Sequence[LedgerOfCeremony]) -> list[ProvedBackup]:
    """Every copy that was proved, the last proof of each, but of a key that is destroyed or on a token that is lost."""
    gone = {key.public_key_sha256 for ceremony in ceremonies for key in ceremony.destroyed}
    lost = {token.token for token in lost_tokens(ceremonies)}
    keys = dict.fromkeys(copy.public_key_sha256 for ceremony in ceremonies for copy in ceremony.backups)
    return [copy for key in keys if key not in gone for copy in _copies(ceremonies, key) if copy.token not in lost]


def _copies(ceremonies: Sequence[LedgerOfCeremony], public_key_sha256: str) -> list[ProvedBackup]:
    found = {copy.token: copy for ceremony in ceremonies for copy in ceremony.backups if copy.public_key_sha256 == public_key_sha256}
    return list(found.values())
