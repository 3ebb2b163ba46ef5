"""ceremony online: the online side. `request` packs CSRs for a ceremony and needs no Azure; the others have a file each."""

import argparse
import importlib
from pathlib import Path
from typing import NamedTuple

import msgspec

from ceremony.commands import online_adr, online_code
from ceremony.commands.files import print_json, say
from ceremony.crossing.request import ProofRequest
from ceremony.crossing.verified import verified_bundle
from ceremony.crossing.verify import verify_bundle
from ceremony.errors import CeremonyError
from ceremony.machine.clock import now
from ceremony.online.request import pack_request
from ceremony.words import fingerprint_typed

VERBS = {
    "plan": ("online_plan", "what would change at the service, as a diff"),
    "apply": ("online_apply", "exactly what a plan says, with receipts"),
    "status": ("online_status", "certificates, groups, what ends when, what is not as it should be"),
    "disable": ("online_disable", "the compromise response: no new device of this group gets in"),
    "retire": ("online_retire", "delete an expired group, or a root certificate that nothing stands on"),
}
"""The verbs with a file of their own in ceremony.commands, and one line about each."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The sub-command and its options."""
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="COMMAND")
    request = verbs.add_parser("request", help="pack CSRs and a code into an inbound request; without --dps and --adr it needs no Azure")
    request.add_argument("-o", "--output", type=Path, required=True, metavar="DIR", help="the request's folder; must not exist")
    request.add_argument(
        "--csr", action="append", default=[], metavar="NAME=FILE", help="a CSR (PEM) and the name the script certifies it by"
    )
    request.add_argument("--code", action="append", default=[], metavar="SERVICE=CODE", help="the verification code of a service")
    what = "with --code or --dps: the bundle whose root is to be proved; with --adr: to sign; always: whose revocations are told"
    request.add_argument("--bundle", type=Path, help=what)
    request.add_argument("--fingerprint", metavar="F", help="the bundle's fingerprint, from paper")
    online_adr.add_arguments(request)
    online_code.add_arguments(request)
    request.add_argument("--json", action="store_true")
    for name, (module, summary) in VERBS.items():
        importlib.import_module(f"ceremony.commands.{module}").add_arguments(verbs.add_parser(name, help=summary))


def run(args: argparse.Namespace, removed: tuple[str, ...]) -> int:
    """Packs, and prints the words that go onto each factory's paper form."""
    if args.verb in VERBS:
        return int(importlib.import_module(f"ceremony.commands.{VERBS[args.verb][0]}").run(args, removed))
    csrs: dict[str, Path | bytes] = {name: Path(path) for name, path in _named("--csr", "NAME=FILE", args.csr).items()}
    policies = _named("--adr", "NAME=NAMESPACE/POLICY", args.adr)
    codes = _named("--code", "SERVICE=CODE", args.code)
    if (codes and args.dps) or (args.new_code and not args.dps):
        raise CeremonyError("USAGE", "Either --code, or --dps with or without --new-code.", state="Nothing was written.")
    if not csrs and not codes and not args.dps and not policies:
        raise CeremonyError("USAGE", "A request without --csr, --adr, --code and --dps holds nothing.", state="Nothing was written.")
    if twice := sorted(csrs.keys() & policies.keys()):
        raise CeremonyError("USAGE", f"{', '.join(twice)}: given by --csr and by --adr.", state="Nothing was written.")
    revoked = _revoked_by(args.bundle, args.fingerprint)
    fetched = online_adr.fetched(args, policies) if policies else None
    csrs |= fetched.csrs if fetched else {}
    if args.dps:
        code = online_code.fetched(args)
        # The time of the service, which the ceremony machine compares with its own clock.
        at = now()._replace(time=code.made_at)
        summary = pack_request(args.output, csrs, lambda: at, proofs=[code.proof], root_fingerprint=code.root_fingerprint)
    else:
        root = _root_to_be_proved(args.bundle, args.fingerprint) if codes else None
        proofs = [ProofRequest(service, root.label, code) for service, code in codes.items()] if root else []
        at = now()._replace(time=fetched.made_at) if fetched else now()
        summary = pack_request(args.output, csrs, lambda: at, proofs=proofs, root_fingerprint=root.fingerprint if root else None)
    if args.json:
        print_json({"format": 1, **msgspec.to_builtins(summary)})
        return 0
    say(f"{summary.folder}: {len(summary.csrs)} CSRs. SHA-256 of request.json: {summary.sha256}")
    for name in revoked:
        say(f"The root has revoked {name}. Is its enrollment group disabled? `ceremony online disable {name}` does that, twice is no harm.")
    for csr in summary.csrs:
        say("", f"{csr.name}: {csr.subject}", "  For the paper form, which travels apart from the medium (first and second eight words):")
        say(f"    {' '.join(csr.words[:8])}", f"    {' '.join(csr.words[8:16])}", f"  SHA-256 of the key: {csr.spki_sha256}")
        for line in csr.requested:
            say(f"  asks for (never copied): {line}")
    print(summary.folder)
    return 0


def _revoked_by(bundle: Path | None, fingerprint: str | None) -> tuple[str, ...]:
    """Names of intermediates that the bundle's root has revoked: whoever asks for their successors is told what else is to be done."""
    if bundle is None or fingerprint is None:
        return ()
    try:
        return verified_bundle(bundle, fingerprint_typed(fingerprint)).revoked_names
    except ValueError as why:
        raise CeremonyError("ANCHOR-INCOMPLETE", f"--fingerprint: {why}.", state="Nothing was written.") from why


class _Root(NamedTuple):
    """The root of a verified bundle: its label (which is the certificate's name at a service) and SHA-256 of its DER, hex."""

    label: str
    fingerprint: str


def _root_to_be_proved(bundle: Path | None, fingerprint: str | None) -> _Root:
    """The root of the bundle, which is verified first against the fingerprint from paper (design, rule 16)."""
    if bundle is None or fingerprint is None:
        raise CeremonyError("USAGE", "--code needs --bundle and --fingerprint: a code is for one root.", state="Nothing was written.")
    try:
        verdict = verify_bundle(bundle, fingerprint=fingerprint_typed(fingerprint))
    except ValueError as why:
        raise CeremonyError("ANCHOR-INCOMPLETE", f"--fingerprint: {why}.", state="Nothing was written.") from why
    failed = [f"{check.name}: {check.detail}" for check in verdict.checks if not check.passed]
    if failed or verdict.root_fingerprint is None:
        reasons = "; ".join(failed) or "it holds no root"
        raise CeremonyError("PREVIOUS-REFUSED", f"The bundle {bundle} is refused: {reasons}.", state="Nothing was written.")
    root = next((bundle / "root").iterdir())
    return _Root(root.name.removesuffix(".cert.pem"), verdict.root_fingerprint)


def _named(option: str, form: str, given: list[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for entry in given:
        name, equals, value = entry.partition("=")
        if not (name and equals and value) or name in found:
            raise CeremonyError("USAGE", f"{option} {entry}: must be {form}, each name once.", state="Nothing was written.")
        found[name] = value
    return found
