"""The service's own refusals: HTTP status, error number, message. Where nobody could look at the live service, the number says so.

Confirmed (reference in docs/azure.md): 412002, 401002, 429001, and the texts of IH400053 and of 401002.
The others are numbers of the right family (status times 1,000) and our words.
"""

import uuid
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import Any

from ceremony.simulator.state import date_time


@dataclass
class Refused(Exception):
    """What the service answers in place of a result. `number` is the service's error number, such as 412002.

    `code` is not "" when Azure Resource Manager itself refuses, in front of the service.
    """

    status: int
    number: int
    message: str
    code: str = ""

    def __str__(self) -> str:
        return self.message


def tracking_id() -> str:
    """A number by which support could find the request."""
    return str(uuid.uuid4())


def service_body(refused: Refused, now: datetime) -> dict[str, Any]:
    """ProvisioningServiceErrorDetails, of the service API and the device API."""
    told = {"errorCode": refused.number, "trackingId": tracking_id(), "message": refused.message}
    return {**told, "info": {}, "timestampUtc": date_time(now)}


def certificates_body(refused: Refused, now: datetime) -> dict[str, Any]:
    """ErrorDetails of the certificates' API; the correlation id stands in the message, as in reports of users."""
    told = (
        f"{refused.message} If you contact a support representative please include this correlation identifier: {tracking_id()}, "
        f"timestamp: {now:%Y-%m-%d %H:%M:%SZ}, errorcode: IH{refused.number}."
    )
    phrase = next((known.phrase for known in HTTPStatus if known == refused.status), "Error")
    name = "".join(phrase.title().split())
    return {"code": refused.number, "httpStatusCode": name, "message": told}


def manager_body(refused: Refused, code: str) -> dict[str, Any]:
    """What Azure Resource Manager itself answers, in front of the service."""
    return {"error": {"code": code, "message": refused.message}}


def hub_body(refused: Refused, name: str, now: datetime) -> dict[str, Any]:
    """What a hub's registry answers, as recorded of the live service (Azure/azure-sdk-for-net, its recorded tests of IoT Hub)."""
    told = f"Tracking ID:{uuid.uuid4().hex}-G:0-TimeStamp:{now:%m/%d/%Y %H:%M:%S}"
    return {"Message": f"ErrorCode:{name};{refused.message}", "ExceptionMessage": told}
