"""Every kind of `--auth`: the real class of azure-identity against a stand-in for where it gets its tokens from, at Azure's own names.

The token for the manager goes to the manager, the one for enrollment groups to the service, and neither anywhere else.
"""

import base64
import json
import os
import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from azure.core import AzureClouds
from azure.mgmt.core.tools import get_arm_endpoints
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from ceremony.online.clouds import CLOUDS
from ceremony.simulator.state import utc_now
from tests.online.azure_stand_in import CLIENT, NAMES, SENTINEL, TENANT, AzureStandIn, azure_cli, names_service_host, stand_in, token_for
from tests.online.held_service import HeldService, Ran
from tests.online.identity_endpoint import IdentityEndpoint
from tests.online.refusals import refused

MANAGER_SCOPE, DATA_SCOPE = "https://management.azure.com/.default", "https://azure-devices-provisioning.net/.default"


@pytest.fixture
def azure(held: HeldService, bare: pytest.MonkeyPatch) -> Iterator[AzureStandIn]:
    with stand_in(held, bare, "public") as there:
        yield there


def status(held: HeldService, kind: str) -> Ran:
    return held.run("status", "--auth", kind, "--receipts", held.folder / "none.jsonl")


# where tokens come from


def az(**how: Any) -> Path:
    return azure_cli(Path(os.environ["PATH"]), **how)


def certificate(folder: Path, *, key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | None = None, passphrase: str = "") -> Path:
    """A certificate of an app registration, with its key."""
    key = key or rsa.generate_private_key(65537, 2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "operator")])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(1)
    builder = builder.not_valid_before(utc_now() - timedelta(days=1)).not_valid_after(utc_now() + timedelta(days=1))
    hidden = BestAvailableEncryption(passphrase.encode()) if passphrase else NoEncryption()
    path = folder / "operator.pem"
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, hidden))
    with path.open("ab") as file:
        file.write(builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM))
    return path


def app(bare: pytest.MonkeyPatch, **more: str) -> None:
    for name, value in {"AZURE_TENANT_ID": TENANT, "AZURE_CLIENT_ID": CLIENT, **more}.items():
        bare.setenv(name, value)


def all_is_well(azure: AzureStandIn, ran: Ran) -> None:
    assert ran.code == 0, ran.err
    assert "Nothing is other than it should be." in ran.out
    assert azure.bearers == {(azure.manager, token_for(MANAGER_SCOPE)), (azure.service_host, token_for(DATA_SCOPE))}


def test_azure_cli(held: HeldService, azure: AzureStandIn, bare: pytest.MonkeyPatch) -> None:
    asked = az()
    all_is_well(azure, status(held, "azure-cli"))
    account = f"account get-access-token --output json --resource {{}} --subscription {held.state.subscription_id}"
    assert set(asked.read_text().splitlines()) == {
        account.format("https://management.azure.com"), account.format("https://azure-devices-provisioning.net"),
    }  # fmt: skip
    assert set(azure.connected_to) == {azure.manager, azure.service_host}


@pytest.mark.parametrize("user_assigned", [False, True])
def test_managed_identity_of_app_service(held: HeldService, azure: AzureStandIn, bare: pytest.MonkeyPatch, user_assigned: bool) -> None:
    with IdentityEndpoint() as endpoint:
        bare.setenv("IDENTITY_ENDPOINT", f"{endpoint.url}/msi/token")
        bare.setenv("IDENTITY_HEADER", "of the platform")
        if user_assigned:
            bare.setenv("AZURE_CLIENT_ID", CLIENT)
        all_is_well(azure, status(held, "managed-identity"))
    assert {asked["resource"] for asked in endpoint.asked} == {"https://management.azure.com", "https://azure-devices-provisioning.net"}
    assert {asked.get("client_id") for asked in endpoint.asked} == {CLIENT if user_assigned else None}
    assert {asked["X-IDENTITY-HEADER"] for asked in endpoint.asked} == {"of the platform"}


def test_managed_identity_of_a_virtual_machine(held: HeldService, azure: AzureStandIn, bare: pytest.MonkeyPatch) -> None:
    with IdentityEndpoint() as endpoint:
        bare.setenv("AZURE_POD_IDENTITY_AUTHORITY_HOST", endpoint.url)
        all_is_well(azure, status(held, "managed-identity"))
    assert {asked["path"] for asked in endpoint.asked} == {"/metadata/identity/oauth2/token"}
    assert {asked["Metadata"] for asked in endpoint.asked} == {"true"}


def test_workload_identity(held: HeldService, azure: AzureStandIn, bare: pytest.MonkeyPatch) -> None:
    token_file = held.folder / "federated"
    token_file.write_text("of the cluster")
    app(bare, AZURE_FEDERATED_TOKEN_FILE=str(token_file))
    all_is_well(azure, status(held, "workload-identity"))
    assert azure.scopes() == {MANAGER_SCOPE, DATA_SCOPE}
    assert {(form["client_assertion"], form["client_id"], form["path"].split("/")[1]) for form in azure.grants} == {
        ("of the cluster", CLIENT, TENANT)
    }


def test_certificate(held: HeldService, azure: AzureStandIn, bare: pytest.MonkeyPatch) -> None:
    key = rsa.generate_private_key(65537, 2048)
    app(bare, AZURE_CLIENT_CERTIFICATE_PATH=str(certificate(held.folder, key=key)))
    all_is_well(azure, status(held, "certificate"))
    assert azure.scopes() == {MANAGER_SCOPE, DATA_SCOPE}
    for form in azure.grants:
        signed, _, signature = form["client_assertion"].rpartition(".")
        head, claims = (json.loads(decoded(part)) for part in signed.split("."))
        scheme = padding.PSS(padding.MGF1(hashes.SHA256()), 32) if head["alg"] == "PS256" else padding.PKCS1v15()
        key.public_key().verify(decoded(signature), signed.encode(), scheme, hashes.SHA256())
        assert (claims["iss"], claims["sub"]) == (CLIENT, CLIENT)
        assert claims["aud"] == f"https://{azure.authority}/{TENANT}/oauth2/v2.0/token"


def decoded(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


@pytest.mark.parametrize("tenant", [None, TENANT])
def test_device_code_is_asked_for_once_and_serves_both(
    held: HeldService, azure: AzureStandIn, bare: pytest.MonkeyPatch, tenant: str | None
) -> None:
    if tenant:
        bare.setenv("AZURE_TENANT_ID", tenant)
    ran = status(held, "device-code")
    all_is_well(azure, ran)
    told = [line for line in ran.err.splitlines() if "Sign in" in line]
    assert len(told) == 1
    assert "open https://device.example and type ABC-\\u{1B}[31mDEF" in told[0]
    assert [form["grant_type"].rpartition(":")[2] for form in azure.grants] == ["device_code", "refresh_token"]
    assert {form["path"].split("/")[1] for form in azure.grants} == {tenant or "organizations"}


def test_default_finds_the_azure_cli(held: HeldService, azure: AzureStandIn, bare: pytest.MonkeyPatch) -> None:
    az()
    all_is_well(azure, status(held, "default"))


def test_default_finds_a_workload_identity_first(held: HeldService, azure: AzureStandIn, bare: pytest.MonkeyPatch) -> None:
    asked = az()
    token_file = held.folder / "federated"
    token_file.write_text("of the cluster")
    app(bare, AZURE_FEDERATED_TOKEN_FILE=str(token_file))
    all_is_well(azure, status(held, "default"))
    assert not asked.exists()


@pytest.mark.parametrize("selected", [None, "prod", "EnvironmentCredential"])
def test_default_takes_no_secret_from_the_environment(
    held: HeldService, azure: AzureStandIn, bare: pytest.MonkeyPatch, selected: str | None
) -> None:
    app(bare, AZURE_CLIENT_SECRET="a-secret", AZURE_USERNAME="somebody", AZURE_PASSWORD="a-secret")
    if selected:
        bare.setenv("AZURE_TOKEN_CREDENTIALS", selected)
    refused(status(held, "default"), "AZURE-AUTHENTICATION", 4)
    assert azure.grants == []


@pytest.mark.parametrize("cloud", list(CLOUDS))
def test_each_cloud_has_its_own_hosts_and_scopes(held: HeldService, bare: pytest.MonkeyPatch, cloud: str) -> None:
    with stand_in(held, bare, cloud) as there:
        app(bare, AZURE_CLIENT_CERTIFICATE_PATH=str(certificate(held.folder)))
        ran = status(held, "certificate")
    assert ran.code == 0, ran.err
    assert set(there.connected_to) == set(NAMES[cloud])
    assert there.scopes() == {CLOUDS[cloud].manager_scope, DATA_SCOPE}
    assert there.bearers == {(there.manager, token_for(CLOUDS[cloud].manager_scope)), (there.service_host, token_for(DATA_SCOPE))}


def test_the_managers_scopes_are_those_of_azures_own_package() -> None:
    assert {name: get_arm_endpoints(cloud.sdk)["credential_scopes"] for name, cloud in CLOUDS.items()} == {
        name: [cloud.manager_scope] for name, cloud in CLOUDS.items()
    }
    assert {cloud.sdk for cloud in CLOUDS.values()} == set(AzureClouds)


# tokens, and where they must not be


def test_no_kind_leaves_a_token_anywhere(held: HeldService, azure: AzureStandIn, bare: pytest.MonkeyPatch, everything_logged: Path) -> None:
    token_file = held.folder / "federated"
    token_file.write_text("FEDERATEDfederatedFEDERATED")
    app(bare, AZURE_FEDERATED_TOKEN_FILE=str(token_file), AZURE_CLIENT_CERTIFICATE_PATH=str(certificate(held.folder)))
    az()
    told = []
    with IdentityEndpoint() as endpoint:
        bare.setenv("IDENTITY_ENDPOINT", f"{endpoint.url}/msi/token")
        bare.setenv("IDENTITY_HEADER", "of the platform")
        for kind in ("azure-cli", "device-code", "workload-identity", "managed-identity", "certificate", "default"):
            ran = status(held, kind)
            assert ran.code == 0, ran.err
            told.append(ran.out + ran.err)
    programs = Path(os.environ["PATH"])
    files = [path for path in held.folder.rglob("*") if path.is_file() and path != token_file and programs not in path.parents]
    assert everything_logged in files
    assert everything_logged.stat().st_size > 10_000
    told += [path.read_text(errors="replace") for path in files]
    for secret in ("SENTINEL", "FEDERATED", "of the platform"):
        assert not any(secret in text for text in told), secret


@pytest.mark.parametrize(
    "host",
    [
        "elsewhere.example",
        "azure-devices-provisioning.net",
        "elsewhere.example/x.azure-devices-provisioning.net",
        "elsewhere.example#.azure-devices-provisioning.net",
        "elsewhere.example?.azure-devices-provisioning.net",
        "elsewhere.example\\\\.azure-devices-provisioning.net",
        "a.azure-devices-provisioning.net@elsewhere.example",
        "elsewhere.example:443/.azure-devices-provisioning.net",
        "a.azure-devices-provisioning.net:8443",
        "a.azure-devices-provisioning.us",
    ],
)
def test_a_host_that_is_none_of_the_clouds_gets_no_token(held: HeldService, azure: AzureStandIn, host: str) -> None:
    az()
    names_service_host(held.simulator, host)
    refused(status(held, "azure-cli"), "AZURE-REFUSED", 4)
    assert set(azure.connected_to) == {azure.manager}
    assert {at for at, _ in azure.bearers} == {azure.manager}


# what is missing, and what it gets


@pytest.mark.parametrize(
    ("kind", "variables", "said", "do_now"),
    [
        ("azure-cli", {}, "Azure CLI not found on path", "az login"),
        ("device-code", {"AZURE_TENANT_ID": "no tenant/"}, "Invalid tenant", "AZURE_TENANT_ID"),
        ("workload-identity", {}, "Missing required arguments", "AZURE_FEDERATED_TOKEN_FILE"),
        ("workload-identity", {"AZURE_FEDERATED_TOKEN_FILE": "/nowhere/token"}, "No such file", "AZURE_FEDERATED_TOKEN_FILE"),
        ("certificate", {}, "not set: AZURE_CLIENT_CERTIFICATE_PATH", "AZURE_CLIENT_CERTIFICATE_PATH"),
        ("certificate", {"AZURE_CLIENT_CERTIFICATE_PATH": "/nowhere/operator.pem"}, "No such file", "RSA key, without passphrase"),
        ("default", {}, "AzureCliCredential: Azure CLI not found on path", "--auth"),
    ],
)
def test_what_a_kind_needs_and_has_not(
    held: HeldService, azure: AzureStandIn, bare: pytest.MonkeyPatch, kind: str, variables: dict[str, str], said: str, do_now: str
) -> None:
    if kind == "certificate" or variables.get("AZURE_FEDERATED_TOKEN_FILE"):
        app(bare)
    for name, value in variables.items():
        bare.setenv(name, value)
    told = refused(status(held, kind), "AZURE-AUTHENTICATION", 4)
    parts = {line.split(":")[0]: line for line in told.splitlines()}
    assert f"--auth {kind} gave no token" in parts["What happened"] and said in parts["What happened"]
    assert do_now in parts["Do now"]
    assert azure.bearers == set()


@pytest.mark.parametrize("spoilt", ["passphrase", "elliptic", "key alone", "nothing of the kind"])
def test_certificates_that_can_not_be_used(held: HeldService, azure: AzureStandIn, bare: pytest.MonkeyPatch, spoilt: str) -> None:
    path = held.folder / "operator.pem"
    if spoilt == "passphrase":
        certificate(held.folder, passphrase="hidden")
        bare.setenv("AZURE_CLIENT_CERTIFICATE_PASSWORD", "hidden")
    elif spoilt == "elliptic":
        certificate(held.folder, key=ec.generate_private_key(ec.SECP256R1()))
    elif spoilt == "key alone":
        path.write_bytes(certificate(held.folder).read_bytes().split(b"-----BEGIN CERTIFICATE")[0])
    else:
        path.write_bytes(b"nothing")
    app(bare, AZURE_CLIENT_CERTIFICATE_PATH=str(path))
    refused(status(held, "certificate"), "AZURE-AUTHENTICATION", 4)
    assert azure.connected_to == []


@pytest.mark.parametrize("kind", ["device-code", "workload-identity", "certificate"])
def test_an_authority_that_refuses(held: HeldService, azure: AzureStandIn, bare: pytest.MonkeyPatch, kind: str) -> None:
    """Entra ID's 401 and 400 are not the service's: they are told as a sign-in that failed, and nothing reached the service."""
    token_file = held.folder / "federated"
    token_file.write_text("of the cluster")
    if kind != "device-code":
        app(bare, AZURE_FEDERATED_TOKEN_FILE=str(token_file), AZURE_CLIENT_CERTIFICATE_PATH=str(certificate(held.folder)))
    for error in ("invalid_client", "invalid_grant"):
        azure.refusal = {"error": error, "error_description": f"AADSTS700016: {SENTINEL} unknown.\r\nTrace ID: 1"}
        told = refused(status(held, kind), "AZURE-AUTHENTICATION", 4)
        assert f"--auth {kind} gave no token" in told and "AADSTS700016" in told
        assert "State: Nothing was sent with it." in told
        assert "SENTINEL" not in told
    assert azure.bearers == set()


def test_an_authority_that_can_not_be_reached(held: HeldService, azure: AzureStandIn, bare: pytest.MonkeyPatch) -> None:
    app(bare, AZURE_CLIENT_CERTIFICATE_PATH=str(certificate(held.folder)))
    azure.authority = "another.example"
    bare.setattr("time.sleep", lambda seconds: None)
    told = refused(status(held, "certificate"), "AZURE-UNREACHABLE", 4)
    assert "--auth certificate: no answer from where tokens come from" in told
    assert azure.bearers == set()


@pytest.mark.parametrize(
    ("says", "fails"),
    [("ERROR: Please run 'az login' to setup account.", True), ('{"accessToken": "TOKEN"', False), ("", True)],
)
def test_an_azure_cli_that_fails(held: HeldService, azure: AzureStandIn, bare: pytest.MonkeyPatch, says: str, fails: bool) -> None:
    az(says=says, fails=fails)
    told = refused(status(held, "azure-cli"), "AZURE-AUTHENTICATION", 4)
    assert "az login" in told
    assert "SENTINEL" not in told
    assert azure.connected_to == []


@pytest.mark.parametrize("status_code", [400, 401, 403, 404])
def test_a_machine_whose_identity_is_refused(
    held: HeldService, azure: AzureStandIn, bare: pytest.MonkeyPatch, status_code: int
) -> None:
    with IdentityEndpoint(status=status_code) as endpoint:
        bare.setenv("IDENTITY_ENDPOINT", f"{endpoint.url}/msi/token")
        bare.setenv("IDENTITY_HEADER", "of the platform")
        told = refused(status(held, "managed-identity"), "AZURE-AUTHENTICATION", 4)
    assert "--auth managed-identity gave no token" in told
    assert "of the platform" not in told
    assert azure.connected_to == []


def test_programs_of_the_tests_own_machine_play_no_part(bare: pytest.MonkeyPatch) -> None:
    assert [shutil.which(name) for name in ("az", "azd", "pwsh")] == [None, None, None]
