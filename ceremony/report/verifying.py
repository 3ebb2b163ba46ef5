"""The last page: how anybody checks a bundle, with the program and without it."""

import datetime as dt
from collections.abc import Sequence

from ceremony.report.blocks import Block, Heading, Listing, Paragraph
from ceremony.report.record import Record

CHAIN = """\
last=; while IFS= read -r line; do
  case $line in *"\\"prev\\":\\"$last"*) ;; *) echo BROKEN ;; esac
  last=$(printf '%s\\n' "$line" | sha256sum | cut -c1-64)
done < record/transcript.jsonl; echo "$last\""""
"""Prints the fingerprint after following each line to the line before; prints BROKEN where one does not follow."""


def how_to_verify(record: Record) -> list[Block]:
    """Commands to type in the bundle's folder, and what each must say for this ceremony."""
    if not record.lines:
        root = f"root/{record.script.root.get('label', 'LABEL')}.cert.pem"
        return _commands(fingerprint="", script=record.script_sha256, root=root, root_sha256="", leaves=(), attime="")
    seal = next((line for line in reversed(record.lines) if line.type == "sealed"), None)
    if seal is None:
        return [Heading("How to verify"), Paragraph("Nothing was sealed yet, so there is no bundle to verify.")]
    own = record.own_root
    return _commands(
        fingerprint=seal.sha256,
        script=record.script_sha256,
        root=own.path if own and record.root_certificate_sha256 else "",
        root_sha256=record.root_certificate_sha256 or "",
        leaves=[artifact.path for artifact in record.artifacts if artifact.kind in ("intermediate-certificate", "proof-certificate")],
        attime=f" -attime {int(dt.datetime.fromisoformat(seal.time).timestamp())}",
    )


def _commands(*, fingerprint: str, script: str, root: str, root_sha256: str, leaves: Sequence[str], attime: str) -> list[Block]:
    """`attime` is the option that makes openssl look at the day of the seal; digests are hex, "" while only paper knows them."""
    blocks: list[Block] = [
        Heading("How to verify"),
        Paragraph(
            "With the program, on any machine, without a token. The fingerprint is typed from the paper, never copied from this page:"
        ),
        Listing(("ceremony verify BUNDLE --fingerprint FINGERPRINT-FROM-PAPER",)),
        Paragraph(
            "Without the program, by one page of Python that comes with its documents (verify_bundle.py, auditor-guide.md), and openssl:"
        ),
        Listing(("python3 -I verify_bundle.py BUNDLE FINGERPRINT-FROM-PAPER",)),
        Paragraph("Without either, in the bundle's folder. Every file is the one that the sums name:"),
        Listing(("sha256sum -c SHA256SUMS",)),
        Paragraph(f"The transcript is the one whose fingerprint stands on paper. This must print {'it' if not fingerprint else 'that'}:"),
        Listing(("tail -n1 record/transcript.jsonl | sha256sum", *_printed(fingerprint))),
        Paragraph("Each line follows the line before. This must print the fingerprint, and BROKEN nowhere:"),
        Listing(tuple(CHAIN.splitlines())),
        Paragraph("The script is the one that was approved. This must print:"),
        Listing(("sha256sum record/script.toml", script)),
    ]
    if root:
        blocks += [
            Paragraph(
                "The root certificate is the one that was sealed. This must print:"
                if root_sha256
                else "The root certificate. This prints the digest by which everybody trusts it, and which stands in the seal:"
            ),
            Listing((f"openssl x509 -in {root} -outform DER | sha256sum", *_printed(root_sha256))),
            Paragraph(
                "The root certificate verifies under itself, and what it signed under it"
                f"{', on the day of the seal' * bool(attime)}. Each must print OK:"
            ),
            Listing(tuple(f"openssl verify -x509_strict{attime} -CAfile {root} {path}" for path in [root, *leaves])),
        ]
    return blocks


def _printed(digest: str) -> tuple[str, ...]:
    return (digest,) if digest else ()
