"""What each return value of PKCS#11 means to a person: our code, the cause, and whether a retry costs a PIN try.

Names and numbers: OASIS' headers of PKCS#11 v2.40 and v3.0 (pkcs11t.h), the whole of them. What to do next stands with our code in
`errors.HSM_CODES`, unless the value itself asks for something more exact.
"""

from typing import Final, NamedTuple

from hsm.errors import TokenError


class Returned(NamedTuple):
    """One return value. `costs_a_try`: the call that returned it used up a PIN try."""

    name: str
    code: str
    cause: str
    do_now: str = ""
    costs_a_try: bool = False


_MISUSED: Final = "MODULE-MISUSED"
_LOST: Final = "TOKEN-REMOVED"
_FAILED: Final = "TOKEN-FAILED"
_CABLE: Final = "Check cable and power, then try the step again."
_VENDORS_TOOL: Final = "Use the vendor's tool for this step, or another token."
_COMPARE: Final = "Compare the key's attributes with the record: it may not be ours."
_ANEW: Final = "Log in anew: the session is dropped."

CKR: Final[dict[int, Returned]] = {
    0x001: Returned("CKR_CANCEL", "TOKEN-CANCELLED", "somebody cancelled the call"),
    0x002: Returned("CKR_HOST_MEMORY", "MODULE-MEMORY", "the module could not get memory"),
    0x003: Returned("CKR_SLOT_ID_INVALID", _LOST, "the slot of the token is no longer there"),
    0x005: Returned("CKR_GENERAL_ERROR", _FAILED, "an error the module does not explain; its configuration or storage may be missing"),
    0x006: Returned("CKR_FUNCTION_FAILED", _FAILED, "the call failed and gives no reason; so does a full disk under a software token"),
    0x007: Returned("CKR_ARGUMENTS_BAD", _MISUSED, "the module did not like an argument"),
    0x008: Returned("CKR_NO_EVENT", _MISUSED, "no slot event is waiting"),
    0x009: Returned("CKR_NEED_TO_CREATE_THREADS", "MODULE-UNSUITABLE", "the module wants threads of its own, which we do not allow it"),
    0x00A: Returned("CKR_CANT_LOCK", "MODULE-UNSUITABLE", "the module cannot do the locking asked for"),
    0x010: Returned("CKR_ATTRIBUTE_READ_ONLY", "KEY-ATTRIBUTE", "an attribute of the key may not be set on this token"),
    0x011: Returned("CKR_ATTRIBUTE_SENSITIVE", "TOKEN-REFUSED", "the value asked for is sensitive"),
    0x012: Returned("CKR_ATTRIBUTE_TYPE_INVALID", "KEY-ATTRIBUTE", "the token does not know an attribute of the key"),
    0x013: Returned("CKR_ATTRIBUTE_VALUE_INVALID", "KEY-ATTRIBUTE", "the token does not take the value of an attribute"),
    0x01B: Returned("CKR_ACTION_PROHIBITED", "TOKEN-REFUSED", "the token's policy or the object itself prohibits this"),
    0x020: Returned("CKR_DATA_INVALID", _MISUSED, "the data to be signed has the wrong form"),
    0x021: Returned("CKR_DATA_LEN_RANGE", _MISUSED, "the data to be signed has the wrong length"),
    0x030: Returned("CKR_DEVICE_ERROR", _FAILED, "the device failed, or the way to it is broken", _CABLE),
    0x031: Returned("CKR_DEVICE_MEMORY", "TOKEN-FULL", "the device has no memory left"),
    0x032: Returned("CKR_DEVICE_REMOVED", _LOST, "the token was removed during the call"),
    0x040: Returned("CKR_ENCRYPTED_DATA_INVALID", _MISUSED, "encrypted data was not valid"),
    0x041: Returned("CKR_ENCRYPTED_DATA_LEN_RANGE", _MISUSED, "encrypted data had the wrong length"),
    0x042: Returned("CKR_AEAD_DECRYPT_FAILED", _MISUSED, "encrypted data was not authentic"),
    0x050: Returned("CKR_FUNCTION_CANCELED", "TOKEN-CANCELLED", "the call was cancelled at the token"),
    0x051: Returned("CKR_FUNCTION_NOT_PARALLEL", _MISUSED, "no call is running in parallel"),
    0x054: Returned("CKR_FUNCTION_NOT_SUPPORTED", "MECHANISM-MISSING", "the module does not have this call", _VENDORS_TOOL),
    0x060: Returned("CKR_KEY_HANDLE_INVALID", "KEY-NOT-FOUND", "the key is no longer there"),
    0x062: Returned("CKR_KEY_SIZE_RANGE", "MECHANISM-MISSING", "the token does not take a key of this size"),
    0x063: Returned("CKR_KEY_TYPE_INCONSISTENT", "MECHANISM-MISSING", "the mechanism is not for this type of key"),
    0x064: Returned("CKR_KEY_NOT_NEEDED", _MISUSED, "a key was given where none is wanted"),
    0x065: Returned("CKR_KEY_CHANGED", _MISUSED, "a key differs from the one used before"),
    0x066: Returned("CKR_KEY_NEEDED", _MISUSED, "a key is missing in the call"),
    0x067: Returned("CKR_KEY_INDIGESTIBLE", _MISUSED, "the key cannot be hashed"),
    0x068: Returned("CKR_KEY_FUNCTION_NOT_PERMITTED", "TOKEN-REFUSED", "the key may not be used for this", _COMPARE),
    0x069: Returned("CKR_KEY_NOT_WRAPPABLE", "TOKEN-REFUSED", "the key may not be wrapped"),
    0x06A: Returned("CKR_KEY_UNEXTRACTABLE", "TOKEN-REFUSED", "the key may not leave the token, as it should be"),
    0x070: Returned("CKR_MECHANISM_INVALID", "MECHANISM-MISSING", "the token does not have this mechanism"),
    0x071: Returned("CKR_MECHANISM_PARAM_INVALID", "MECHANISM-MISSING", "the token does not take the mechanism with these parameters"),
    0x082: Returned("CKR_OBJECT_HANDLE_INVALID", "KEY-NOT-FOUND", "the object is gone: deleted from elsewhere, or its storage is"),
    0x090: Returned("CKR_OPERATION_ACTIVE", _FAILED, "an earlier operation is still open in the session", _ANEW),
    0x091: Returned("CKR_OPERATION_NOT_INITIALIZED", _MISUSED, "the operation was not begun"),
    0x0A0: Returned("CKR_PIN_INCORRECT", "TOKEN-PIN-WRONG", "the PIN is not the token's", costs_a_try=True),
    0x0A1: Returned("CKR_PIN_INVALID", "TOKEN-PIN-REFUSED", "the PIN holds characters that the token does not take"),
    0x0A2: Returned("CKR_PIN_LEN_RANGE", "TOKEN-PIN-LENGTH", "the PIN is too short or too long for the token"),
    0x0A3: Returned("CKR_PIN_EXPIRED", "TOKEN-PIN-EXPIRED", "the PIN has expired"),
    0x0A4: Returned("CKR_PIN_LOCKED", "TOKEN-PIN-LOCKED", "the PIN is locked"),
    0x0B0: Returned("CKR_SESSION_CLOSED", _LOST, "the session was closed during the call"),
    0x0B1: Returned("CKR_SESSION_COUNT", "TOKEN-BUSY", "the token has no session left"),
    0x0B3: Returned("CKR_SESSION_HANDLE_INVALID", _LOST, "the session is gone; the token may have been removed"),
    0x0B4: Returned("CKR_SESSION_PARALLEL_NOT_SUPPORTED", _MISUSED, "the module does not have parallel sessions"),
    0x0B5: Returned("CKR_SESSION_READ_ONLY", "TOKEN-READ-ONLY", "the session may only read"),
    0x0B6: Returned("CKR_SESSION_EXISTS", "TOKEN-BUSY", "a session is open on the token"),
    0x0B7: Returned("CKR_SESSION_READ_ONLY_EXISTS", "TOKEN-BUSY", "a reading session is open, so the security officer cannot log in"),
    0x0B8: Returned("CKR_SESSION_READ_WRITE_SO_EXISTS", "TOKEN-BUSY", "the security officer is logged in elsewhere"),
    0x0C0: Returned("CKR_SIGNATURE_INVALID", "SIGNATURE-MALFORMED", "the token found a signature invalid"),
    0x0C1: Returned("CKR_SIGNATURE_LEN_RANGE", "SIGNATURE-MALFORMED", "a signature has the wrong length"),
    0x0D0: Returned("CKR_TEMPLATE_INCOMPLETE", "KEY-ATTRIBUTE", "the token wants more attributes for a key"),
    0x0D1: Returned("CKR_TEMPLATE_INCONSISTENT", "KEY-ATTRIBUTE", "the token does not take these attributes together"),
    0x0E0: Returned("CKR_TOKEN_NOT_PRESENT", _LOST, "no token is in the slot"),
    0x0E1: Returned("CKR_TOKEN_NOT_RECOGNIZED", "TOKEN-NOT-FOUND", "the module does not know the token in the slot"),
    0x0E2: Returned("CKR_TOKEN_WRITE_PROTECTED", "TOKEN-READ-ONLY", "the token is write-protected"),
    0x0F0: Returned("CKR_UNWRAPPING_KEY_HANDLE_INVALID", "KEY-NOT-FOUND", "the unwrapping key is not there"),
    0x0F1: Returned("CKR_UNWRAPPING_KEY_SIZE_RANGE", _MISUSED, "the unwrapping key has the wrong size"),
    0x0F2: Returned("CKR_UNWRAPPING_KEY_TYPE_INCONSISTENT", _MISUSED, "the unwrapping key has the wrong type"),
    0x100: Returned("CKR_USER_ALREADY_LOGGED_IN", "TOKEN-BUSY", "somebody is logged in already", "Lock the token and log in anew."),
    0x101: Returned("CKR_USER_NOT_LOGGED_IN", "TOKEN-NOT-LOGGED-IN", "nobody is logged in"),
    0x102: Returned("CKR_USER_PIN_NOT_INITIALIZED", "TOKEN-NO-PIN", "the user PIN has never been set"),
    0x103: Returned("CKR_USER_TYPE_INVALID", "MECHANISM-MISSING", "the token does not have this kind of user", _VENDORS_TOOL),
    0x104: Returned("CKR_USER_ANOTHER_ALREADY_LOGGED_IN", "TOKEN-BUSY", "another kind of user is logged in"),
    0x105: Returned("CKR_USER_TOO_MANY_TYPES", "TOKEN-BUSY", "too many kinds of user are logged in"),
    0x110: Returned("CKR_WRAPPED_KEY_INVALID", _MISUSED, "a wrapped key is not valid"),
    0x112: Returned("CKR_WRAPPED_KEY_LEN_RANGE", _MISUSED, "a wrapped key has the wrong length"),
    0x113: Returned("CKR_WRAPPING_KEY_HANDLE_INVALID", "KEY-NOT-FOUND", "the wrapping key is not there"),
    0x114: Returned("CKR_WRAPPING_KEY_SIZE_RANGE", _MISUSED, "the wrapping key has the wrong size"),
    0x115: Returned("CKR_WRAPPING_KEY_TYPE_INCONSISTENT", _MISUSED, "the wrapping key has the wrong type"),
    0x120: Returned("CKR_RANDOM_SEED_NOT_SUPPORTED", _MISUSED, "the token's generator takes no seed"),
    0x121: Returned("CKR_RANDOM_NO_RNG", "TOKEN-NO-RANDOM", "the token has no generator of random numbers"),
    0x130: Returned("CKR_DOMAIN_PARAMS_INVALID", "MECHANISM-MISSING", "the token does not take this curve"),
    0x140: Returned("CKR_CURVE_NOT_SUPPORTED", "MECHANISM-MISSING", "the token does not have this curve"),
    0x150: Returned("CKR_BUFFER_TOO_SMALL", _MISUSED, "the result is longer than expected"),
    0x160: Returned("CKR_SAVED_STATE_INVALID", _MISUSED, "a saved state is not valid"),
    0x170: Returned("CKR_INFORMATION_SENSITIVE", "TOKEN-REFUSED", "the information is sensitive"),
    0x180: Returned("CKR_STATE_UNSAVEABLE", _MISUSED, "the state cannot be saved"),
    0x190: Returned("CKR_CRYPTOKI_NOT_INITIALIZED", "MODULE-UNSUITABLE", "the module says that it was never started"),
    0x191: Returned("CKR_CRYPTOKI_ALREADY_INITIALIZED", _MISUSED, "the module was started twice"),
    0x1A0: Returned("CKR_MUTEX_BAD", _MISUSED, "the module's locking is broken"),
    0x1A1: Returned("CKR_MUTEX_NOT_LOCKED", _MISUSED, "the module's locking is broken"),
    0x1B0: Returned("CKR_NEW_PIN_MODE", "TOKEN-PIN-EXPIRED", "the token wants a new PIN"),
    0x1B1: Returned("CKR_NEXT_OTP", "TOKEN-PIN-REFUSED", "the token wants another one-time password"),
    0x1B5: Returned("CKR_EXCEEDED_MAX_ITERATIONS", _FAILED, "the token gave up after too many attempts at making a key"),
    0x1B6: Returned("CKR_FIPS_SELF_TEST_FAILED", _FAILED, "the token's self-test failed", "Do not use this token. Tell the vendor."),
    0x1B7: Returned("CKR_LIBRARY_LOAD_FAILED", "MODULE-UNLOADABLE", "the module could not load a library that it needs"),
    0x1B8: Returned("CKR_PIN_TOO_WEAK", "TOKEN-PIN-REFUSED", "the PIN is too simple for the token"),
    0x1B9: Returned("CKR_PUBLIC_KEY_INVALID", "KEY-ATTRIBUTE", "the token found the public key invalid"),
    0x200: Returned("CKR_FUNCTION_REJECTED", "TOKEN-CANCELLED", "the call was rejected at the token"),
    0x201: Returned("CKR_TOKEN_RESOURCE_EXCEEDED", "TOKEN-BUSY", "the token has not enough of its own memory or time for this"),
    0x202: Returned("CKR_OPERATION_CANCEL_FAILED", _FAILED, "an operation could not be cancelled", _ANEW),
}  # fmt: skip

_OF_P11_KIT: Final = {0x1C0: 0x1B5, 0x1C1: 0x1B6, 0x1C2: 0x1B7, 0x1C3: 0x1B8, 0x1C4: 0x1B9}
"""p11-kit's own header has other numbers for five of them; modules that are built with it return those."""

_VENDOR_DEFINED: Final = 0x80000000

NUMBER_OF: Final[dict[str, int]] = {row.name: number for number, row in CKR.items()}


def returned(number: int) -> Returned:
    """The row of a return value; a vendor's own and unknown ones are told by their number."""
    row = CKR.get(_OF_P11_KIT.get(number, number))
    if row:
        return row
    whose = "a value of the vendor's own" if number >= _VENDOR_DEFINED else "a value that PKCS#11 3.0 does not have"
    return Returned(f"0x{number:08x}", _FAILED, f"{whose}; the vendor's manual explains it")


def token_error(number: int, doing: str, *, state: str = "", outcome_unknown: bool = False) -> TokenError:
    """The error for a return value that came while `doing` (words that complete "while …")."""
    row = returned(number)
    return TokenError(
        row.code,
        f"While {doing}: {row.cause} ({row.name}).",
        state=state,
        do_now=row.do_now,
        costs_a_try=row.costs_a_try,
        outcome_unknown=outcome_unknown,
        ckr=row.name,
    )
