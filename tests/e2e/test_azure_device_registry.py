"""Azure Device Registry from end to end by the commands: CSR out of Azure, through the ceremony, back, and the policy active."""

import json
import subprocess
from pathlib import Path

from cryptography import x509

from ceremony.simulator.device_registry import add_policy
from ceremony.simulator.server import Simulator
from ceremony.simulator.state import DpsState
from tests.e2e.commands import SCRIPTS, ceremony, done, rehearsed
from tests.e2e.held import status
from tests.e2e.openssl import accepts, field

PLACE, NAME = "example-registry/example-policy", "azure-issuing-ca.1"


def test_csr_comes_from_azure_and_its_certificate_goes_back(tmp_path: Path) -> None:
    state = DpsState(service_name="example-dps")
    add_policy(state, *PLACE.split("/"))
    with Simulator(tmp_path, state=state) as simulator:
        settings = tmp_path / "online.toml"
        settings.write_text(
            f'format = 1\nsubscription = "{state.subscription_id}"\nresource_group = "{state.resource_group}"\nservice = "example-dps"\n'
            f'[simulator]\nendpoint = "{simulator.arm_url}"\nca_file = "{simulator.ca_file}"\n'
        )
        inbox = tmp_path / "inbox"
        inbox.mkdir()
        asked = done("online", "request", "-o", inbox / "request-1", "--adr", f"{NAME}={PLACE}", "--config", settings, "--json")
        (packed,) = json.loads(asked.out)["csrs"]
        assert packed["name"] == NAME
        folder = tmp_path / "D"
        ended = rehearsed("sign-azure-issuing-ca", folder, "--inbox", inbox)
        assert ended.code == 0, ended
        bundle, fingerprint = folder / "bundles" / "1", status(folder)["fingerprint"]
        certificate, [root] = bundle / "intermediates" / f"{NAME}.cert.pem", (bundle / "root").iterdir()
        accepts(root, certificate)
        asked_for = x509.load_der_x509_csr(state.policies[PLACE].csr_der)
        assert field(certificate, "subject") == f"subject={asked_for.subject.rfc4514_string()}"
        assert "as on the paper form of Azure" in (bundle / "record" / "report.html").read_text()
        plan = tmp_path / "plan"
        planned = done("online", "plan", bundle, "--fingerprint", fingerprint, "-o", plan, "--config", settings)
        assert f"~ {PLACE}" in planned.out
        done("online", "apply", plan, "--config", settings)
        again = ceremony("online", "plan", bundle, "--fingerprint", fingerprint, "--detailed-exitcode", "--config", settings)
        assert again.code == 0, again
        told = json.loads(done("online", "status", "--receipts", tmp_path / "receipts.jsonl", "--json", "--config", settings).out)
        assert [(found["name"], found["state"]) for found in told["policies"]] == [(PLACE, "Active")]
        der = subprocess.run(["openssl", "x509", "-in", certificate, "-outform", "DER"], capture_output=True, check=True).stdout
        assert state.policies[PLACE].certificate_der == der
        done("verify", bundle, "--fingerprint", fingerprint, "--receipts", tmp_path / "receipts.jsonl")


def test_a_script_with_an_rsa_root_is_refused_before_anybody_meets(tmp_path: Path) -> None:
    script = tmp_path / "rsa.toml"
    script.write_text((SCRIPTS / "sign-azure-issuing-ca.toml").read_text().replace('key = "ec:secp384r1"', 'key = "rsa:4096"', 1))
    ended = ceremony("check", script)
    assert (ended.code, "Code: SCRIPT-INVALID" in ended.err) == (2, True)
    assert "root: Azure Device Registry does not take it: its key is rsa:4096" in ended.err
