"""The chapter that says how anybody checks a bundle, with the program and without it."""

import datetime as dt

from ceremony.report.blocks import Block, Heading, Listing, Paragraph
from ceremony.report.record import Record

CHAIN = """\
last=; while IFS= read -r line; do
  case $line in *"\\"prev\\":\\"$last"*) ;; *) echo BROKEN ;; esac
  last=$(printf '%s\\n' "$line" | sha256sum | cut -c1-64)
done < record/transcript.jsonl; echo "$last\""""
"""Prints the fingerprint after following each line to the line before; prints BROKEN where one does not follow."""


def _seconds(time: str) -> int:
    """A UTC time (RFC 3339) as openssl's -attime wants it."""
    return int(dt.datetime.fromisoformat(time).timestamp())


def how_to_verify(record: Record) -> list[Block]:
    """Commands to type in the bundle's folder, and what each must say for this ceremony."""
    seal = next((line for line in reversed(record.lines) if line.type == "sealed"), None)
    if seal is None:
        return [Heading("How to verify"), Paragraph("Nothing was sealed yet, so there is no bundle to verify.")]
    roots = [artifact.path for artifact in record.artifacts if artifact.kind == "root-certificate"]
    leaves = [artifact.path for artifact in record.artifacts if artifact.kind in ("intermediate-certificate", "proof-certificate")]
    blocks: list[Block] = [
        Heading("How to verify"),
        Paragraph(
            "With the program, on any machine, without a token. The fingerprint is typed from the paper, never copied from this page:"
        ),
        Listing(("ceremony verify BUNDLE --fingerprint FINGERPRINT-FROM-PAPER",)),
        Paragraph("Without the program, in the bundle's folder. Every file is the one that the sums name:"),
        Listing(("sha256sum -c SHA256SUMS",)),
        Paragraph("The transcript is the one whose fingerprint stands on paper. This must print:"),
        Listing(("tail -n1 record/transcript.jsonl | sha256sum", seal.sha256)),
        Paragraph("Each line follows the line before. This must print the fingerprint, and BROKEN nowhere:"),
        Listing(tuple(CHAIN.splitlines())),
        Paragraph("The script is the one that was approved. This must print:"),
        Listing(("sha256sum record/script.toml", record.script_sha256)),
    ]
    if roots and record.root_certificate_sha256:
        blocks += [
            Paragraph("The root certificate is the one that was sealed. This must print:"),
            Listing((f"openssl x509 -in {roots[0]} -outform DER | sha256sum", record.root_certificate_sha256)),
            Paragraph(
                "The root certificate verifies under itself, and what it signed under it, on the day of the seal. Each must print OK:"
            ),
            Listing(
                tuple(
                    f"openssl verify -x509_strict -attime {_seconds(seal.time)} -CAfile {roots[0]} {path}" for path in [roots[0], *leaves]
                )
            ),
        ]
    return blocks
