"""The half of `ceremony online request` that reaches Azure Device Registry (a preview): --adr fetches the CSR of its issuing CA."""

import argparse
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import NamedTuple

import msgspec

from ceremony.commands.files import say
from ceremony.commands.online_service import config_of, require_packages
from ceremony.crossing.verified import verified_bundle
from ceremony.errors import CeremonyError
from ceremony.pki.device_registry import PolicyPlace
from ceremony.words import fingerprint_typed


class FetchedCsrs(NamedTuple):
    """CSRs (PEM) by the names that the script certifies them by, and the service's clock (RFC 3339)."""

    csrs: dict[str, bytes]
    made_at: str


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """--adr."""
    parser.add_argument(
        "--adr",
        action="append",
        default=[],
        metavar="NAME=NAMESPACE/POLICY",
        help="preview: fetch the CSR of this policy's issuing CA from Azure Device Registry, and the name the script certifies it by",
    )


def fetched(args: argparse.Namespace, policies: Mapping[str, str]) -> FetchedCsrs:
    """The CSRs that wait. Where a bundle is given, its root is held against Azure's demands first.

    Raises CeremonyError USAGE, ANCHOR-INCOMPLETE, BUNDLE-REFUSED, REGISTRY-DEMANDS, ONLINE-POLICY, AZURE-NOT-FOUND, ONLINE-CONFIG,
    ONLINE-PACKAGES and AzureFailure.
    """
    for place in policies.values():
        _refuse_odd_place(place)
    if args.output.exists():
        raise CeremonyError("REQUEST-EXISTS", f"{args.output} is there already.", state="Nothing was sent.")
    if (args.bundle is None) != (args.fingerprint is None):
        raise CeremonyError("USAGE", "--bundle and --fingerprint go together.", state="Nothing was sent.")
    if args.dps:
        args.service = args.dps
    config = config_of(args)
    require_packages()
    from ceremony.online.activation import csr_of, own_root_policy, refuse_unfit_root
    from ceremony.online.credentials import credential_for
    from ceremony.online.rehearsals import refuse_rehearsal_to_azure
    from ceremony.online.world import registry_of, time_text

    if args.bundle is not None:
        try:
            fingerprint = fingerprint_typed(args.fingerprint)
        except ValueError as why:
            raise CeremonyError("ANCHOR-INCOMPLETE", f"--fingerprint: {why}.", state="Nothing was sent.") from why
        bundle = verified_bundle(args.bundle, fingerprint)
        refuse_rehearsal_to_azure(bundle, is_simulator=config.is_simulator)
        refuse_unfit_root(bundle.root, datetime.now(UTC))
    else:
        say("No --bundle: whether Azure takes the root is looked at by `ceremony check`, and when the CSR comes in.")
    registry = registry_of(config, credential_for(config, say))
    csrs = {}
    try:
        for name, place in policies.items():
            policy = own_root_policy(place, registry.policy(place))
            csr_of(policy)
            csrs[name] = policy.csr.encode()
            say(f"{name}: the CSR of {place}, which is {policy.status}. Azure Device Registry is a preview.")
        return FetchedCsrs(csrs, time_text(registry.watch.last.server_time or datetime.now(UTC)))
    finally:
        registry.close()


def _refuse_odd_place(place: str) -> None:
    try:
        msgspec.convert(place, PolicyPlace)
    except msgspec.ValidationError as odd:
        what = f"--adr: {place} is not NAMESPACE/POLICY as Azure names them."
        raise CeremonyError("USAGE", what, state="Nothing was sent.") from odd
