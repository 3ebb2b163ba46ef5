"""ceremony online plan BUNDLE --fingerprint F: what would change at the service, as a diff. Writes nothing there."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from ceremony.commands.files import print_json, say, write_file
from ceremony.commands.online_service import add_service_arguments, config_of, service_of
from ceremony.errors import CeremonyError, ExitCode
from ceremony.pki.names import shown_text
from ceremony.words import fingerprint_typed

if TYPE_CHECKING:
    from ceremony.online.plan import Plan

_WIDTH = 80


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """BUNDLE, its fingerprint from paper, where the plan goes."""
    parser.add_argument("bundle", type=Path, metavar="BUNDLE")
    parser.add_argument("--fingerprint", required=True, metavar="F", help="the bundle's fingerprint from paper: 64 hex digits or 32 words")
    parser.add_argument("-o", "--output", type=Path, metavar="PLAN", help="write the plan, for `ceremony online apply PLAN`")
    parser.add_argument("--enable", action="append", default=[], metavar="NAME", help="enable this disabled group again")
    parser.add_argument(
        "--promote", action="append", default=[], metavar="NAME", help="the re-issued intermediate NAME stands alone in its group now"
    )
    parser.add_argument("--self-attest", metavar="NAME", help="vouch for the root NAME without a proof of possession; the receipt says so")
    parser.add_argument("--detailed-exitcode", action="store_true", help="exit 5 when there is something to do")
    parser.add_argument("--json", action="store_true")
    add_service_arguments(parser)


def run(args: argparse.Namespace, removed: tuple[str, ...]) -> int:
    """Verifies, reads the service, prints the diff, writes the plan."""
    from ceremony.crossing.verified import verified_bundle
    from ceremony.online.rehearsals import refuse_rehearsal_to_azure

    try:
        fingerprint = fingerprint_typed(args.fingerprint)
    except ValueError as why:
        raise CeremonyError("ANCHOR-INCOMPLETE", f"--fingerprint: {why}.", state="Nothing was sent.") from why
    config = config_of(args)
    bundle = verified_bundle(args.bundle, fingerprint)
    refuse_rehearsal_to_azure(bundle, is_simulator=config.is_simulator)
    with service_of(config) as service:
        from ceremony.online.plan import make_plan, plan_bytes

        given = {"enable": args.enable, "self_attest": args.self_attest, "promote": args.promote}
        plan = make_plan(bundle, config, service.observe(bundle.policies.values()), **given)
        if not service.facts.local_auth_disabled:
            say("The service takes shared access keys too (disableLocalAuth is off): whoever has one needs no role.")
    if args.output is not None:
        write_file(args.output, plan_bytes(plan))
    if args.json:
        print_json({**msgspec.to_builtins(plan), "changes_pending": bool(plan.changes)})
    else:
        print("\n".join(plan_lines(plan, config.shown)))
    if plan.changes and args.output is not None:
        say(f"To do exactly this: ceremony online apply {args.output}")
    return int(ExitCode.CHANGES_PENDING if plan.changes and args.detailed_exitcode else ExitCode.DONE)


def plan_lines(plan: "Plan", service: str) -> list[str]:
    """The plan for a screen of 80 columns."""
    mode = "REHEARSAL" if plan.bundle.rehearsal else "PRODUCTION"
    lines = [f"{mode} bundle {plan.bundle.number} of ceremony {plan.bundle.ceremony}", f"Service: {service}", ""]
    name_width = max((len(action.name) for action in plan.actions), default=0)
    for action in plan.actions:
        lines.append(f"{action.sign} {action.name:{name_width}}  {action.text}".rstrip())
        lines += [f"    {change}" for change in action.changes]
    lines += ["", *(f"! {note}" for note in plan.notes), plan.count_line]
    return [part for line in lines for part in wrapped(shown_text(line))]


def wrapped(line: str) -> list[str]:
    """The line in pieces of at most 80 columns, the later ones further in."""
    import textwrap

    return textwrap.wrap(line, _WIDTH, subsequent_indent="      ", break_on_hyphens=False) or [""]
