"""Who calls: an Entra ID credential by the name of its kind, or the simulator's own token. Tokens are kept nowhere else."""

import os
import secrets
import time
from collections.abc import Callable
from typing import Any

from azure.core.credentials import AccessToken, AccessTokenInfo, SupportsTokenInfo, TokenRequestOptions
from azure.core.exceptions import AzureError, ServiceRequestError, ServiceResponseError
from azure.identity import (
    AzureCliCredential,
    CertificateCredential,
    DefaultAzureCredential,
    DeviceCodeCredential,
    ManagedIdentityCredential,
    WorkloadIdentityCredential,
)
from cryptography.exceptions import UnsupportedAlgorithm

from ceremony.online.azure_errors import AzureFailure, cleaned
from ceremony.online.clouds import CLOUDS
from ceremony.online.config import OnlineConfig
from ceremony.pki.names import shown_text

_TOKEN_SECONDS = 3600
_DO_NOW = {
    "default": "Sign in by one of the ways that are listed (`az login` is the usual one), or name one with --auth.",
    "azure-cli": "Install the Azure CLI if it is missing, and sign in with `az login` as somebody who sees this subscription; for another "
    "cloud first `az cloud set --name AzureUSGovernment` or `AzureChinaCloud`. Then give the same command again.",
    "device-code": "Give the same command again, and type the code at the address shown before it runs out. AZURE_TENANT_ID names the "
    "tenant when it is not your own.",
    "workload-identity": "Check AZURE_TENANT_ID, AZURE_CLIENT_ID and the file that AZURE_FEDERATED_TOKEN_FILE names, and that the identity "
    "has a federated credential for this workload.",
    "managed-identity": "Run it on an Azure machine that has a managed identity; AZURE_CLIENT_ID names one that is user-assigned.",
    "certificate": "Check AZURE_TENANT_ID, AZURE_CLIENT_ID and the file that AZURE_CLIENT_CERTIFICATE_PATH names (PEM or PKCS #12: "
    "certificate and RSA key, without passphrase), and that the app registration holds this certificate.",
}


class SimulatorCredential:
    """Hands out a token of the form that the simulator takes, a new one for each credential."""

    def __init__(self) -> None:
        self._token = f"simulator-{secrets.token_urlsafe(24)}"

    def get_token(self, *scopes: str, **options: Any) -> AccessToken:
        """The token, as the older half of the SDK asks for it."""
        return AccessToken(self._token, int(time.time()) + _TOKEN_SECONDS)

    def get_token_info(self, *scopes: str, options: TokenRequestOptions | None = None) -> AccessTokenInfo:
        """The token."""
        return AccessTokenInfo(self._token, int(time.time()) + _TOKEN_SECONDS)


class EntraCredential:
    """A credential of azure-identity, whose refusals say which kind of `--auth` it was and what to do about it."""

    def __init__(self, kind: str, credential: SupportsTokenInfo) -> None:
        self._kind, self._credential = kind, credential

    def get_token(self, *scopes: str, **options: Any) -> AccessToken:
        """The token, as the older half of the SDK asks for it. Raises AzureFailure."""
        found = self.get_token_info(*scopes)
        return AccessToken(found.token, found.expires_on)

    def get_token_info(self, *scopes: str, options: TokenRequestOptions | None = None) -> AccessTokenInfo:
        """The token. Raises AzureFailure AZURE-AUTHENTICATION, AZURE-UNREACHABLE; nothing was sent to the service then."""
        try:
            return self._credential.get_token_info(*scopes, options=options or {})
        # ValueError: an answer that is no JSON, an authority that is none; OSError: a file that is gone, a program that can't run.
        except (AzureError, OSError, ValueError) as failed:
            # Some classes of azure-identity hide behind a refusal that nobody answered.
            if isinstance(failed.__cause__ or failed, ServiceRequestError | ServiceResponseError):
                what = f"--auth {self._kind}: no answer from where tokens come from: {_said(failed)}."
                raise AzureFailure("AZURE-UNREACHABLE", what) from None
            raise _no_token(self._kind, failed) from None


def credential_for(config: OnlineConfig, tell: Callable[[str], None]) -> SimulatorCredential | EntraCredential:
    """The credential that the settings name; for the simulator always its own, so that no real token can reach it.

    `tell` says a line to the person (where to type a device code). Raises AzureFailure AZURE-AUTHENTICATION when something
    that the kind needs is not there.
    """
    if config.is_simulator:
        return SimulatorCredential()
    try:
        return EntraCredential(config.auth, _of_kind(config, tell))
    # What azure-identity and cryptography raise for a file that is not there, not a certificate, or under a passphrase.
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as missing:
        raise _no_token(config.auth, missing) from None


def _of_kind(config: OnlineConfig, tell: Callable[[str], None]) -> SupportsTokenInfo:
    authority = CLOUDS[config.cloud].authority
    match config.auth:
        case "azure-cli":
            # The subscription's own tenant: who is signed in may be known to several.
            return AzureCliCredential(subscription=config.subscription)
        case "device-code":
            return DeviceCodeCredential(
                authority=authority,
                tenant_id=os.environ.get("AZURE_TENANT_ID"),
                prompt_callback=lambda uri, code, until: tell(
                    f"Sign in until {until:%H:%M} UTC: open {shown_text(uri)} and type {shown_text(code)}"
                ),
            )
        case "workload-identity":
            return WorkloadIdentityCredential(authority=authority)
        case "managed-identity":
            return ManagedIdentityCredential(client_id=os.environ.get("AZURE_CLIENT_ID"))
        case "certificate":
            return _certificate_credential(authority)
        case _:
            # Its first link takes a client secret or a password from the environment, from where no secret of ours comes.
            return DefaultAzureCredential(authority=authority, exclude_environment_credential=True)


def _certificate_credential(authority: str) -> CertificateCredential:
    """From the variables that the ecosystem knows. A key with a passphrase is not taken: no secret comes from the environment."""
    names = ("AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_CLIENT_CERTIFICATE_PATH")
    missing = [name for name in names if not os.environ.get(name)]
    if missing:
        raise ValueError(f"not set: {', '.join(missing)}")
    tenant, client, path = (os.environ[name] for name in names)
    return CertificateCredential(tenant, client, path, authority=authority)


def _said(failed: Exception) -> str:
    # The chain of `default` tells of each link.
    return cleaned(str(getattr(failed, "message", None) or failed), most=2000).rstrip(".")


def _no_token(kind: str, failed: Exception) -> AzureFailure:
    failure = AzureFailure("AZURE-AUTHENTICATION", f"--auth {kind} gave no token: {_said(failed)}.", do_now=_DO_NOW[kind])
    failure.state = "Nothing was sent with it."
    return failure
