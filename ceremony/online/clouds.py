"""The clouds by name: where each keeps its managers and its services, and whom to ask for a token.

Sources. Domains of the Device Provisioning Service: Microsoft's page "Azure Private Endpoint private DNS zone values" (its tables for
the commercial, the Government and the China cloud). The manager's address and scope: azure-mgmt-core (`get_arm_endpoints`).
The authorities: azure-identity. The scope of enrollment groups: Microsoft's page "Control access to Azure IoT Hub Device Provisioning
Service (DPS) by using Microsoft Entra ID" names one resource; Microsoft's own clients (the SDKs of .NET and Java, the azure-iot
extension of the Azure CLI 0.25) ask for that same one in every cloud. The scope of hubs: Microsoft's clients have one for the Government
cloud and one for all others (azure-iot-sdk-node IoTHubTokenScopes, azure-iot-sdk-java pull requests 1216 and 1226); the Chinese
edition of the page on access to hubs names a third, iothubs.chinacloudapi.cn, which no client asks for.
"""

import re
from typing import NamedTuple

from azure.core import AzureClouds
from azure.identity import AzureAuthorityHosts

from ceremony.online.azure_errors import AzureFailure
from ceremony.pki.names import shown_text

DATA_SCOPE = "https://azure-devices-provisioning.net/.default"
"""What a token for enrollment groups is asked for, in every cloud."""
_HUB_SCOPE = "https://iothubs.azure.net/.default"
_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)*")


class Cloud(NamedTuple):
    """`manager_scope` is what a token for Azure Resource Manager is asked for, `authority` the host of Entra ID.

    The domains are what the host names of Device Provisioning Services and of hubs end with; `hub_scope` is what a token for a hub's
    registry is asked for.
    """

    sdk: AzureClouds
    manager_scope: str
    authority: str
    provisioning_domain: str
    hub_domain: str
    hub_scope: str


CLOUDS = {
    "public": Cloud(
        AzureClouds.AZURE_PUBLIC_CLOUD,
        "https://management.azure.com/.default",
        AzureAuthorityHosts.AZURE_PUBLIC_CLOUD,
        "azure-devices-provisioning.net",
        "azure-devices.net",
        _HUB_SCOPE,
    ),
    "us-government": Cloud(
        AzureClouds.AZURE_US_GOVERNMENT,
        "https://management.core.usgovcloudapi.net/.default",
        AzureAuthorityHosts.AZURE_GOVERNMENT,
        "azure-devices-provisioning.us",
        "azure-devices.us",
        "https://iothubs.azure.us/.default",
    ),
    "china": Cloud(
        AzureClouds.AZURE_CHINA_CLOUD,
        "https://management.chinacloudapi.cn/.default",
        AzureAuthorityHosts.AZURE_CHINA,
        "azure-devices-provisioning.cn",
        "azure-devices.cn",
        _HUB_SCOPE,
    ),
}


def refuse_host_outside(domain: str, host: str) -> None:
    """Raises AzureFailure AZURE-REFUSED unless `host` is a plain host name below `domain`: a token goes to it.

    What else an address may hold (user, port, path) is refused with it: the host would be another than the end of the text says.
    """
    if not (_HOST.fullmatch(host) and host.lower().endswith(f".{domain}")):
        raise AzureFailure("AZURE-REFUSED", f"The service names {shown_text(host)}, which is not below {domain}: no token is sent there.")
