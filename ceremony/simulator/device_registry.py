"""Azure Device Registry's policies that bring their own root, as Azure Resource Manager shows them (version 2026-03-01-preview).

A policy makes a key and a CSR; whoever has a root signs it, and hands the chain over. Callers hold the state's lock. The key is dropped:
no device certificate is ever issued here.
"""

import re
import uuid
from datetime import timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from ceremony.simulator.errors import Refused
from ceremony.simulator.exchange import Answer, Request
from ceremony.simulator.issuing_ca import problems_with_chain, read_chain
from ceremony.simulator.state import DpsState, IssuingPolicy, date_time

PROVIDER = "Microsoft.DeviceRegistry"
_TYPE = f"{PROVIDER}/namespaces/credentials/policies"
_NAMESPACE = re.compile(r"[a-z0-9][a-z0-9-]{1,62}[a-z0-9]")
_POLICY = re.compile(r"[0-9a-zA-Z][a-zA-Z0-9-]{2,62}")
_LOCATION = "loopback"
_RENEWAL = timedelta(days=90)
"""An issuing CA that ends sooner asks for its next certificate; how soon the service does, nobody said."""


def is_for_us(request: Request) -> bool:
    """Whether the path names this provider."""
    return any(part.lower() == PROVIDER.lower() for part in request.segments())


def answer(state: DpsState, request: Request, arm_url: str) -> Answer:
    """One call. `arm_url` is where an operation's status is told. Raises Refused, each with the manager's code."""
    found = [part.lower() for part in request.segments()]
    subscription = ["subscriptions", state.subscription_id.lower()]
    ours = [*subscription, "resourcegroups", state.resource_group.lower(), "providers", PROVIDER.lower(), "namespaces"]
    operations = f"/subscriptions/{state.subscription_id}/providers/{PROVIDER}/locations/{_LOCATION}/operationStatuses"
    if request.method == "GET" and request.path.rpartition("/")[0] == operations:
        return Answer(200, _operation(state, found[-1]))
    match found[len(ours) :] if found[: len(ours)] == ours else []:
        case [namespace, "credentials", "default", "policies"] if request.method == "GET":
            _require_namespace(state, namespace)
            return Answer(200, {"value": [_shown(state, key) for key in sorted(state.policies) if key.startswith(f"{namespace}/")]})
        case [namespace, "credentials", "default", "policies", name] if request.method == "GET":
            return Answer(200, _shown(state, _existing(state, namespace, name)))
        case [namespace, "credentials", "default", "policies", _] if request.method == "PUT":
            is_new = put(state, namespace, request.segments()[-1], request.json())
            return Answer(201 if is_new else 200, _shown(state, f"{namespace}/{found[-1]}"))
        case [namespace, "credentials", "default", "policies", name, "activatebringyourownroot"] if request.method == "POST":
            operation = activate(state, _existing(state, namespace, name), request.json())
            where = f"{arm_url}{operations}/{operation}?api-version={request.query['api-version']}"
            return Answer(202, None, {"Location": where, "Retry-After": "0"})
    raise Refused(404, 404000, f"The Resource '{request.path}' was not found.", "ResourceNotFound")


def put(state: DpsState, namespace: str, name: str, body: dict[str, Any]) -> bool:
    """Makes a policy, or takes the same once more; whether it is new. Raises Refused."""
    _require_namespace(state, namespace)
    certificate = _table(_table(body, "properties"), "certificate")
    authority = _table(certificate, "certificateAuthorityConfiguration")
    days = _table(certificate, "leafCertificateConfiguration").get("validityPeriodInDays")
    enabled = _table(authority, "bringYourOwnRoot").get("enabled", False)
    if not _POLICY.fullmatch(name) or authority.get("keyType") != "ECC" or type(days) is not int or not isinstance(enabled, bool):
        raise Refused(400, 400000, "The policy's name, keyType, validityPeriodInDays or bringYourOwnRoot is not one.", "BadRequest")
    key = f"{namespace}/{name.lower()}"
    there = state.policies.get(key)
    if there is not None and there.brings_own_root != enabled:
        raise Refused(400, 400000, "bringYourOwnRoot can't be changed after a policy was made.", "BadRequest")
    if there is not None:
        there.leaf_days = days
        return False
    state.policies[key] = IssuingPolicy(namespace, name, enabled, days, new_csr() if enabled else b"")
    return True


def add_policy(state: DpsState, namespace: str, name: str) -> None:
    """A policy that brings its own root, and its namespace if that is new. One that is there stays. Raises Refused."""
    if not _NAMESPACE.fullmatch(namespace):
        raise Refused(400, 400000, f"{namespace} is no name of a namespace.", "BadRequest")
    if namespace not in state.namespaces:
        state.namespaces.append(namespace)
    authority = {"keyType": "ECC", "bringYourOwnRoot": {"enabled": True}}
    certificate = {"certificateAuthorityConfiguration": authority, "leafCertificateConfiguration": {"validityPeriodInDays": 30}}
    put(state, namespace, name, {"properties": {"certificate": certificate}})


def new_csr() -> bytes:
    """A CSR (DER) with a P-384 key and a subject as the published example shows one."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, uuid.uuid4().hex)])
    request = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(ec.generate_private_key(ec.SECP384R1()), hashes.SHA384())
    return request.public_bytes(Encoding.DER)


def activate(state: DpsState, key: str, body: dict[str, Any]) -> str:
    """Takes the chain (PEM, leaf first) for the CSR that waits, or the same chain once more; the id of the operation. Raises Refused."""
    policy = state.policies[key]
    _settle(state, policy)
    if not policy.brings_own_root:
        raise Refused(400, 400000, "The policy does not bring its own root.", "BadRequest")
    text = body.get("certificateChain")
    if not isinstance(text, str):
        raise Refused(400, 400000, "certificateChain is missing.", "BadRequest")
    if not policy.csr_der:
        raise Refused(409, 409000, "The policy is active, and no certificate signing request of it waits.", "Conflict")
    problems = problems_with_chain(read_chain(text), x509.load_der_x509_csr(policy.csr_der), state.now())
    operation = str(uuid.uuid4())
    if problems and state.refuses_chains == "at-once":
        raise Refused(400, 400000, f"The certificate chain is not valid: {'; '.join(problems)}.", "InvalidCertificateChain")
    if problems:
        state.registry_operations[operation] = f"The certificate chain is not valid: {'; '.join(problems)}."
        return operation
    policy.certificate_der = read_chain(text)[0].public_bytes(Encoding.DER)
    policy.csr_der, policy.reads_until_active = b"", state.reads_until_active
    state.registry_operations[operation] = ""
    return operation


def _existing(state: DpsState, namespace: str, name: str) -> str:
    _require_namespace(state, namespace)
    if f"{namespace}/{name}" not in state.policies:
        raise Refused(404, 404000, f"The Resource '{_TYPE}/{namespace}/default/{name}' was not found.", "ResourceNotFound")
    return f"{namespace}/{name}"


def _require_namespace(state: DpsState, namespace: str) -> None:
    if namespace not in state.namespaces:
        raise Refused(404, 404000, f"The Resource '{PROVIDER}/namespaces/{namespace}' was not found.", "ParentResourceNotFound")


def _settle(state: DpsState, policy: IssuingPolicy) -> None:
    """An issuing CA that ends soon asks for its next certificate, with another key."""
    if policy.certificate_der and not policy.csr_der and policy.brings_own_root:
        ends = x509.load_der_x509_certificate(policy.certificate_der).not_valid_after_utc
        if ends - state.now() < _RENEWAL:
            policy.csr_der = new_csr()


def _shown(state: DpsState, key: str) -> dict[str, Any]:
    """Policy. What was handed over is seen after some reads, as of a long-running operation."""
    policy = state.policies[key]
    _settle(state, policy)
    is_working, policy.reads_until_active = policy.reads_until_active > 0, max(policy.reads_until_active - 1, 0)
    authority: dict[str, Any] = {"keyType": "ECC"}
    own_root: dict[str, Any] = {"enabled": policy.brings_own_root}
    if policy.brings_own_root:
        has_one = bool(policy.certificate_der) and not is_working
        own_root["status"] = "PendingActivation" if not has_one else "ActiveButPendingRenewal" if policy.csr_der else "Active"
        if policy.csr_der:
            own_root["certificateSigningRequest"] = x509.load_der_x509_csr(policy.csr_der).public_bytes(Encoding.PEM).decode()
        if has_one:
            found = x509.load_der_x509_certificate(policy.certificate_der)
            own_root["issuingCertificateThumbprint"] = found.fingerprint(hashes.SHA1()).hex().upper()  # noqa: S303 - the service's form
            authority |= {
                "subject": found.subject.rfc4514_string(),
                "validityNotBefore": date_time(found.not_valid_before_utc),
                "validityNotAfter": date_time(found.not_valid_after_utc),
            }
    authority["bringYourOwnRoot"] = own_root
    leaves = {"validityPeriodInDays": policy.leaf_days}
    certificate = {"certificateAuthorityConfiguration": authority, "leafCertificateConfiguration": leaves}
    group = f"/subscriptions/{state.subscription_id}/resourceGroups/{state.resource_group}/providers/{PROVIDER}"
    return {
        "id": f"{group}/namespaces/{policy.namespace}/credentials/default/policies/{policy.name}",
        "name": policy.name,
        "type": _TYPE,
        "properties": {"provisioningState": "Accepted" if is_working else "Succeeded", "certificate": certificate},
    }


def _operation(state: DpsState, operation: str) -> dict[str, Any]:
    """OperationStatusResult. Raises Refused for an operation that failed, where the state says that this is how it is told."""
    if operation not in state.registry_operations:
        raise Refused(404, 404000, "The operation was not found.", "ResourceNotFound")
    failure = state.registry_operations[operation]
    if failure and state.refuses_chains == "as-error":
        raise Refused(400, 400000, failure, "InvalidCertificateChain")
    told = {"name": operation, "status": "Failed" if failure else "Succeeded"}
    return told | ({"error": {"code": "InvalidCertificateChain", "message": failure}} if failure else {})


def _table(parent: dict[str, Any], key: str) -> dict[str, Any]:
    found = parent.get(key)
    return found if isinstance(found, dict) else {}
