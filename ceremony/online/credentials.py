"""Who calls: an Entra ID credential by the name of its kind, or the simulator's own token. Tokens are kept nowhere else."""

import os
import secrets
import time
from collections.abc import Callable
from typing import Any

from azure.core.credentials import AccessToken, AccessTokenInfo, TokenCredential
from azure.identity import (
    AzureAuthorityHosts,
    AzureCliCredential,
    CertificateCredential,
    DefaultAzureCredential,
    DeviceCodeCredential,
    ManagedIdentityCredential,
    WorkloadIdentityCredential,
)

from ceremony.errors import CeremonyError
from ceremony.online.config import OnlineConfig

_AUTHORITIES = {
    "public": AzureAuthorityHosts.AZURE_PUBLIC_CLOUD,
    "us-government": AzureAuthorityHosts.AZURE_GOVERNMENT,
    "china": AzureAuthorityHosts.AZURE_CHINA,
}
_TOKEN_SECONDS = 3600


class SimulatorCredential:
    """Hands out a token of the form that the simulator takes, a new one for each credential."""

    def __init__(self) -> None:
        self._token = f"simulator-{secrets.token_urlsafe(24)}"

    def get_token(self, *scopes: str, **options: Any) -> AccessToken:
        """The token, as the older half of the SDK asks for it."""
        return AccessToken(self._token, int(time.time()) + _TOKEN_SECONDS)

    def get_token_info(self, *scopes: str, options: Any = None) -> AccessTokenInfo:
        """The token."""
        return AccessTokenInfo(self._token, int(time.time()) + _TOKEN_SECONDS)


def credential_for(config: OnlineConfig, tell: Callable[[str], None]) -> TokenCredential:
    """The credential that the settings name; for the simulator always its own, so that no real token can reach it.

    `tell` says a line to the person (where to type a device code). Raises CeremonyError AZURE-AUTHENTICATION when something
    that the kind needs is not there.
    """
    if config.is_simulator:
        return SimulatorCredential()
    authority = _AUTHORITIES[config.cloud]
    try:
        match config.auth:
            case "azure-cli":
                return AzureCliCredential()
            case "device-code":
                return DeviceCodeCredential(
                    authority=authority, prompt_callback=lambda uri, code, until: tell(f"Sign in: open {uri} and type {code}")
                )
            case "workload-identity":
                return WorkloadIdentityCredential(authority=authority)
            case "managed-identity":
                return ManagedIdentityCredential(client_id=os.environ.get("AZURE_CLIENT_ID"))
            case "certificate":
                return _certificate_credential(authority)
            case _:
                return DefaultAzureCredential(authority=authority)
    except ValueError as missing:
        raise CeremonyError("AZURE-AUTHENTICATION", f"--auth {config.auth}: {missing}.", state="Nothing was sent.") from missing


def _certificate_credential(authority: str) -> CertificateCredential:
    """From the variables that the ecosystem knows. A key with a passphrase is not taken: no secret comes from the environment."""
    names = ("AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_CLIENT_CERTIFICATE_PATH")
    missing = [name for name in names if not os.environ.get(name)]
    if missing:
        raise ValueError(f"not set: {', '.join(missing)}")
    tenant, client, path = (os.environ[name] for name in names)
    return CertificateCredential(tenant, client, path, authority=authority)
