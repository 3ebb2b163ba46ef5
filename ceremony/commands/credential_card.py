"""The card of a credential: what its owner carries, and compares with the script before it is approved."""

from pathlib import Path

from ceremony.activation.roster import words_of_credential
from ceremony.commands.files import print_json, write_file
from ceremony.pki.names import shown_text
from ceremony.report.blocks import Content, Facts, Listing, Paragraph, Table, escaped, typed_block


def print_card(name: str, credential: str, as_json: bool) -> None:
    """Prints the card on stdout: name, roster text, the 32 words of its SHA-256."""
    words = words_of_credential(credential)
    if as_json:
        print_json({"format": 1, "name": name, "credential": credential, "words": words})
        return
    print(f"Credential of {shown_text(name)}", f"  {credential}", "Words (SHA-256 of that text):", sep="\n")
    print(*(f"  {' '.join(words[start : start + 4])}" for start in range(0, 32, 4)), sep="\n")


def write_card(path: Path, name: str, credential: str, where: str) -> None:
    """The same on paper, as PDF; `where` says where its private key is. Raises CeremonyError FILE-EXISTS, FILE-UNWRITABLE."""
    from ceremony.report.typeset import render_pdf

    words = words_of_credential(credential)
    write_file(path, render_pdf(_content(name, credential, where, words)))


def _content(name: str, credential: str, where: str, words: list[str]) -> Content:
    text = "Compare the words with what `ceremony check` prints of the script before you approve it. Nothing on this card is secret."
    return escaped(
        Content(
            title=f"Credential of {name}",
            kind="Card of somebody who signs in root key ceremonies",
            mode="KEEP IT WITH YOU",
            footer=f"{name}  {' '.join(words[:4])}",
            made_of="",
            blocks=(
                Paragraph(text),
                Facts((("Name", name), ("Text for the script's roster", credential), ("Private key", where))),
                *(typed_block(f"Words {start + 1} to {start + 8}", words[start : start + 8]) for start in range(0, 32, 8)),
                Paragraph("The words are those of the SHA-256 of the text:"),
                Listing((f"printf %s {credential} | sha256sum",)),
                Table(("Signature of the owner", "Date"), (("", ""),), (5, 3), by_hand=True),
            ),
        )
    )
