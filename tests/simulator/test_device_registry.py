"""Azure Device Registry in the simulator: Azure's own library takes its answers, and each demand on a chain is really made."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError
from azure.mgmt.deviceregistry import DeviceRegistryMgmtClient, models
from cryptography import x509

from ceremony.simulator.device_registry import add_policy
from ceremony.simulator.server import Simulator
from ceremony.simulator.state_file import decoded, encoded
from tests.simulator.registry_chains import BROKEN, chain_for, named, pem_of
from tests.simulator.test_sdk import Bearer

POLICY = {"namespace_name": "example-registry", "policy_name": "Example-Policy"}


@pytest.fixture
def registry(simulator: Simulator) -> DeviceRegistryMgmtClient:
    add_policy(simulator.state, "example-registry", "Example-Policy")
    options: dict[str, Any] = {"connection_verify": str(simulator.ca_file), "polling_interval": 0}
    return DeviceRegistryMgmtClient(Bearer(simulator.token), simulator.state.subscription_id, base_url=simulator.arm_url, **options)


def at(simulator: Simulator, **more: Any) -> dict[str, Any]:
    return {"resource_group_name": simulator.state.resource_group, **POLICY, **more}


def own_root(policy: models.Policy) -> models.BringYourOwnRoot:
    assert policy.properties and policy.properties.certificate
    found = policy.properties.certificate.certificate_authority_configuration.bring_your_own_root
    assert found is not None
    return found


def csr_of(simulator: Simulator, registry: DeviceRegistryMgmtClient) -> x509.CertificateSigningRequest:
    return x509.load_pem_x509_csr(str(own_root(registry.policies.get(**at(simulator))).certificate_signing_request).encode())


def hand_over(simulator: Simulator, registry: DeviceRegistryMgmtClient, chain: str) -> None:
    body = models.ActivateBringYourOwnRootRequest(certificate_chain=chain)
    registry.policies.begin_activate_bring_your_own_root(**at(simulator), body=body).result()


def test_the_whole_life_of_a_policy(simulator: Simulator, registry: DeviceRegistryMgmtClient) -> None:
    own = models.BringYourOwnRoot(enabled=True)
    authority = models.CertificateAuthorityConfiguration(key_type="ECC", bring_your_own_root=own)
    leaves = models.LeafCertificateConfiguration(validity_period_in_days=10)
    configuration = models.CertificateConfiguration(certificate_authority_configuration=authority, leaf_certificate_configuration=leaves)
    resource = models.Policy(properties=models.PolicyProperties(certificate=configuration))
    another = at(simulator, policy_name="another-policy")
    made = registry.policies.begin_create_or_update(**another, resource=resource).result()
    assert own_root(made).status == "PendingActivation"
    group = {"resource_group_name": simulator.state.resource_group, "namespace_name": "example-registry"}
    assert [found.name for found in registry.policies.list_by_resource_group(**group)] == ["another-policy", "Example-Policy"]
    csr = csr_of(simulator, registry)
    assert csr.is_signature_valid
    issuing_ca, root = chain_for(csr)
    hand_over(simulator, registry, pem_of(issuing_ca, root))
    while own_root(active := registry.policies.get(**at(simulator))).status != "Active":
        assert active.properties and active.properties.provisioning_state == "Accepted"
    assert own_root(active).issuing_certificate_thumbprint
    assert own_root(active).certificate_signing_request is None
    with pytest.raises(ResourceExistsError, match="is active"):
        hand_over(simulator, registry, pem_of(issuing_ca, root))
    # A year before the devices' certificates would outlive it, it asks for the next one, of another key.
    simulator.faults.clock_skew = timedelta(days=1825 - 60)
    renewing = own_root(registry.policies.get(**at(simulator)))
    assert renewing.status == "ActiveButPendingRenewal"
    assert csr_of(simulator, registry).public_key() != csr.public_key()
    kept = decoded(encoded(simulator.state))
    assert (kept.policies, kept.namespaces) == (simulator.state.policies, ["example-registry"])


def test_each_demand_is_made(simulator: Simulator, registry: DeviceRegistryMgmtClient) -> None:
    csr = csr_of(simulator, registry)
    for changes in BROKEN.values():
        with pytest.raises(HttpResponseError, match="chain is not valid"):
            hand_over(simulator, registry, pem_of(*chain_for(csr, *changes)))
    assert own_root(registry.policies.get(**at(simulator))).status == "PendingActivation"


def test_what_else_is_no_chain_for_it(simulator: Simulator, registry: DeviceRegistryMgmtClient) -> None:
    csr = csr_of(simulator, registry)
    issuing_ca, root = chain_for(csr)
    other_root = chain_for(csr, lambda ca: replace(ca, subject=named("Another root")))[1]
    for chain in (
        pem_of(issuing_ca), pem_of(root, issuing_ca), pem_of(root), pem_of(issuing_ca, other_root), "nothing", pem_of(issuing_ca)[:200],
    ):  # fmt: skip
        with pytest.raises(HttpResponseError) as refused:
            hand_over(simulator, registry, chain)
        assert refused.value.status_code == 400
    simulator.state.refuses_chains = "as-error"
    with pytest.raises(HttpResponseError, match="chain is not valid"):
        hand_over(simulator, registry, pem_of(root))
    hand_over(simulator, registry, pem_of(issuing_ca, root))


def test_what_is_not_there(simulator: Simulator, registry: DeviceRegistryMgmtClient) -> None:
    for more in ({"policy_name": "no-such"}, {"namespace_name": "no-such"}, {"resource_group_name": "no-such"}):
        with pytest.raises(ResourceNotFoundError):
            registry.policies.get(**at(simulator, **more))


def test_the_command_makes_policies_that_wait(tmp_path: Path) -> None:
    from tests.simulator.test_command import running

    state = tmp_path / "state.json"
    with running("--adr", "example-registry/example-policy", "--state", state):
        assert [policy.name for policy in decoded(state.read_bytes()).policies.values()] == ["example-policy"]
    with pytest.raises(AssertionError, match="USAGE"), running("--adr", "EXAMPLE"):
        pass
