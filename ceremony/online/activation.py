"""What a plan has to do about an issuing CA of Azure Device Registry whose certificate a bundle holds (a preview)."""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Literal, NamedTuple

from ceremony.crossing.artifacts import public_key_der
from ceremony.crossing.verified import CertificateOfBundle
from ceremony.errors import CeremonyError
from ceremony.online.clocks import refuse_invalid_now
from ceremony.pki.csr import SigningRequest, read_csr
from ceremony.pki.device_registry import problems_with_issuing_ca, problems_with_root, refusal
from ceremony.pki.names import shown_text
from ceremony.words import sha256_hex

if TYPE_CHECKING:
    from ceremony.online.device_registry import Policy

UNTOUCHED = "Nothing was sent."


class Activation(NamedTuple):
    """`~` when the policy waits for this certificate, `=` when it is left as it is; texts for a person."""

    sign: Literal["~", "="]
    text: str
    changes: tuple[str, ...]
    notes: tuple[str, ...]


def activation_of(
    place: str, policy: "Policy | None", issuing_ca: CertificateOfBundle, root: CertificateOfBundle, time: datetime, ahead: timedelta
) -> Activation:
    """What is to be done about the policy at `place` (NAMESPACE/POLICY), by the service's clock.

    Raises CeremonyError ONLINE-CLOCK, REGISTRY-DEMANDS, AZURE-NOT-FOUND, ONLINE-POLICY.
    """
    until = f"certificate until {issuing_ca.certificate.not_valid_after_utc:%Y-%m-%d}"
    policy = own_root_policy(place, policy)
    if policy.is_active_with(issuing_ca.der):
        renewal = f"{place} asks to be renewed: `ceremony online request --adr` fetches its next CSR."
        return Activation("=", f"issuing CA, active, {until}", (), (renewal,) if policy.asks else ())
    if policy.is_worked_on:
        note = f"The service is still at work on {place}: plan again in some minutes."
        return Activation("=", f"issuing CA, in the making, {until}", (), (note,))
    if not policy.asks:
        other = shown_text(policy.thumbprint) or "which is not told"
        note = f"{place} is {shown_text(policy.status)} with another certificate, {other}: it is left so."
        return Activation("=", "issuing CA, ANOTHER certificate: stays so", (), (note,))
    refuse_invalid_now("The root", root.certificate, time, ahead)
    refuse_invalid_now("The certificate of Azure's issuing CA", issuing_ca.certificate, time, ahead)
    refuse_unfit_root(root, time)
    csr = csr_of(policy)
    if sha256_hex(public_key_der(issuing_ca.certificate)) != csr.public_key_sha256:
        what = f"{place} waits for a certificate of the key {csr.public_key_sha256}; the bundle's is of another: the CSR is a newer one."
        do_now = "Fetch it with `ceremony online request --adr`, and hold a ceremony for it."
        raise CeremonyError("ONLINE-POLICY", what, state=UNTOUCHED, do_now=do_now)
    if problems := problems_with_issuing_ca(issuing_ca.der, csr.subject, time):
        raise CeremonyError("REGISTRY-DEMANDS", refusal("the certificate of its issuing CA", problems), state=UNTOUCHED)
    notes = (
        "Azure Device Registry's own root is a preview: Microsoft may change it.",
        "After this: `az iot adr ns credential sync` tells the hubs of it.",
    )
    return Activation("~", f"issuing CA, {until}", (f"status: {shown_text(policy.status)} -> Active",), notes)


def own_root_policy(place: str, policy: "Policy | None") -> "Policy":
    """The policy, which must be there and bring its own root. Raises CeremonyError AZURE-NOT-FOUND, ONLINE-POLICY."""
    if policy is None:
        namespace, _, name = place.partition("/")
        do_now = f"Make it: `az iot adr ns policy create --namespace {namespace} --name {name} --enable-byor -g GROUP`."
        raise CeremonyError("AZURE-NOT-FOUND", f"There is no policy {place}.", state=UNTOUCHED, do_now=do_now)
    if not policy.brings_own_root:
        what = f"The policy {place} stands under Microsoft's root; that is chosen when a policy is made, and can't be changed."
        raise CeremonyError("ONLINE-POLICY", what, state=UNTOUCHED, do_now="Make another policy, with `--enable-byor`.")
    return policy


def refuse_unfit_root(root: CertificateOfBundle, time: datetime) -> None:
    """Raises CeremonyError REGISTRY-DEMANDS, with all that Azure demands, for a root that it does not take."""
    if problems := problems_with_root(root.der, time):
        raise CeremonyError("REGISTRY-DEMANDS", refusal("this root", problems), state=UNTOUCHED)


def csr_of(policy: "Policy") -> SigningRequest:
    """The CSR that waits, its signature checked. Raises CeremonyError ONLINE-POLICY where none does, and what `read_csr` raises."""
    if not policy.asks:
        what = f"The policy {policy.place} is {shown_text(policy.status) or 'in no state that it tells'}: no CSR of it waits."
        raise CeremonyError("ONLINE-POLICY", what, state=UNTOUCHED)
    return read_csr(policy.csr.encode())
