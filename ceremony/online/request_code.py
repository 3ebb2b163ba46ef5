"""The verification code of a root that was uploaded: the one that was given before as long as it is good, a new one only when asked for."""

from dataclasses import dataclass
from datetime import UTC, datetime

from ceremony.crossing.bundle import SCRIPT
from ceremony.crossing.request import ProofRequest
from ceremony.crossing.script_data import read_script
from ceremony.crossing.verified import VerifiedBundle
from ceremony.errors import CeremonyError
from ceremony.online.acts import Act, write_receipt
from ceremony.online.azure_errors import AzureFailure
from ceremony.online.clocks import refuse_invalid_now
from ceremony.online.control_plane import UploadedCertificate
from ceremony.online.receipts import Receipt, Receipts
from ceremony.online.world import Service, time_text
from ceremony.pki.names import shown_text

_UNTOUCHED = "No code was asked for, nothing was written."


@dataclass(frozen=True)
class FetchedCode:
    """A code for the inbound request. `issued_at` and `made_at` are the service's clock; `reused`: given before, still good."""

    proof: ProofRequest
    root_fingerprint: str
    issued_at: str
    made_at: str
    reused: bool


def refuse_unnamed_service(bundle: VerifiedBundle, service: str) -> None:
    """The script says for which services the root may be proved: another would be refused in the room. Raises CeremonyError ONLINE-NAME."""
    script = read_script((bundle.path / SCRIPT).read_bytes())
    named = [proof.service for proof in script.proofs if proof.certificate == bundle.label]
    if service not in named:
        what = f"The ceremony script names no proof of {bundle.label} for {shown_text(service)}; it names {', '.join(named) or 'none'}."
        raise CeremonyError("ONLINE-NAME", what, state=_UNTOUCHED)


def fetch_code(service: Service, bundle: VerifiedBundle, receipts: Receipts, *, new_code: bool) -> FetchedCode:
    """The code for the bundle's root; one that had to be asked for stands in the receipts before this returns.

    A code is good as long as the certificate's etag is the one that was read after it was given: another code, another
    certificate and a proof all move it on. Raises AzureFailure, CeremonyError ONLINE-NAME, AZURE-NOT-FOUND,
    ONLINE-CERTIFICATE-DIFFERS, ONLINE-ALREADY-VERIFIED, ONLINE-CLOCK, ONLINE-CODE-UNKNOWN, RECEIPTS-UNWRITABLE.
    """
    name = service.config.service
    refuse_unnamed_service(bundle, name)
    there = _uploaded(service, bundle)
    watch = service.control.watch
    time = watch.last.server_time or datetime.now(UTC)
    if watch.ahead is not None:
        refuse_invalid_now("The root", bundle.root.certificate, time, watch.ahead)
    given = _last(receipts, name, there.name)
    if given is not None and given.kind == "code-issued" and given.data["etag_after"] == there.etag and not new_code:
        return _fetched(bundle, name, str(given.data["verification_code"]), given.time, time, reused=True)
    untouched = given is not None and given.kind == "certificate-uploaded" and given.data["etag_after"] == there.etag
    if not new_code and not untouched:
        known = "The code of the last receipt is void" if given is not None and given.kind == "code-issued" else "The receipts hold no code"
        what = f"{known}, and {there.name} was touched since: somebody may hold a code that a new one would make void."
        raise CeremonyError("ONLINE-CODE-UNKNOWN", what, state=_UNTOUCHED)
    return _asked(service, bundle, receipts, there)


def _asked(service: Service, bundle: VerifiedBundle, receipts: Receipts, there: UploadedCertificate) -> FetchedCode:
    try:
        code = service.control.new_code(there.name, there.etag)
    except AzureFailure as failed:
        if failed.status in (409, 412) or failed.outcome_unknown:
            failed.state = f"The service may have given a code for {there.name} whose answer was lost; the receipts do not hold it."
            failed.do_now = "Give the same command again, with --new-code: a code that was lost is good for nobody."
        raise
    answered = service.control.watch.last
    time = answered.server_time or datetime.now(UTC)
    after = _uploaded(service, bundle)
    more = {"verification_code": code, "root_fingerprint": bundle.root_fingerprint}
    act = Act("code-issued", there.name, there.etag, after.etag, answered, more)
    receipt = write_receipt(receipts, act, service=service.config.service, time=time, bundle=bundle.fingerprint)
    return _fetched(bundle, service.config.service, code, receipt.time, time, reused=False)


def _fetched(bundle: VerifiedBundle, service: str, code: str, issued_at: str, time: datetime, *, reused: bool) -> FetchedCode:
    return FetchedCode(ProofRequest(service, bundle.label, code), bundle.root_fingerprint, issued_at, time_text(time), reused)


def _uploaded(service: Service, bundle: VerifiedBundle) -> UploadedCertificate:
    """The root as it is at the service, not verified yet."""
    there = service.control.certificate(bundle.label)
    if there is None:
        do_now = "Upload it: `ceremony online plan BUNDLE --fingerprint F -o PLAN`, then `ceremony online apply PLAN`."
        what = f"{service.config.service} holds no certificate called {bundle.label}."
        raise CeremonyError("AZURE-NOT-FOUND", what, state=_UNTOUCHED, do_now=do_now)
    if not there.is_of(bundle.root.der):
        what = f"The certificate {there.name} at {service.config.service} is not the root of this bundle: SHA-1 {there.sha1}."
        raise CeremonyError("ONLINE-CERTIFICATE-DIFFERS", what, state=_UNTOUCHED)
    if there.is_verified:
        raise CeremonyError("ONLINE-ALREADY-VERIFIED", f"{there.name} is verified at {service.config.service}.", state=_UNTOUCHED)
    return there


def _last(receipts: Receipts, service: str, certificate: str) -> Receipt | None:
    """The last receipt about this certificate at this service."""
    for receipt in reversed(receipts.lines):
        told = (str(receipt.data.get("service", "")).lower(), str(receipt.data.get("name", "")).lower())
        if receipt.kind.startswith(("certificate-", "code-")) and told == (service.lower(), certificate.lower()):
            return receipt
    return None
