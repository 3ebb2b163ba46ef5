"""Who may call the control plane and the service API: bearers of a token of the simulator's own."""

from ceremony.simulator.errors import Refused
from ceremony.simulator.exchange import Request
from ceremony.simulator.faults import Faults

TOKEN_PREFIX = "simulator-"
"""Every bearer token that begins so is taken: the simulator has no directory of users, and guards nothing."""


def require_token(request: Request, faults: Faults) -> None:
    """Raises Refused 401 without such a token, with one that has run out, and with a shared access signature."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme != "Bearer":
        raise Refused(401, 401001, "Authentication failed. The 'Authorization' header holds no bearer token.", "AuthenticationFailed")
    if not token.startswith(TOKEN_PREFIX):
        raise Refused(401, 401002, "The access token is invalid.", "InvalidAuthenticationToken")
    if faults.is_expired(token):
        raise Refused(401, 401003, "The access token expiry UTC time is earlier than the current UTC time.", "ExpiredAuthenticationToken")
