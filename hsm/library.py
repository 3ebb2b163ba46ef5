"""The module as python-pkcs11 starts it, with the side-car on the same state (child process only).

Two modules want more than C_Initialize(NULL). NSS refuses to start without parameters of its own; they are taken from the environment
variable that newer releases of NSS read by themselves. p11-kit-client makes a new state at each C_GetFunctionList.
"""

import os
from typing import Any, Final

import pkcs11
from pkcs11 import _pkcs11

from hsm import keys
from hsm.errors import TokenError
from hsm.sidecar import Sidecar

NSS_PARAMETERS: Final = "NSS_LIB_PARAMS"
"""`configdir='sql:/path' certPrefix='' keyPrefix='' secmod='pkcs11.txt' flags=internalKeySlot`, as NSS documents it."""


class Library:
    """A started module: `calls` is python-pkcs11's, `sidecar` has the calls that it lacks."""

    def __init__(self, path: str) -> None:
        """Raises TokenError MODULE-UNLOADABLE, MODULE-NOT-PKCS11, MODULE-NOT-STARTED, MODULE-UNSUITABLE."""
        self.sidecar = sidecar = Sidecar(path)
        self._parameters = parameters = os.environ.get(NSS_PARAMETERS, "")

        class StartedByTheSidecar(_pkcs11.lib):
            def initialize(self) -> None:
                sidecar.start(parameters)

        try:
            self.calls: Any = StartedByTheSidecar(path) if parameters else _pkcs11.lib(path)
        except (pkcs11.PKCS11Error, TokenError) as error:
            failed = error if isinstance(error, TokenError) else keys.as_token_error(error, "starting the module")
            raise TokenError("MODULE-NOT-STARTED", failed.what, ckr=failed.ckr) from error
        if not sidecar.shares_its_state():
            sidecar.follow(self.calls)
            if not sidecar.shares_its_state():
                raise TokenError("MODULE-UNSUITABLE", "The module keeps a state of its own for each caller.")

    def end(self) -> None:
        """C_Finalize, by whoever started it."""
        if self._parameters:
            self.sidecar.end()
        else:
            self.calls.finalize()
