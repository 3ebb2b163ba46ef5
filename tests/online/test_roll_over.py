"""A roll-over at the service: the new root proved beside the old one, groups moved in two stages, the old root away when nothing needs it.

Devices register at the simulator with each chain at each point.
"""

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID

from ceremony.crossing.verified import VerifiedBundle, verified_bundle
from ceremony.errors import CeremonyError
from ceremony.online.plan import Plan, make_plan
from ceremony.pki.names import parse_name
from ceremony.simulator import certificates
from ceremony.simulator.errors import Refused
from ceremony.simulator.registration import register
from tests.crossing.held_ceremony import HeldCeremony, new_csr, new_root_key
from tests.crossing.held_roll_over import roll_over
from tests.crossing.held_roots import G1, G2
from tests.online.held_service import HeldService, simulated
from tests.simulator.api_description import problems_with


class RolledOver:
    """The service with the first ceremony's bundles applied, and the roll-over as far as it has come."""

    def __init__(self, held: HeldService, alpha: ec.EllipticCurvePrivateKey) -> None:
        self.held, self.alpha, self.refused_early = held, alpha, ""
        self.old = held.ceremony.artifacts["intermediates/alpha.1.cert.pem"]
        self.rolled = roll_over(held.folder / "rolled", held.ceremony, crossing=self._at_the_crossing)
        self.bundle = self._verified(self.rolled)
        self.new = self.rolled.artifacts["intermediates/alpha.1.cert.pem"]

    def _verified(self, ceremony: HeldCeremony) -> VerifiedBundle:
        folder = self.held.folder / f"bundle-{ceremony.fingerprint[:8]}"
        return verified_bundle(ceremony.write_bundle(folder), ceremony.fingerprint)

    def _at_the_crossing(self, ceremony: HeldCeremony) -> str:
        """The new root goes up beside the old one, which can't be retired meanwhile."""
        bundle = self._verified(ceremony)
        self.applied(bundle)
        for group in ("alpha.1", "beta.1"):
            self.held.state.groups[group].record["provisioningStatus"] = "disabled"
        self.refused_early = self.held.run("retire", G1, "--receipts", self.held.folder / "r", "--confirm", G1).err
        for group in ("alpha.1", "beta.1"):
            self.held.state.groups[group].record["provisioningStatus"] = "enabled"
        certificates.generate_code(self.held.state, G2, "*")
        code = self.held.state.certificates[G2].verification_code
        assert code
        return code

    def plan(self, bundle: VerifiedBundle | None = None, **options: object) -> Plan:
        with self.held.connected() as service:
            return make_plan(bundle or self.bundle, service.config, service.observe(), **options)  # type: ignore[arg-type]

    def applied(self, bundle: VerifiedBundle | None = None, **options: object) -> Plan:
        """Plan and apply; a second plan has nothing to do."""
        plan = self.plan(bundle, **options)
        with self.held.connected() as service:
            self.held.apply(service, plan, bundle or self.bundle)
        assert self.plan(bundle).changes == []
        return plan

    def gets_in(self, intermediate: bytes) -> bool:
        """Whether a device of alpha.1 registers with this certificate of its intermediate in its chain."""
        issuer = x509.load_pem_x509_certificate(intermediate)
        now = self.held.server_time()
        builder = x509.CertificateBuilder().subject_name(parse_name("CN=device-1")).issuer_name(issuer.subject).serial_number(9)
        builder = builder.public_key(new_root_key("ec").public_key()).not_valid_before(now).not_valid_after(now + dt.timedelta(days=30))
        builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
        builder = builder.add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self.alpha.public_key()), critical=False)
        chain = [found.public_bytes(Encoding.DER) for found in (builder.sign(self.alpha, hashes.SHA256()), issuer)]
        try:
            return register(self.held.state, chain, "device-1", now).failure is None
        except Refused:
            return False


@pytest.fixture
def rolled(tmp_path: Path) -> Iterator[RolledOver]:
    alpha = ec.generate_private_key(ec.SECP256R1())
    with simulated(tmp_path, rehearsal=True) as held:
        held.csrs["alpha.1"] = new_csr("CN=alpha.1,O=Example", alpha)
        held.settled()
        yield RolledOver(held, alpha)


def test_the_whole_roll_over_keeps_every_device_in(rolled: RolledOver) -> None:
    held = rolled.held
    assert "is the only verified root, and example-root-g2 is not verified yet" in rolled.refused_early
    assert rolled.gets_in(rolled.old) and not rolled.gets_in(rolled.new)

    # Stage one: the new root is verified, and after it the new certificate stands second.
    waiting = rolled.plan()
    assert [(action.sign, action.kind, action.name) for action in waiting.actions] == [
        ("~", "verify", G2),
        ("~", "second", "alpha.1"),
        ("+", "group", "beta.2"),
    ]
    with pytest.raises(CeremonyError, match="does not stand second"):
        rolled.plan(promote=["alpha.1"])
    rolled.applied()
    assert rolled.gets_in(rolled.old) and rolled.gets_in(rolled.new)
    assert {name: found.is_verified for name, found in held.state.certificates.items()} == {G1: True, G2: True}
    digests = [der for group in held.state.groups.values() for der in group.signing_certificates]
    assert len(digests) == len(set(digests)) == 4, "no certificate stands in two groups"

    # While a group stands on the old chain, the old root stays.
    told = held.run("retire", G1, "--receipts", held.folder / "r", "--confirm", G1)
    assert told.code == 7 and "alpha.1" in told.err and "beta.1" in told.err

    # Stage two, said by a person: the new certificate alone.
    with pytest.raises(CeremonyError, match="re-issues no intermediate"):
        rolled.plan(promote=["beta.2"])
    assert [action.kind for action in rolled.applied(promote=["alpha.1"]).changes] == ["promote"]
    assert rolled.gets_in(rolled.new) and not rolled.gets_in(rolled.old)
    changed = [line.data["name"] for line in held.receipts() if line.kind == "group-changed"]
    assert changed == ["alpha.1", "alpha.1"]

    # beta.1 was left to its end under the old root: disabled, the old root may go, and devices of the new one stay in.
    assert held.run("disable", "beta.1", "--receipts", held.folder / "receipts.jsonl").code == 0
    ran = held.run("retire", G1, "--receipts", held.folder / "receipts.jsonl", "--confirm", G1)
    assert ran.code == 0, ran.err
    assert list(held.state.certificates) == [G2] and rolled.gets_in(rolled.new)
    assert problems_with(held.simulator.requests) == []


def test_a_group_that_is_not_as_the_bundle_knows_it_is_left_alone(rolled: RolledOver) -> None:
    rolled.applied()
    group = rolled.held.state.groups["alpha.1"]
    mine = group.signing_certificates
    group.record["provisioningStatus"] = "disabled"
    [second] = [action for action in rolled.plan().actions if action.kind == "second"]
    assert second.sign == "=" and "DISABLED" in second.text
    assert [action.changes[0] for action in rolled.plan(enable=["alpha.1"]).changes] == ["status: disabled -> enabled"]
    group.signing_certificates = (mine[0], rolled.held.state.groups["beta.2"].signing_certificates[0])
    with pytest.raises(CeremonyError) as refused:
        rolled.plan()
    assert refused.value.code == "ONLINE-GROUP-DIFFERS"


def test_a_plan_that_was_changed_promotes_nothing_else(rolled: RolledOver) -> None:
    plan = rolled.plan()
    wrong = msgspec.structs.replace(next(action for action in plan.actions if action.kind == "second"), name="beta.2")
    for kind in ("second", "promote"):
        changed = msgspec.structs.replace(plan, actions=(msgspec.structs.replace(wrong, kind=kind),))
        with rolled.held.connected() as service, pytest.raises(CeremonyError) as refused:
            rolled.held.apply(service, changed, rolled.bundle)
        assert refused.value.code == "PLAN-BROKEN"
