"""The paper form: what a factory says of its key, apart from the medium that carries the CSR (design, rule 3).

In the room two people type its words before the tool shows them: the first eight, and the second eight.
"""

from ceremony.factory.folder import FactoryFile, FileKey, TokenKey
from ceremony.report.blocks import Box, Content, Facts, Listing, Paragraph, Table, escaped, typed_block
from ceremony.words import grouped, words_of
from hsm.facts import TokenInfo

LONGEST_LINE = 120
"""Characters of a production line's name on the form."""


def form_of(factory: FactoryFile, token: TokenInfo | None, line: str) -> Content:
    """The form for one intermediate. `token` is the one that holds the key, if one does; `line` names the production line, or is ""."""
    digest = grouped(factory.spki_sha256)
    words = words_of(factory.spki_sha256)
    csr = f"{factory.name}.csr.pem"
    return escaped(
        Content(
            title=f"The key of {factory.name}",
            kind="Paper form of a factory: it vouches for a certificate request",
            mode="TRAVELS APART FROM THE MEDIUM",
            footer=f"{factory.name}  made {factory.made_at}  key {digest[:19]}",
            made_of=factory.made_at,
            blocks=(
                Paragraph(
                    "Two people of the root ceremony type words from this paper before the tool shows them. It reaches the room by "
                    "another way, and with another person, than the medium that carries the request."
                ),
                typed_block("Words 1 to 8 of the key digest: the first person types these", words[:8]),
                typed_block("Words 9 to 16: the second person types these", words[8:16]),
                Facts(
                    (
                        ("Words 17 to 32", " ".join(words[16:])),
                        ("SHA-256 of the key", digest),
                        ("Name in the script", factory.name),
                        ("Subject asked for", factory.subject),
                        ("Kind of key", factory.key_type),
                        ("Where the key lives", whereabouts(factory.key, token)),
                        ("Production line", line or "_" * 40),
                        ("Made at", factory.made_at),
                    )
                ),
                Paragraph("Whoever signs has compared the SHA-256 above with what these two commands say, beside the key and in person:"),
                Listing(
                    (
                        f"openssl req -in {csr} -noout -verify",
                        f"openssl req -in {csr} -noout -pubkey | openssl pkey -pubin -outform DER | sha256sum",
                    )
                ),
                Table(
                    columns=("", "Name", "Signature", "Date and time"),
                    rows=tuple((who, "", "", "") for who in ("Vouches for this key", "Witness at the factory", "Received in the room")),
                    widths=(3, 4, 4, 3),
                    by_hand=True,
                ),
                Box(
                    "In the room, answer: refuse",
                    (
                        "if the tool does not take the words, if this paper came with the medium, if it is not signed, or if name, subject "
                        "or line are not what was expected. Then nothing of the request is used.",
                    ),
                ),
            ),
        )
    )


def whereabouts(key: FileKey | TokenKey, token: TokenInfo | None) -> str:
    """Where a key lives, for a person; through `shown_text` before anybody sees it."""
    if isinstance(key, FileKey) or token is None:
        return "encrypted file, on the factory's machine (software)"
    kind = "keeps keys in SOFTWARE" if token.software else f"{token.manufacturer} {token.model}"
    return f"PKCS#11 token {token.label!r}, serial {key.serial} ({kind}); key {key.label!r}, id {key.key_id}"
