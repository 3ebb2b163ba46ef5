"""Page one on the backup: what the script says of it, and whether a copy was ever proved."""

from collections.abc import Iterator

from ceremony.pki.names import shown_text
from ceremony.report.blocks import Box
from ceremony.report.record import Backup, Record
from ceremony.report.rows import text_of

_HEAD = "Backup of the root key"


def backup_box(record: Record) -> Box:
    """The box for page one, of the script for the room and of the report alike."""
    box = _box(record)
    return Box(box.title, (*losses(record), *box.lines))


def _box(record: Record) -> Box:
    backup = record.script.backup
    if backup is None:
        return Box(f"{_HEAD}: the script says nothing", ("A script must say how the root key is backed up, or that it is not.",))
    match backup.kind:
        case "none":
            return Box(
                f"{_HEAD}: NONE",
                (
                    "If the token is lost or fails, the root key is gone.",
                    f"Reason: {backup.reason or 'none given'}",
                    f"Who owns this risk: {backup.owner or 'nobody named'}",
                    *proofs(record),
                ),
            )
        case "vendor-clone":
            return Box(f"{_HEAD}: {_title_of_copy(record)}", (*_copy(backup), *proofs(record)))
        case "twin-root":
            made = f"It is to be made and proved by {text_of(backup.by)}." if backup.by else "This very ceremony makes it."
            text = f"A second root, under the label {backup.label}, with a key of its own on a token of its own. {made}"
            return Box(f"{_HEAD}: A twin root", (text, *proofs(record)))
    return Box(f"{_HEAD}: {backup.kind}", ("A kind of backup that this report has no words for.",))


def proofs(record: Record) -> Iterator[str]:
    """Each copy that is proved, in this ceremony or in one before it, a sentence each."""
    for products in record.products():
        if told := products.proved_backup:
            token, number = (shown_text(text_of(told.get(name))) for name in ("token", "crl_number"))
            yield f"Proved in this ceremony: the token {token} signed CRL {number}."
    before = (record.opened.previous or {}).get("backups") if record.opened else None
    for told in before if isinstance(before, list) else ():
        if isinstance(told, dict):
            token, number, day = (shown_text(text_of(told.get(name))) for name in ("token", "crl_number", "day"))
            yield f"Proved in an earlier ceremony, on {day}: the token {token} signed CRL {number}."


def losses(record: Record) -> Iterator[str]:
    """Each token that this ceremony reported as lost, a sentence each."""
    for lost in next((products.lost_tokens for products in reversed([*record.products()]) if products.lost_tokens), ()):
        label, token, how, reason = (shown_text(text_of(lost.get(name))) for name in ("label", "token", "how", "reason"))
        yield f"LOST: the token {token} with the key of {label} is {how}. What is known: {reason}"


def _title_of_copy(record: Record) -> str:
    title = "A second token, copied by its vendor's tool"
    return title if not record.lines else f"{title}: {'PROVED' if any(proofs(record)) else 'NOT PROVED YET'}"


def _copy(backup: Backup) -> Iterator[str]:
    yield "The vendor's own tool copies the key to a second token; what proves the copy is a CRL that it signed."
    yield f"Tool: {backup.tool or 'not named'}, version {backup.version or 'not named'}"
    yield f"Security domain: {backup.domain or 'not named'}"
    yield f"Who has its cards, keys or shares: {', '.join(backup.holders) or 'nobody named'}"
    if backup.bags:
        yield f"The copy is kept in: {', '.join(backup.bags)}"
    if backup.differs:
        yield f"What the copy may tell otherwise than the original: {', '.join(backup.differs)}"
    if backup.by:
        yield f"To be proved by {text_of(backup.by)}"
