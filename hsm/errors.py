"""What can go wrong with a module or a token, under codes that stay the same.

This package knows nothing of the ceremony: the room turns a `TokenError` into the product's own error,
part by part. `HSM_CODES` is the whole list of our codes; what each CKR_ value means is in `catalogue.py`.
"""

from typing import Final, NamedTuple


class HsmCode(NamedTuple):
    """One row: the exit code of a command that ends with it, what it means in general, and what usually helps."""

    exit_code: int
    meaning: str
    do_now: str


class TokenError(Exception):
    """Something that module or token refused or could not do, in four parts: `what`, `state`, `do_now`, `code`.

    `state` is the state of the token, "" when nothing was touched. `costs_a_try` says that the call used up
    one try of a PIN, and that another with the same PIN would use up one more. `outcome_unknown` says that
    the act may or may not have happened. `ckr` is the name of the PKCS#11 return value, where there was one.
    """

    def __init__(
        self,
        code: str,
        what: str,
        *,
        state: str = "",
        do_now: str = "",
        costs_a_try: bool = False,
        outcome_unknown: bool = False,
        ckr: str | None = None,
    ) -> None:
        super().__init__(what)
        row = HSM_CODES[code]
        self.code = code
        self.exit_code = row.exit_code
        self.what = what
        self.state = state
        self.do_now = do_now or row.do_now
        self.costs_a_try = costs_a_try
        self.outcome_unknown = outcome_unknown
        self.ckr = ckr


_TOKEN: Final = 3
_REFUSED: Final = 7

HSM_CODES: Final[dict[str, HsmCode]] = {
    # the module: a file that is loaded
    "MODULE-MISSING": HsmCode(_TOKEN, "There is no PKCS#11 module at this path.", "Install the module, or name its path in the site file."),
    "MODULE-UNREADABLE": HsmCode(_TOKEN, "The module's file may not be read.", "Give the user who runs the ceremony the right to read it."),
    "MODULE-WRONG-ARCHITECTURE": HsmCode(
        _TOKEN, "The module is built for another kind of machine than this Python.", "Install the vendor's module for this machine."
    ),
    "MODULE-TRUNCATED": HsmCode(_TOKEN, "The module's file is cut short.", "Copy or install the module again and compare its SHA-256."),
    "MODULE-NOT-PKCS11": HsmCode(_TOKEN, "The file is not a PKCS#11 module.", "Name the vendor's module (a .so file) in the site file."),
    "MODULE-UNLOADABLE": HsmCode(
        _TOKEN, "The system's loader refused the module.", "Install the library that the loader names, then try again."
    ),
    "MODULE-NOT-STARTED": HsmCode(
        _TOKEN,
        "The module was loaded but did not start (C_Initialize).",
        "Check the module's configuration and the environment that the site file gives it (SoftHSM: SOFTHSM2_CONF).",
    ),
    "MODULE-UNSUITABLE": HsmCode(
        _TOKEN, "The module does not keep to PKCS#11 in a way that we need.", "Name the vendor's own module in the site file."
    ),
    "MODULE-MISUSED": HsmCode(
        _TOKEN,
        "The module refused the way it was called: a defect of ours, or a module that wants something else.",
        "Stop, keep the record, and report it with module, version and code.",
    ),
    "MODULE-DIED": HsmCode(
        _TOKEN, "The process that holds the module ended by itself.", "Give the command again; a ceremony goes on by `ceremony resume`, which looks at the token first."
    ),
    "MODULE-HANGS": HsmCode(
        _TOKEN,
        "The module did not answer in time; its process was ended.",
        "Check cable and power of the token, then go on with `ceremony resume`.",
    ),
    "MODULE-CLOSED": HsmCode(_TOKEN, "The module was closed before this call.", "Start it again: `ceremony resume`."),
    "MODULE-LOGS-PINS": HsmCode(
        _REFUSED, "The module writes PINs to a log (pkcs11-spy).", "Name the vendor's own module, and unset PKCS11SPY."
    ),
    "MODULE-MEMORY": HsmCode(_TOKEN, "The module ran out of memory on this machine.", "End other programs, then try again."),
    # the token
    "TOKEN-NOT-FOUND": HsmCode(_TOKEN, "No token answers to what was asked for.", "Insert the token; `ceremony tokens` lists what is there."),
    "TOKEN-AMBIGUOUS": HsmCode(_TOKEN, "More than one token answers to what was asked for.", "Remove the others, or name the serial in the site file."),
    "TOKEN-BLANK": HsmCode(_TOKEN, "The token is not initialised.", "Initialise it in the step meant for it."),
    "TOKEN-NOT-BLANK": HsmCode(_TOKEN, "The token is initialised already; doing it again would wipe it.", "Take a blank token, or wipe this one in a step of its own."),
    "TOKEN-LABEL": HsmCode(_TOKEN, "A token's label has 1 to 32 bytes of UTF-8.", "Choose a shorter label."),
    "TOKEN-REMOVED": HsmCode(_TOKEN, "The token is gone, or another is in its place.", "Insert the right token again and log in anew."),
    "TOKEN-FULL": HsmCode(_TOKEN, "The token has no room for another object.", "Take another token, or remove objects that are no longer needed."),
    "TOKEN-BUSY": HsmCode(_TOKEN, "The token has no session to spare, or another program holds it.", "End other programs that use the token, then try again."),
    "TOKEN-READ-ONLY": HsmCode(_TOKEN, "The token is write-protected.", "Lift the write protection by the vendor's procedure."),
    "TOKEN-FAILED": HsmCode(_TOKEN, "The token or its module reported a failure without saying which.", "Check the token by `ceremony tokens`, then try the step again."),
    "TOKEN-REFUSED": HsmCode(_TOKEN, "The token forbids this.", "Check the token's policy and mode by the vendor's manual."),
    "TOKEN-CANCELLED": HsmCode(_TOKEN, "The call was cancelled at the token or its PIN pad.", "Try the step again when the holder is ready."),
    "TOKEN-NO-RANDOM": HsmCode(_TOKEN, "The token has no generator of random numbers.", "Take a token that has one."),
    # logging in
    "TOKEN-PIN-WRONG": HsmCode(_TOKEN, "The PIN is wrong.", "Look at the tries that are left; type the PIN again only if you are sure of it."),
    "TOKEN-PIN-LAST-TRY": HsmCode(_TOKEN, "Only one try is left before the token locks the PIN.", "Check the PIN on its paper first. Say deliberately that the last try is to be used."),
    "TOKEN-PIN-LOCKED": HsmCode(_TOKEN, "The PIN is locked after too many wrong tries.", "The security officer sets a new PIN by the vendor's procedure; record it as a deviation."),
    "TOKEN-PIN-LENGTH": HsmCode(_TOKEN, "The PIN is shorter or longer than the token takes.", "Choose a PIN within the token's limits."),
    "TOKEN-PIN-REFUSED": HsmCode(_TOKEN, "The token refuses this PIN as too simple or for the characters in it.", "Choose another PIN by the token's rules."),
    "TOKEN-PIN-EXPIRED": HsmCode(_TOKEN, "The PIN has expired and must be changed.", "Change it by the vendor's tool before the ceremony."),
    "TOKEN-NO-PIN": HsmCode(_TOKEN, "The token has no user PIN yet.", "Finish its initialisation: it was begun and not ended."),
    "TOKEN-NOT-LOGGED-IN": HsmCode(_TOKEN, "Nobody is logged in to the token.", "Log in and do the step again."),
    "TOKEN-LOGIN-EXPIRED": HsmCode(_TOKEN, "The login ended after ten idle minutes.", "Log in again."),
    # keys
    "KEY-EXISTS": HsmCode(_TOKEN, "An object with this label or id is on the token already.", "Take an empty token, or another label in a new script."),
    "KEY-NOT-FOUND": HsmCode(_TOKEN, "The key is not on this token.", "Check that the right token is inserted: compare its serial."),
    "KEY-ATTRIBUTE": HsmCode(_TOKEN, "The token did not make the key as it was asked to.", "Do not use this key. Check the token's profile and the vendor's manual."),
    "KEY-UNKNOWN": HsmCode(_TOKEN, "This kind of key is not one we make.", "Use ec:secp256r1, ec:secp384r1, ec:secp521r1, rsa:3072 or rsa:4096."),
    "MECHANISM-MISSING": HsmCode(_TOKEN, "The token cannot do this with this kind of key.", "Choose another key type in the script, or another token."),
    "SIGNATURE-MALFORMED": HsmCode(_TOKEN, "What the token returned is not a signature of the right form.", "Do not use it. Check the token by the vendor's tools."),
}  # fmt: skip
