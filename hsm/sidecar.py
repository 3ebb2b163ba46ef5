"""The calls that python-pkcs11 lacks, made by ctypes on the same loaded module: the only place for ctypes in this package.

These are C_InitToken, C_InitPIN, C_SetPIN and C_Login from buffers that can be wiped, C_GetSlotList and C_GetTokenInfo
with all their fields, C_CloseAllSessions and C_Logout. Layouts: PKCS#11 v2.40 base, 3 and 5. Also the two
protections that the system has for a process which holds secrets.
"""

import ctypes
import resource
import sys
from collections.abc import Callable, Sequence
from typing import Final

from hsm.catalogue import CKR, token_error
from hsm.errors import TokenError

_Number = ctypes.c_ulong
_PIN: Final = (ctypes.c_void_p, _Number)
_OK: Final = 0
_NOT_INITIALIZED: Final = 0x190
_PR_SET_DUMPABLE: Final = 4
_LISTS_HELD: Final = 3
SECURITY_OFFICER: Final = 0
USER: Final = 1

_FUNCTIONS: Final = (
    "C_Initialize", "C_Finalize", "C_GetInfo", "C_GetFunctionList", "C_GetSlotList", "C_GetSlotInfo", "C_GetTokenInfo",
    "C_GetMechanismList", "C_GetMechanismInfo", "C_InitToken", "C_InitPIN", "C_SetPIN", "C_OpenSession", "C_CloseSession",
    "C_CloseAllSessions", "C_GetSessionInfo", "C_GetOperationState", "C_SetOperationState", "C_Login", "C_Logout",
)  # fmt: skip
"""The beginning of CK_FUNCTION_LIST, in its order."""


class _Version(ctypes.Structure):
    _fields_ = [("major", ctypes.c_ubyte), ("minor", ctypes.c_ubyte)]


class _FunctionList(ctypes.Structure):
    _fields_ = [("version", _Version), *((name, ctypes.c_void_p) for name in _FUNCTIONS)]


class _Info(ctypes.Structure):
    _fields_ = [
        ("cryptokiVersion", _Version),
        ("manufacturerID", ctypes.c_char * 32),
        ("flags", _Number),
        ("libraryDescription", ctypes.c_char * 32),
        ("libraryVersion", _Version),
    ]


class _NssArguments(ctypes.Structure):
    """NSS's CK_C_INITIALIZE_ARGS (nss/lib/util/pkcs11t.h): LibraryParameters stands before pReserved."""

    _fields_ = [
        ("CreateMutex", ctypes.c_void_p),
        ("DestroyMutex", ctypes.c_void_p),
        ("LockMutex", ctypes.c_void_p),
        ("UnlockMutex", ctypes.c_void_p),
        ("flags", _Number),
        ("parameters", ctypes.c_char_p),
        ("pReserved", ctypes.c_void_p),
    ]


class _TokenInfo(ctypes.Structure):
    _fields_ = [
        ("label", ctypes.c_char * 32),
        ("manufacturerID", ctypes.c_char * 32),
        ("model", ctypes.c_char * 16),
        ("serialNumber", ctypes.c_char * 16),
        ("flags", _Number),
        ("ulMaxSessionCount", _Number),
        ("ulSessionCount", _Number),
        ("ulMaxRwSessionCount", _Number),
        ("ulRwSessionCount", _Number),
        ("ulMaxPinLen", _Number),
        ("ulMinPinLen", _Number),
        ("ulTotalPublicMemory", _Number),
        ("ulFreePublicMemory", _Number),
        ("ulTotalPrivateMemory", _Number),
        ("ulFreePrivateMemory", _Number),
        ("hardwareVersion", _Version),
        ("firmwareVersion", _Version),
        ("utcTime", ctypes.c_char * 16),
    ]


class RawTokenInfo:
    """CK_TOKEN_INFO with padding taken off; texts as UTF-8, what is not UTF-8 replaced."""

    def __init__(self, info: _TokenInfo) -> None:
        self.label = _text(info, "label")
        self.manufacturer = _text(info, "manufacturerID")
        self.model = _text(info, "model")
        self.serial = _text(info, "serialNumber")
        self.flags = int(info.flags)
        self.longest_pin = int(info.ulMaxPinLen)
        self.shortest_pin = int(info.ulMinPinLen)
        self.hardware_version = f"{info.hardwareVersion.major}.{info.hardwareVersion.minor}"
        self.firmware_version = f"{info.firmwareVersion.major}.{info.firmwareVersion.minor}"


def _text(info: ctypes.Structure, field: str) -> str:
    place = getattr(type(info), field)
    octets = bytes(memoryview(info).cast("B")[place.offset : place.offset + place.size])
    return octets.rstrip(b"\0").decode("utf-8", errors="replace").rstrip()


class Sidecar:
    """The extra calls of one loaded module. Every call raises TokenError for a return value other than CKR_OK."""

    def __init__(self, path: str) -> None:
        """Loads the module, or finds it loaded. Raises MODULE-UNLOADABLE with the loader's words, MODULE-NOT-PKCS11."""
        try:
            library = ctypes.CDLL(path)
        except OSError as refused:
            raise TokenError("MODULE-UNLOADABLE", f"The system's loader refused the module: {refused}") from refused
        try:
            get_function_list = library.C_GetFunctionList
        except AttributeError as missing:
            raise TokenError("MODULE-NOT-PKCS11", f"{path} is a shared library without C_GetFunctionList.") from missing
        found = ctypes.c_void_p()
        get_function_list.restype = _Number
        value = get_function_list(ctypes.byref(found))
        if value != _OK or not found.value:
            raise TokenError("MODULE-NOT-PKCS11", f"{path} gives no list of functions (return value 0x{value:x}).")
        self._library = library
        self._functions = _FunctionList.from_address(found.value)

    def start(self, parameters: str) -> None:
        """C_Initialize with NSS's own parameters, which stand in its longer CK_C_INITIALIZE_ARGS where others have pReserved."""
        arguments = _NssArguments(parameters=parameters.encode())
        self._call("C_Initialize", "starting the module", [ctypes.c_void_p], ctypes.addressof(arguments))

    def end(self) -> None:
        """C_Finalize."""
        self._call("C_Finalize", "ending the module", [ctypes.c_void_p], None)

    def follow(self, caller: object) -> None:
        """Takes the list of functions that this `lib` of python-pkcs11 holds, for p11-kit-client makes one with a new state at each asking.

        The list is the first field that `HasFuncList` adds to a Python object (python-pkcs11 0.10, _pkcs11.pyx). Raises
        MODULE-UNSUITABLE where the class is laid out otherwise.
        """
        holder = next((kind for kind in type(caller).__mro__ if kind.__name__ == "HasFuncList"), object)
        as_known = object.__basicsize__ + _LISTS_HELD * ctypes.sizeof(ctypes.c_void_p)
        if holder.__base__ is not object or holder.__basicsize__ != as_known:
            raise TokenError("MODULE-UNSUITABLE", "The module keeps a state for each caller, and this python-pkcs11 hides which it has.")
        held = ctypes.c_void_p.from_address(id(caller) + object.__basicsize__).value
        if held:
            self._functions = _FunctionList.from_address(held)

    def _call(self, name: str, doing: str, types: Sequence[type], *arguments: object) -> None:
        address = getattr(self._functions, name)
        function: Callable[..., int] = ctypes.CFUNCTYPE(_Number, *types)(address)
        value = function(*arguments)
        if value != _OK:
            raise token_error(value, doing)

    def shares_its_state(self) -> bool:
        """Whether a module that python-pkcs11 has started counts as started here too; p11-kit-client keeps a state for each caller."""
        info = _Info()
        try:
            self._call("C_GetInfo", "asking the module who it is", [ctypes.c_void_p], ctypes.addressof(info))
        except TokenError as error:
            if error.ckr == CKR[_NOT_INITIALIZED].name:
                return False
            raise
        return True

    def slots_with_token(self) -> list[int]:
        """Ids of the slots that hold a token; they may change when a token is initialised."""
        count = _Number()
        types = [ctypes.c_ubyte, ctypes.c_void_p, ctypes.c_void_p]
        self._call("C_GetSlotList", "listing the slots", types, 1, None, ctypes.addressof(count))
        slots = (_Number * count.value)()
        self._call("C_GetSlotList", "listing the slots", types, 1, ctypes.addressof(slots), ctypes.addressof(count))
        return list(slots)[: count.value]

    def token_info(self, slot: int) -> RawTokenInfo:
        """C_GetTokenInfo."""
        info = _TokenInfo()
        self._call("C_GetTokenInfo", "asking the token who it is", [_Number, ctypes.c_void_p], slot, ctypes.addressof(info))
        return RawTokenInfo(info)

    # A PIN that is None is typed on the token's own pad.

    def init_token(self, slot: int, so_pin: bytearray | None, label: str) -> None:
        """C_InitToken: erases the token, sets the SO PIN of a blank one. The label has at most 32 bytes of UTF-8."""
        padded = ctypes.create_string_buffer(label.encode().ljust(32), 32)
        types = [_Number, *_PIN, ctypes.c_void_p]
        self._call("C_InitToken", "initialising the token", types, slot, *_pointed_at(so_pin), ctypes.addressof(padded))

    def init_pin(self, session: int, user_pin: bytearray | None) -> None:
        """C_InitPIN, in a session of the security officer."""
        self._call("C_InitPIN", "setting the user PIN", [_Number, *_PIN], session, *_pointed_at(user_pin))

    def set_pin(self, session: int, old: bytearray | None, new: bytearray | None) -> None:
        """C_SetPIN: of whoever is logged in."""
        self._call("C_SetPIN", "changing the PIN", [_Number, *_PIN, *_PIN], session, *_pointed_at(old), *_pointed_at(new))

    def login(self, session: int, user: int, pin: bytearray | None) -> None:
        """C_Login."""
        self._call("C_Login", "logging in", [_Number, _Number, *_PIN], session, user, *_pointed_at(pin))

    def logout(self, session: int) -> None:
        """C_Logout."""
        self._call("C_Logout", "logging out", [_Number], session)

    def close_all_sessions(self, slot: int) -> None:
        """C_CloseAllSessions: also logs out."""
        self._call("C_CloseAllSessions", "closing the sessions", [_Number], slot)


def _pointed_at(pin: bytearray | None) -> tuple[int | None, int]:
    """Where the buffer's own bytes are, and how many: the module reads them there, no copy is made."""
    return (ctypes.addressof((ctypes.c_char * len(pin)).from_buffer(pin)), len(pin)) if pin else (None, 0)


def protect_this_process() -> None:
    """No core dump, and on Linux no reading of this process's memory by other processes of the same user."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
