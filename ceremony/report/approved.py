"""What the script approves: the window, the root, the profiles, the names, the services, and how the token is unlocked."""

from collections.abc import Mapping
from typing import Any

from ceremony.activation.arrangement import Activation
from ceremony.pki.printed import printed_text
from ceremony.report.blocks import Block, Facts, Heading, Table
from ceremony.report.record import Record
from ceremony.report.rows import rows, told


def approved(record: Record) -> list[Block]:
    """Everything in the script but people and steps, which have chapters of their own."""
    script = record.script
    blocks: list[Block] = [Heading("What the script approves")]
    for title, table in (("Days on which it may run", script.window), ("The root", script.root)):
        blocks += _table(title, table)
    for name, profile in script.profiles.items():
        blocks += _table(f"Profile {name}", profile)
    if script.activation:
        blocks += _activation(script.activation)
    if script.intermediates:
        names = tuple((wanted.name, wanted.profile, wanted.vouched_by) for wanted in script.intermediates)
        blocks += [Heading("Names that may be certified", 2), Table(("Name", "Profile", "Key"), names, (2, 2, 5), (0, 1))]
    if script.proofs:
        services = tuple((proof.service, proof.certificate) for proof in script.proofs)
        blocks += [
            Heading("Services that may be given proof of possession", 2),
            Table(("Service", "Certificate"), services, (1, 1), (0, 1)),
        ]
    return [*blocks, *_table("What else it says", script.rest)]


def _activation(activation: Activation) -> list[Block]:
    """Who holds the PINs, and where that changes, who held them before."""
    blocks: list[Block] = [Heading("How the token is unlocked", 2), Facts(told(activation.lines()))]
    if activation.changes:
        blocks += [Heading("How it is unlocked when the ceremony begins", 2), Facts(told(activation.lines(before=True)))]
    return blocks


def _table(title: str, table: Mapping[str, Any]) -> list[Block]:
    return [Heading(title, 2), Facts(rows(table, shown=printed_text))] if table else []
