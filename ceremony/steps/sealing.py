"""Sign-off, seal, fingerprint on paper, export: the order in which a bundle comes to be (design, section 3)."""

from collections.abc import Generator, Iterable
from typing import Any

from ceremony.activation.statements import SIGN_OFF
from ceremony.engine.backed import signed_statement
from ceremony.engine.step import Act, Ask, Known, Request, Show, World, Write
from ceremony.steps.medium import outbound_medium
from ceremony.steps.qr_crossing import left_as_qr
from ceremony.words import words_of

_READ_BACK = {
    "after-remount": "It was unmounted and mounted again before it was read, and is unmounted now: take it out.",
    "after-flush": "It was read through the same mount, after flushing: unmount it, then take it out.",
}
_ANOTHER_MEDIUM = "It is another medium than the one that was taken, of unknown serial: record its label as a deviation (F2)."


def sealing_requires(world: World) -> Iterable[str]:
    """What an export demands of the world."""
    if not world.roll_called:
        yield "no roll-call since the start of the session: nobody could sign off"
    if world.root == "generated":
        yield "the root key has no certificate yet"
    if world.root == "absent" and world.old_root != "none":
        yield "the new root is not made yet: a bundle of the roll-over is of the new root"
    if not world.unsealed:
        yield "nothing was made since the last export"
    if world.taken_out:
        yield f"not put away again, by no step of kind record: {', '.join(sorted(world.taken_out))}"


def sealed_and_exported(known: Known, actor: str, confirmer: str) -> Generator[Request, Any, int]:
    """A fresh medium, sign-off, seal, the fingerprint on paper, the bundle, its copy. The bundle's number.

    The medium comes first: its serial is to stand in the record that leaves on it, and nobody signs off and then finds none.
    """
    number = len(known.seals) + 1
    medium = yield from outbound_medium(known, number, (actor, confirmer))
    yield from _signed_off(known)
    artifacts = sorted({artifact["path"]: artifact for artifact in known.artifacts}.values(), key=lambda artifact: str(artifact["path"]))
    sealed = {
        "bundle": number,
        "artifacts": artifacts,
        "previous_seal": known.seals[-1] if known.seals else None,
        "ceremony": known.opened["ceremony"],
        "rehearsal": known.rehearsal,
        "root_certificate_sha256": known.products.get("root_certificate_sha256"),
    }
    fingerprint = yield Write(key="seal", type="sealed", data=sealed, by=actor)
    yield Show(fingerprint=fingerprint)
    words = words_of(fingerprint)
    shown = (
        "Read the fingerprint aloud and write it on paper, whole: 64 hex digits or 32 words.",
        "Only the paper makes it proof. Each of you compares the paper with the screen.",
    )
    for person, part, name in ((actor, words[:4], "first"), (confirmer, words[-4:], "last")):
        yield Ask(
            key=f"paper/{person}",
            text=f"Compare your paper with the screen: the {name} four words.",
            by=person,
            shown=shown,
            digest=fingerprint,
            accept=" ".join(part),
        )
    bundle = yield Act(
        key="bundle", verb="make-bundle", args={"bundle": number, "fingerprint": fingerprint}, waiting="Making the bundle and its report"
    )
    args = {"bundle": number, **medium}
    receipt = yield Act(key="copy", verb="copy-out", args=args, waiting="Copying the bundle to the medium and reading it back")
    yield Show(
        lines=(
            f"Bundle {number} ({bundle['files']} files) was copied and read back: {receipt['path']}",
            f"SHA-256 of its SHA256SUMS: {receipt['sha256sums_sha256']}",
            _READ_BACK[receipt["read_back"]],
            f"The medium's serial: {receipt['serial']}" if receipt["serial"] else _ANOTHER_MEDIUM,
        )
    )
    yield from left_as_qr(known, fingerprint, actor)
    return number


def _signed_off(known: Known) -> Generator[Request, Any, None]:
    usual = ("as-written", "with-deviations", "refused")
    choices = (usual[1], usual[0], usual[2]) if known.deviations else usual
    shown = (
        "Your sign-off says how this ceremony was done so far. A refusal is recorded and erases nothing.",
        "It is signed with your own credential: have its medium or token ready.",
        f"Deviations recorded: {known.deviations}",
    )
    for id, person in known.people.items():
        if person.role == "observer":
            continue
        statement = yield Ask(key=f"sign-off/{id}", text="How was the ceremony done so far?", by=id, shown=shown, choices=choices)
        note = ""
        if statement != "as-written":
            note = yield Ask(key=f"sign-off/{id}/note", text="What should the record say about it? (may be empty)", by=id)
        said = {"statement": statement, "note": note, "credential": known.credential(id)}
        data = yield from signed_statement(known, f"sign-off/{id}/signed", id, SIGN_OFF, said)
        yield Write(key=f"sign-off/{id}/line", type="signed-off", data=data, by=id)
