"""ceremony doctor: is all of it fit, and what to do if not."""

import argparse
from pathlib import Path

from ceremony.commands.files import print_json, read_script_file
from ceremony.errors import ExitCode
from ceremony.machine.doctor import examine, image
from ceremony.machine.image import image_sha256
from ceremony.machine.site import read_site
from ceremony.room.inspect_module import inspected
from ceremony.room.token_fitness import token_findings
from ceremony.script import read_script
from hsm.facts import TokenAbilities, TokenInfo


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Site file, script, --json."""
    parser.add_argument("--site", type=Path, help="site file; without one, SoftHSM is looked for, as for a rehearsal")
    parser.add_argument("--script", type=Path, metavar="SCRIPT", help="look whether the token can do what this script asks of it")
    parser.add_argument("--json", action="store_true")


def run(args: argparse.Namespace, removed: tuple[str, ...]) -> int:
    """Prints each finding; 1 when something is not fit for a ceremony."""
    site = read_site(args.site)
    script = read_script(read_script_file(args.script)) if args.script else None
    seen: list[tuple[TokenInfo, TokenAbilities]] = []

    def module_facts() -> list[str]:
        module, tokens = inspected(site, None)
        seen.extend(tokens)
        software = " It keeps keys in software: fit for rehearsals only." if module.software else ""
        return [f"{module.description} {module.library_version} at {module.path}, {len(tokens)} tokens.{software}"]

    findings = [*examine(site, module_facts), *image(script.image_sha256 if script else None, image_sha256())]
    findings += token_findings(seen, script, site.tokens)
    if args.json:
        print_json({"format": 1, "findings": [{**finding.facts(), "do_now": finding.do_now} for finding in findings]})
    for finding in [] if args.json else findings:
        print(f"{finding.verdict.upper():8} {finding.check}: {finding.detail}")
        if finding.do_now:
            print(f"         do: {finding.do_now}")
    return int(ExitCode.CHECK_FAILED if any(finding.verdict == "found" for finding in findings) else ExitCode.DONE)
