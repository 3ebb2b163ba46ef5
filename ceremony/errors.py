"""What can go wrong, under codes that stay the same, and the exit code of each.

An error has four parts: what happened, what state token and record are in, what to do now, and its code.
The table `CODES` is the whole list; docs/errors.md is made from it.
"""

from enum import IntEnum
from typing import NamedTuple


class ExitCode(IntEnum):
    """Exit codes of every command."""

    DONE = 0
    CHECK_FAILED = 1
    USAGE = 2
    TOKEN = 3
    NETWORK = 4
    CHANGES_PENDING = 5
    ABORTED = 6
    REFUSED = 7
    UNANCHORED = 8
    HANGUP = 129
    INTERRUPTED = 130
    TERMINATED = 143


class Code(NamedTuple):
    """One row of the table: the exit code, what it means in general, and what usually helps."""

    exit_code: ExitCode
    meaning: str
    do_now: str


class CeremonyError(Exception):
    """Something that a person must hear about, in four parts.

    `what` happened, `state` of token and record ("" when nothing was touched), `do_now`, and `code`.
    `outcome_unknown` says that an act may or may not have happened (a time-out, a child that died).
    `insist`, if not empty, is the choice by which a person goes on all the same (the last try of a PIN).
    """

    def __init__(self, code: str, what: str, *, state: str = "", do_now: str = "", outcome_unknown: bool = False) -> None:
        super().__init__(what)
        row = CODES[code]
        self.code = code
        self.exit_code = row.exit_code
        self.what = what
        self.state = state
        self.do_now = do_now or row.do_now
        self.outcome_unknown = outcome_unknown
        self.insist = ""

    def lines(self) -> list[str]:
        """The four parts, a line each, for screen, terminal and paper."""
        said = [f"What happened: {self.what}"]
        if self.state:
            said.append(f"State: {self.state}")
        return [*said, f"Do now: {self.do_now}", f"Code: {self.code}"]


def unforeseen(error: BaseException) -> CeremonyError:
    """INTERNAL for an error that nothing was written for: its type, and the file and line where it was raised.

    Never its message: that of int(typed), for one, quotes what was typed, which may be a PIN.
    """
    where = error.__traceback__
    while where is not None and where.tb_next is not None:
        where = where.tb_next
    place = "/".join(where.tb_frame.f_code.co_filename.split("/")[-2:]) + f":{where.tb_lineno}" if where else "unknown place"
    return CeremonyError("INTERNAL", f"{type(error).__name__} at {place}.")


_USAGE, _TOKEN, _FAILED, _REFUSED = ExitCode.USAGE, ExitCode.TOKEN, ExitCode.CHECK_FAILED, ExitCode.REFUSED
_NETWORK = ExitCode.NETWORK

CODES: dict[str, Code] = {
    # the record
    "RECORD-BROKEN": Code(_FAILED, "A line of the transcript does not follow the line before, or is not a line.", "Do not go on with this record. Take the copy whose fingerprint stands on paper, and tell the auditor."),
    "RECORD-MISMATCH": Code(_FAILED, "The transcript holds answers that this script does not ask for.", "Use the script and the program version that the transcript was begun with."),
    "RECORD-IN-USE": Code(_USAGE, "Another process writes to this ceremony's folder.", "End the other process, or use another folder."),
    "RECORD-EXISTS": Code(_USAGE, "The folder holds a ceremony already.", "Go on with it by `ceremony resume --dir DIR`, or name an empty folder."),
    "RECORD-MISSING": Code(_USAGE, "The folder holds no ceremony.", "Check the path given with --dir."),
    "RECORD-ENDED": Code(_USAGE, "The ceremony was closed or aborted; nothing can be added.", "Begin a new ceremony; `ceremony status` and `ceremony export` still work."),
    "RECORD-ROLLED-BACK": Code(_FAILED, "The fingerprint from paper is not in this transcript.", "Check the paper. If it is right, this folder is an older or another copy: find the true one."),
    "RECORD-UNWRITABLE": Code(_USAGE, "A line of the transcript could not be written to the disk.", "Make room or make the disk writable, then `ceremony resume --dir DIR`."),
    # the report
    "REPORT-SCRIPT": Code(_FAILED, "The script is not one that a report can be made of, or not the one the transcript was begun with.", "Take script and transcript from the same folder or bundle."),
    "REPORT-TYPESET": Code(_FAILED, "The PDF could not be set.", "Make the report as HTML (`-o FILE.html`) and tell the makers of the program."),
    "REPORT-PAPER": Code(_USAGE, "There is no such size of paper.", "Name one of: a4, letter."),
    "REPORT-GLYPH": Code(_USAGE, "A text holds a character that the fonts for paper do not have.", "Write it in Latin, Greek, Cyrillic, Armenian, Hebrew, Arabic or Georgian letters that need no combining mark; `ceremony check` names each place in a script."),
    "REPORT-NO-TYPST": Code(_USAGE, "The package typst, which sets the PDF, is not installed.", "Make .venv anew with `make setup` (typst stands among the packages of requirements/offline.txt), or write HTML (`-o FILE.html`) and print that."),
    # what crosses the gap
    "REQUEST-MISSING": Code(_USAGE, "The folder holds no request.", "Name the folder that holds request.json."),
    "REQUEST-EXISTS": Code(_USAGE, "The folder for the request is there already.", "Name a folder that does not exist; nothing is ever written over."),
    "REQUEST-UNWRITABLE": Code(_USAGE, "The request could not be written.", "Make room, make the medium writable, or name another folder; its parent must be there."),
    "REQUEST-FILES": Code(_FAILED, "The request holds a file that has no place in it: a link, a special file, an unknown name, too large or too many.", "Make the request anew with `ceremony online request`, on an empty medium."),
    "REQUEST-SUMS": Code(_FAILED, "The request's files are not the ones that its SHA256SUMS names.", "The medium was changed or is failing. Copy the request again from where it was made, or make it anew."),
    "REQUEST-BROKEN": Code(_FAILED, "request.json is not what the format says.", "Make the request anew with `ceremony online request`."),
    "REQUEST-NAME": Code(_USAGE, "A name in the request can't be the name of a file.", "Use lower-case letters, digits, `.`, `_` and `-`, at most 56 of them, a letter or digit first."),
    "REQUEST-CSR-DIFFERS": Code(_FAILED, "A CSR does not hold the key whose digest request.json gives.", "Do not use this request. Make it anew, and compare the key digest with the paper form."),
    "BUNDLE-MISSING": Code(_USAGE, "There is no bundle at this place.", "Name the folder that holds manifest.json."),
    "BUNDLE-REFUSED": Code(_FAILED, "The bundle does not verify, or is not the one of the fingerprint.", "Look at `ceremony verify BUNDLE`; take the fingerprint from the paper, and the bundle that it is of."),
    "BUNDLE-EXISTS": Code(_USAGE, "A different bundle of this number is there already.", "Move it away, after finding out who made it; a bundle is never written over."),
    "BUNDLE-PRIVATE-KEY": Code(_REFUSED, "A file that was to leave holds a private key.", "Nothing was written. Find out how the key came there before going on."),
    "BUNDLE-KIND": Code(_FAILED, "A file that was to leave is not of the kind that its name and the record say.", "Nothing was written. Compare the file under work/artifacts with the record."),
    "BUNDLE-RECORD": Code(_FAILED, "The record does not end with a seal that a bundle can be made from.", "Go on with `ceremony resume --dir DIR`; the bundle is made after the next seal."),
    "LEDGER-BROKEN": Code(_FAILED, "The ledger of the previous ceremony is not what its format says, or not the one that the record names.", "Use the whole bundle of the previous ceremony, unchanged."),
    # activation data
    "SHARE-WORD": Code(_USAGE, "A word of a share is not on the list of words.", "Compare the word at the place that is named with the paper, and type the share again."),
    "SHARE-LENGTH": Code(_USAGE, "A share has more or fewer words than the paper.", "Type all 20 words in their order."),
    "SHARE-CHECKSUM": Code(_USAGE, "The words of a share do not fit together: one or more are not those on the paper.", "Compare the words with the paper, first the one at the place that is named, and type the share again."),
    "SHARE-FOREIGN": Code(_USAGE, "A share is of another set, or of another kind.", "Take the paper of the set that is in force: its number stands in the record and on the paper."),
    "SHARE-REPEATED": Code(_USAGE, "A share was given twice.", "Have another holder give a share."),
    "SHARE-COUNT": Code(_USAGE, "There are more or fewer shares than it takes.", "Have exactly as many holders give their share as the script says."),
    "PEOPLE-MISSING": Code(_USAGE, "Too few holders of shares are here.", "Have them come, and call the roll again; else pause, and go on another day."),
    "ACTIVATION-DIFFERS": Code(_USAGE, "The script says otherwise than the ledger how the PINs are held when the ceremony begins.", "Mend [activation], or say in [activation.before] what the last ceremony left, and change it by a step."),
    "SHARE-PROCESS": Code(_FAILED, "The process that handles shares ended without an answer.", "Look whether the machine ran out of memory; then type the share again."),
    "PIN-GUESSABLE": Code(_REFUSED, "The token takes no PIN of a length that can't be guessed, and is not known to lock one.", "Take another token: a shared PIN needs 64 bits, or a token that locks."),
    # names, profiles, certificate requests, drafts
    "NAME-REFUSED": Code(_USAGE, "A name is not one that a certificate of ours may bear.", "Write it with CN, O, OU, L, ST, C or SERIALNUMBER, in printable ASCII or the letters of one script."),
    "PROFILE-DATES": Code(_USAGE, "A certificate would begin or end where it may not: before its beginning, or outside its root's dates.", "Mend the dates in the script, or check the day that was agreed on."),
    "PROFILE-PATH": Code(_USAGE, "A path length does not fit under the root's.", "Mend path_length in the script's profile."),
    "PROFILE-ISSUER": Code(_FAILED, "The root certificate cannot issue what is asked for.", "Check that this is the root the script means."),
    "PROOF-CODE": Code(_USAGE, "A verification code is not 1 to 64 printable ASCII characters without a space.", "Ask the service for the code again, and make the request anew."),
    "CERTIFICATE-BROKEN": Code(_FAILED, "What should be a certificate cannot be read as one.", "Do not use the file; take it again from where it was made."),
    "ATTESTATION-REFUSED": Code(_REFUSED, "A vendor's attestation does not hold, or is of another key or device.", "Have the chain fetched again by the vendor's tool, whole and in order. Where it holds and tells of another key, stop and find out why."),
    "CSR-BROKEN": Code(_USAGE, "What should be a certificate request cannot be read as one.", "Have the owner of the key make the request again, one request a file, in PEM."),
    "CSR-SIGNATURE": Code(_REFUSED, "A certificate request is not signed by the key it asks a certificate for.", "Have the owner of the key make the request again; find out who changed this one."),
    "CSR-KEY-REFUSED": Code(_REFUSED, "The key of a certificate request is of a kind or size that the profile does not take.", "Have a request made with a key that the profile takes."),
    "CSR-KEY-WEAK": Code(_REFUSED, "The key of a certificate request is weak: others can find the private key.", "Have a new key made with another library or device, and find out what made this one."),
    "CSR-ROOT-KEY": Code(_REFUSED, "A certificate request is for the root's own key.", "Find out who made this request: only the token can have signed it."),
    "CSR-ALREADY-CERTIFIED": Code(_REFUSED, "The key of a certificate request has a certificate of this root already.", "Have a new key made, or name the certificate in the script by `reissue`."),
    "REISSUE-UNKNOWN": Code(_REFUSED, "A certificate that is to be re-issued is not one of this root.", "Compare the serial with the ledger of the last bundle, and mend the ceremony script. Under another root a factory needs a new key."),
    "REISSUE-PURPOSE": Code(_REFUSED, "A certificate that is to be re-issued is no intermediate's.", "Take the intermediate's serial from the ledger of the last bundle, and mend the ceremony script."),
    "REISSUE-REVOKED": Code(_REFUSED, "A certificate that is to be re-issued is revoked, or another of its key is.", "Have a new key made and certify that: a key that was revoked is not certified again."),
    "REISSUE-KEY": Code(_REFUSED, "A certificate request is not for the key of the certificate that is to be re-issued.", "Have the request made with the old key; for a new key take `reissue` out of the ceremony script."),
    "REISSUE-SUBJECT": Code(_REFUSED, "A certificate request has another subject than the certificate that is to be re-issued.", "Have the request made again with the same subject: what was issued under it would not chain to another."),
    "CSR-SUBJECT": Code(_REFUSED, "The subject of a certificate request is not one that the profile takes.", "Have the request made again with a subject that fits the script's pattern."),
    "REGISTRY-DEMANDS": Code(_REFUSED, "A root, or what it would sign, is not what Azure Device Registry takes.", "Nothing at Azure will mend that: the demands are those of the root and the profile. docs/azure.md lists them; a root that can't meet them needs a second one that does."),
    "DRAFT-PROFILE": Code(_FAILED, "A certificate or CRL, or what would become one, differs from its profile.", "Do not use it. Abort, keep the record and tell who maintains this program."),
    "DRAFT-BYTES-DIFFER": Code(_FAILED, "The bytes that were signed are not the bytes that were shown.", "Do not use the signature. Abort and keep the record and the folder work/."),
    "DRAFT-SIGNATURE-BAD": Code(_FAILED, "The signature is not one of the issuer's key over the bytes that were shown.", "Do not use the signature. Abort and keep the record; check the token."),
    "CRL-BROKEN": Code(_FAILED, "A CRL can't be read, or is not one of ours.", "Take it from its last good copy, such as the bundle it came in; `ceremony verify BUNDLE` says whether that is whole."),
    "CRL-BACKWARDS": Code(_FAILED, "A CRL would go back behind the one before it: by its number, its day or its entries.", "Do not sign it. Abort, keep the record, and look at the clock and at the last bundle: is it the newest?"),
    "CRL-DATES": Code(_USAGE, "The dates of a CRL or of its entries can't be: its end before its beginning or after the root's, a revocation in the future.", "Mend the dates in the ceremony script; if the day is wrong, have the clock looked at."),
    "REVOKE-ALREADY": Code(_FAILED, "A certificate that is to be revoked is revoked already.", "Take it out of the ceremony script: an entry never leaves a CRL and never changes."),
    "REVOKE-UNKNOWN": Code(_FAILED, "A certificate that is to be revoked is not one that this root may have signed, or it is not clear which one is meant.", "Compare name and serial with the ledger of the last bundle, and mend the ceremony script."),
    # machine: media, terminal, site file
    "MEDIUM-GONE": Code(_USAGE, "A medium is not there, or stopped answering.", "Put the medium in, see that it is mounted where the site file or the command line says, then do the step again."),
    "MEDIUM-READ-ONLY": Code(_USAGE, "A medium can't be written to.", "Mount it for writing or take off its write protection, or take another medium, then do the step again."),
    "MEDIUM-NOT-EMPTY": Code(_USAGE, "A medium that is to take a bundle holds something else.", "Take an empty medium; don't wipe this one before you know what is on it."),
    "MEDIUM-USED": Code(_USAGE, "A medium took a bundle before, in this ceremony or an earlier one.", "Take a fresh medium that was never used for this."),
    "MEDIUM-FULL": Code(_USAGE, "A medium has no room for the bundle.", "Take a larger empty medium, then do the step again."),
    "MEDIUM-DIFFERS": Code(_FAILED, "What was read back from a medium is not what was written.", "Mark the medium as faulty, keep it out of use, and do the step again with another."),
    "MEDIUM-NO-ATTESTATION": Code(_USAGE, "A medium holds no attestation.", "Put the chain on it as attestation/chain.pem: the leaf first, the vendor's root last."),
    "MEDIUM-NO-REQUEST": Code(_USAGE, "A medium holds no request.", "Check that it is the medium from the online side; `ceremony online request` makes the folder."),
    "MEDIUM-LINK": Code(_FAILED, "Something on a medium is a link or a special file.", "Don't use this medium. Find out who put that on it; have the request made anew on an empty medium."),
    "MEDIUM-NAME": Code(_FAILED, "Something on a medium has a name that we don't take.", "Have the request made anew by `ceremony online request`, on an empty medium, with nothing else in the folder."),
    "MEDIUM-TOO-LARGE": Code(_FAILED, "A request is over the caps on size, number or depth of its files.", "Have the request made anew by `ceremony online request`; docs/formats.md states the caps."),
    "MEDIUM-TAKEN": Code(_USAGE, "The place for a copy in the ceremony's folder is taken.", "Look at what is there; if no line of the transcript speaks of it, move it out of the folder, then do the step again."),
    "TERMINAL-MISSING": Code(_USAGE, "Standard input or the screen is not a terminal.", "Give the command in a terminal, with nothing redirected; over ssh give `ssh -t`."),
    "TERMINAL-DUMB": Code(_USAGE, "The terminal's kind is not known, or it can't place text.", "On the Linux console type `export TERM=linux`, elsewhere `export TERM=xterm-256color`, or add --plain."),
    "TERMINAL-NOT-UTF-8": Code(_USAGE, "The terminal's character set is not UTF-8.", "Type `export LC_ALL=C.UTF-8`, then give the command again, or add --plain."),
    "TERMINAL-TOO-SMALL": Code(_USAGE, "The terminal has fewer than 80 columns or 24 lines.", "Make the window larger, or add --plain."),
    "SITE-UNREADABLE": Code(_USAGE, "The site file could not be read.", "Check the path given with --site."),
    "SITE-BROKEN": Code(_USAGE, "The site file is not TOML, or is too large.", "Mend the place that is named."),
    "SITE-INVALID": Code(_USAGE, "The site file says something that we don't know or can't use.", "Mend each place that is named; docs/formats.md describes the file."),
    # what a request may be refused for while it is imported
    "REQUEST-ROOT": Code(_FAILED, "A request is for another root than this ceremony's.", "Have it made anew from the bundle of this ceremony."),
    "REQUEST-TIME": Code(_FAILED, "A request was made at a time that this machine's clock has not reached.", "Find out which clock is wrong, that of this machine or that of the machine that packed the request."),
    "CSR-KEY-PINNED": Code(_FAILED, "A CSR holds another key than the script pins for its name.", "Have the factory send the CSR whose key digest was approved with the script."),
    # the commands
    "USAGE": Code(_USAGE, "The command was given something it can't use.", "See `ceremony COMMAND --help`."),
    "FILE-EXISTS": Code(_USAGE, "A file that is to be written is there already.", "Name another, or move it away: nothing is overwritten."),
    "FILE-UNWRITABLE": Code(_USAGE, "A file could not be written.", "Check the path and the room on the disk."),
    "ANCHOR-INCOMPLETE": Code(_USAGE, "A fingerprint or digest was not given whole.", "Give all 64 hex digits or all 32 words: a part proves nothing."),
    # the script and the run
    "FOLDER-UNWRITABLE": Code(_USAGE, "A file of the ceremony's folder could not be read or written.", "Make room or mend the disk, then choose to try again."),
    "TOKEN-NO-PAD": Code(_TOKEN, "The script says that PINs are typed on the token's own pad, and this token has none.", "Take a token with a pad, or a script whose [activation] is of another kind."),
    "TOKEN-HOLDS-OBJECTS": Code(_TOKEN, "A token that is to be adopted must hold nothing, and it does.", "Take another token, or have its vendor's tools clear it; this tool does not."),
    "ROOT-NOT-ON-TOKEN": Code(_TOKEN, "The token does not hold the key of this root.", "Put in the token that does; compare the serial with the report of the last ceremony."),
    "EVIDENCE-PRIVATE-KEY": Code(_REFUSED, "The file that came in as evidence holds a private key.", "Find out how a key came there: a log has none. Keep the medium away from other machines."),
    "MEDIUM-NO-EVIDENCE": Code(_USAGE, "The medium does not bring one log.", "Put the one file into a folder `hsm-log` at the top of the medium, its name in small letters, digits, `.`, `_`, `-`."),
    "BACKUP-NOT-NAMED": Code(_USAGE, "The site file does not name the second token.", "Write its serial into the site file's [tokens] as `backup`; `ceremony tokens` lists the serials. A ceremony that is open keeps the site file that it was begun with: abort it, and begin anew."),
    "BACKUP-IS-PRIMARY": Code(_REFUSED, "The second token is the first.", "Put in the other token, or mend the serials in the site file. Two tokens that tell the same serial can't be told apart: use another one."),
    "BACKUP-OTHER-KEY": Code(_TOKEN, "The second token does not hold the root's key.", "Compare its serial with the record of who copied what. Copy the key onto it with the vendor's tool, and prove it then."),
    "BACKUP-DIFFERS": Code(_REFUSED, "The copy of the key has other attributes than the original: it might be taken out, or used for more.", "Do not keep this copy: erase it with its vendor's tool and make it anew inside the security domain. What a copy only tells of its history may be foreseen in [backup] differs."),
    "WIPE-NOT-SEEN": Code(_REFUSED, "The token is not the one that was shown, or holds something else than was shown.", "Nothing was wiped. Find out who had the token; abort, and begin anew with what is on it now."),
    "TOKEN-WAS-LOST": Code(_REFUSED, "The token was reported as lost, and is there again.", "Use it for nothing: seal it and find out where it was. Go on with another token that holds the key, or with another root."),
    "KEY-CHANGED": Code(_TOKEN, "The root key on the token is not what the record says was made.", "Use the key for nothing. Abort, put the token away sealed, and find out who had it since; then a new root."),
    "KEY-STILL-NEEDED": Code(_REFUSED, "A root's key is not destroyed while certificates under it live or no other root is there.", "Wait until they have ended, revoke them, or roll over first. Or have a script approved that says `end_of_life = true`."),
    "KEY-NOT-DESTROYED": Code(_TOKEN, "After a destruction the token does not hold what it should.", "Trust nothing on the token. Abort, put it away sealed, and have it destroyed bodily before witnesses; tell the auditor."),
    "SCRIPT-INVALID": Code(_USAGE, "The ceremony script says something that can't hold.", "Mend each place that is named, then `ceremony check SCRIPT`. The digest changes: have it approved anew."),
    "SCRIPT-UNREADABLE": Code(_USAGE, "The ceremony script could not be read.", "Check the path."),
    "NOT-BUILT": Code(_REFUSED, "This part of the design is not built in this version, and is not passed over.", "Leave it out, or use a version that has it."),
    "CREDENTIAL-PASSPHRASE": Code(_USAGE, "A passphrase does not open the credential.", "Type it again; there is no limit, and each try is recorded. If it is forgotten, an alternate of the script must stand in."),
    "CREDENTIAL-NOT-FOUND": Code(_USAGE, "The credential of somebody who must sign is not there.", "Put in the person's own medium or token, then choose to try again."),
    "CREDENTIAL-NOT-IN-ROSTER": Code(_USAGE, "The medium or token holds other credentials than the one that the script names for this person.", "Put in the right one. A credential that the script does not name can't be used in this ceremony."),
    "CREDENTIAL-BROKEN": Code(_FAILED, "A credential's file is damaged: its keys do not belong together.", "Take the second copy of it, or have an alternate of the script stand in."),
    "CREDENTIAL-IS-EXAMPLE": Code(_REFUSED, "The script's roster names a credential of the shipped examples.", "Have everybody make one (`ceremony credential new NAME -o FILE`), put it into the script, and have the script approved."),
    "SIGNATURE-GIVEN-UP": Code(_FAILED, "A signature without which the ceremony can't go on was given up.", "Abort (F10), and hold a new ceremony; the serial number belongs on the next CRL."),
    "MODULE-IS-SOFTWARE": Code(_REFUSED, "The PKCS#11 module keeps keys in software; a root key does not belong there.", "Use a hardware token, or `ceremony rehearse` for a rehearsal."),
    "MODULE-NOT-SOFTWARE": Code(_REFUSED, "A rehearsal makes a token of its own and throws it away; this module is not known to be one for that.", "Leave --module out: then SoftHSM is used."),
    "IMAGE-DIFFERS": Code(_REFUSED, "The machine does not run the image that the script names.", "Boot the ceremony machine from a medium whose image was compared on two other machines (docs/ceremony-machine.md), or have a script approved that names another image, or none."),
    "MODULE-NOT-NAMED": Code(_USAGE, "The site file names no PKCS#11 module.", "Give --site FILE with [module] path and [tokens] primary; `ceremony doctor` helps to find them."),
    "OUTBOX-NOT-NAMED": Code(_USAGE, "No medium is named for what leaves.", "Give --outbox DIR, or [media] outbox in the site file."),
    "INBOX-NOT-NAMED": Code(_USAGE, "No medium is named for what comes in.", "Give --inbox DIR, or [media] inbox in the site file."),
    "PREVIOUS-MISSING": Code(_USAGE, "The script starts from an earlier ceremony, and its bundle was not given or is not there.", "Give --previous BUNDLE, the folder that holds manifest.json. Where it or its ledger is lost for good, the script says so: [previous] ledger = \"lost\"."),
    "PREVIOUS-GAP": Code(_FAILED, "A ledger that is lost can't be made again: a bundle between those that were given is missing.", "Give every bundle there is, or start from the one before the gap."),
    "PREVIOUS-NOT-LOST": Code(_FAILED, "The script says that the last ledger is lost, and it is there.", "Take ledger = \"lost\" out of [previous], name the last bundle's fingerprint, and have the script approved anew."),
    "PREVIOUS-OLDER": Code(_FAILED, "The script starts from an older bundle than the last.", "Find out what the later ceremony did: `ceremony history BUNDLE...`. A script for the last bundle names its fingerprint, and is approved anew."),
    "PREVIOUS-OTHER-ROOT": Code(_FAILED, "The last bundle does not hold the root that the script takes up, or the bundles are of two chains.", "Take the bundles of the chain that has the root which the script names; `ceremony history BUNDLE...` tells which is of which."),
    "ROLL-OVER-DATES": Code(_REFUSED, "A cross-certificate would not lie inside both roots, or the two roots do not overlap.", "Mend the dates of [roll_over] and [root], and have the script approved again."),
    "ROLL-OVER-DIFFERS": Code(_REFUSED, "The old root is not as the script's [roll_over] says.", "Copy subject, end and path length from the old root's certificate into the script, and have it approved again."),
    "ROLL-OVER-HOLE": Code(_REFUSED, "A roll-over would strand devices: an intermediate of the old root is not moved, or was too late.", "Have each intermediate that is named re-issued (`reissue`) or replaced by the script, or prolong overlap_until, or revoke it first."),
    "ROLL-OVER-PATH": Code(_REFUSED, "A cross-certificate would leave no room for an intermediate in a path.", "Give the new root the subject of the old one; or an old root with a longer path length is needed."),
    "ROOT-NAME-TAKEN": Code(_REFUSED, "A root of this chain has that label or that subject already.", "Give the new root a label and a subject of its own in [root], such as G2 after G1, and have the script approved again."),
    "PREVIOUS-REFUSED": Code(_FAILED, "The bundle of the earlier ceremony does not verify, or is not the one the script names.", "Look at `ceremony verify BUNDLE`; take the bundle whose fingerprint is in the script."),
    "RANDOM-WEAK": Code(_TOKEN, "A generator of random numbers gave what can't be random.", "Do not go on with this token. Pause, and tell its maker."),
    "INTERNAL": Code(_FAILED, "The program met something it was not written for.", "The record holds what was announced: `ceremony resume --dir DIR` goes on. Report the code and the command."),
    # the faces
    "ANSWERS-BROKEN": Code(_USAGE, "The answers file is not TOML.", "Mend the line that is named."),
    "ANSWERS-UNKNOWN": Code(_USAGE, "The answers file has an entry that means nothing to this script.", "Mend or remove the entry; a place reads <step number or kind>/<key of the question>."),
    "ANSWERS-UNUSED": Code(_USAGE, "Entries of the answers file were not asked for.", "Remove them, or mend their places; the record itself stands as it was made."),
    "ANSWERS-MISSING": Code(_USAGE, "A question needs an answer that the answers file does not have.", "Add the entry that is named, then `ceremony resume --dir DIR`."),
    "ANSWERS-REFUSED": Code(_USAGE, "An unattended run got the same question again and again.", "See what was refused in the lines above, and mend the answers file."),
    "SECRET-NEEDS-PERSON": Code(_USAGE, "Activation data can be typed only by a person at a terminal.", "Run the command in a terminal; in a script use `ceremony rehearse`, which needs no real secret."),
    # the factory: request and accept
    "FACTORY-EXISTS": Code(_USAGE, "The folder for a new intermediate is there already.", "Name a folder that does not exist; nothing is ever written over."),
    "FACTORY-MISSING": Code(_USAGE, "The folder is not one that `ceremony factory request` made.", "Name the folder that holds factory.json."),
    "FACTORY-BROKEN": Code(_FAILED, "A file of the factory's folder is not what its format says, or not what the files beside it say.", "Take the folder from its last good copy; if certificate and chain alone are wrong, give `ceremony factory accept` again with the bundle."),
    "FACTORY-UNWRITABLE": Code(_USAGE, "A file of the factory's folder could not be written.", "Make room or mend the path, then give the same command again."),
    "FACTORY-NAME": Code(_USAGE, "A name can't be that of an intermediate and its files.", "Use lower-case letters, digits, `.`, `_` and `-`, at most 56 of them, a letter or digit first: the name in the ceremony script."),
    "FACTORY-SUBJECT": Code(_USAGE, "The subject is not one to ask a certificate for.", "Take the one that the ceremony script's profile wants, with a CN and without the word REHEARSAL before it."),
    "FACTORY-KEY-ON-TOKEN": Code(_TOKEN, "The token holds an object with the label of the new key already.", "If an interrupted `factory request` left it, or its folder is lost: the same command with --existing-key. Else name another with --key-label."),
    "FACTORY-KEY-DIFFERS": Code(_FAILED, "The key that was found is not the one that the folder names.", "Put in the right token, or take the folder from its last good copy."),
    "FACTORY-NOT-ACCEPTED": Code(_USAGE, "The intermediate has no certificate yet.", "After the ceremony: `ceremony factory accept DIR BUNDLE --fingerprint F`."),
    "FACTORY-NOT-IN-BUNDLE": Code(_FAILED, "The bundle holds no intermediate for the factory's key.", "Compare the key digest on the paper form with the report in the bundle; take the bundle of the ceremony that this request went to."),
    "FACTORY-CERTIFICATE-UNFIT": Code(_REFUSED, "A certificate is not one that an intermediate can issue device certificates with.", "Have the clock looked at if dates are told; else have the ceremony script's profile mended, and a new certificate made."),
    "FACTORY-OTHER-ROOT": Code(_REFUSED, "The bundle is of another root than the certificate that was accepted before.", "A key serves one root. Make a new intermediate with `ceremony factory request` for the other root."),
    "FACTORY-NOT-NEWER": Code(_REFUSED, "The bundle is not a later one than that of the accepted certificate, and holds another certificate.", "Take the newest bundle; the certificate that was accepted stays."),
    "FACTORY-REHEARSED": Code(_REFUSED, "A key that was certified in a rehearsal is not taken into production, nor the reverse.", "Make a new intermediate with `ceremony factory request`: what a rehearsal's certificate signed would else pass for the real thing."),
    "PASSPHRASE-WRONG": Code(_USAGE, "An encrypted key could not be opened with the passphrase.", "Give the command again with the right passphrase; if it is right, the file is damaged: take its last good copy."),
    "PASSPHRASE-REFUSED": Code(_USAGE, "A passphrase is too short, too long, or was not typed the same twice.", "Choose one of at least 15 characters on one line, such as five words, and give the command again."),
    "SECRET-FILE": Code(_USAGE, "A file that should hold a passphrase or a PIN is refused.", "It is a regular file with one line, which its owner alone may read (chmod 600 FILE)."),
    # the factory: issue
    "FACTORY-IDS": Code(_USAGE, "Registration ids can't be used: empty, repeated, too long, with characters that the service does not take, or the file is none of ids.", "Mend each place that is named and give the command again; nothing is made before all of them are good."),
    "FACTORY-CSRS": Code(_REFUSED, "Certificate requests of devices are refused: unreadable, not signed by their key, a weak key, another name, a wish to be a CA.", "Have each that is named made anew by its device, or take it out of the folder, and give the command again."),
    "FACTORY-ID-TAKEN": Code(_REFUSED, "Ids, or the keys of requests, have a certificate in this output folder already.", "Take them out of the list; to renew what ends soon and leave the rest, add --renew DAYS; an order that was broken off goes on by the same command as before."),
    "FACTORY-VALIDITY": Code(_USAGE, "Device certificates would begin or end when they may not: in the past, or after their intermediate.", "Name an earlier end with --not-after or --days; a later end needs a new intermediate."),
    "FACTORY-GROUP-DISABLED": Code(_REFUSED, "The intermediate's enrollment group was disabled or deleted, by the receipts.", "Do not issue under it. Find out why it was disabled; a new intermediate is made with `ceremony factory request`."),
    "FACTORY-GROUP-UNKNOWN": Code(_USAGE, "The receipts tell nothing of the intermediate's enrollment group, so whether it was disabled can't be known.", "Take the receipts of whoever manages this group; if the ceremony's script calls the intermediate otherwise than its folder does, name it with --group."),
    "FACTORY-OUT-OTHER": Code(_USAGE, "The output folder holds something else: files of another kind, another intermediate's certificates, or another line's.", "Name an empty folder, or the one of this intermediate and this --shard."),
    "FACTORY-OUT-IN-USE": Code(_USAGE, "Another process issues to this output folder.", "Wait for it to end, or name another folder."),
    "FACTORY-OUT-BROKEN": Code(_FAILED, "The output folder is not what its index says, or the index is damaged.", "Keep the folder as it is and look at the place that is named; go on in a new one with the ids that index.csv does not list."),
    "FACTORY-OUT-UNWRITABLE": Code(_USAGE, "A file of the output folder could not be written.", "Make room or mend the disk, then give the same command again: it goes on where it stopped."),
    "FACTORY-WORKER-DIED": Code(_FAILED, "A process that makes certificates ended by itself.", "Look whether the machine ran out of memory; then give the same command again, with fewer --jobs: it goes on where it stopped."),
    # the device
    "DEVICE-PACKAGES": Code(_USAGE, "Azure's device library is not installed here.", "`make setup`, or install the extra `device`; docs/dependencies.md says how."),
    "DEVICE-FILE": Code(_USAGE, "A file of the device's, or of trusted roots, could not be read.", "Check the path."),
    "DEVICE-CERTIFICATE-BROKEN": Code(_USAGE, "A file that should hold certificates in PEM does not.", "Give the device's certificate and its intermediate, leaf first, in PEM: `ceremony factory issue` writes such a file."),
    "DEVICE-KEY-BROKEN": Code(_USAGE, "A file that should hold a private key in PEM does not.", "Give the device's own key, in PEM."),
    "DEVICE-KEY-DIFFERS": Code(_USAGE, "The key is not that of the device's certificate.", "Take key and certificate of the same device."),
    "DEVICE-ID": Code(_USAGE, "A registration id, an id scope or a host is not one.", "A registration id has up to 128 letters, digits and `- . _ :`, an id scope letters and digits (the service's overview shows it), a host no port."),
    "DEVICE-REHEARSAL": Code(_REFUSED, "What a rehearsal made is not sent to another machine.", "Use it with `ceremony simulator` on this machine; for Azure take a certificate under the real root."),
    "DEVICE-CACHE": Code(_USAGE, "The cache of a registration could not be read, written or set aside.", "Check the path given with --cache, its permissions, and the room on the disk."),
    "DEVICE-NOT-REGISTERED": Code(_USAGE, "There is no registration to connect with, and it is not said where to register.", "Give --id-scope, or register first: `ceremony device register`."),
    "DEVICE-ID-SCOPE": Code(_NETWORK, "The id scope is not that of the service that is meant.", "Compare --id-scope with the id scope of the service (`ceremony online status` shows it), and --host with its cloud."),
    "DEVICE-LEAF-DATES": Code(_NETWORK, "The device's certificate is not valid now, and it was refused.", "Set the clock if it is wrong; else have a new certificate issued for the device."),
    "DEVICE-CHAIN-DATES": Code(_NETWORK, "A certificate above the device's is not valid now, and the device was refused.", "Devices of an intermediate that has ended need a new intermediate and new certificates."),
    "DEVICE-NAME-DIFFERS": Code(_NETWORK, "The registration id is not the CN of the device's certificate, and it was refused.", "Leave --registration-id out: the CN is taken."),
    "DEVICE-LEAF-USAGE": Code(_NETWORK, "The device's certificate may not be used by a TLS client, and it was refused.", "Have one issued with the extended key usage clientAuth and the key usage digitalSignature."),
    "DEVICE-CHAIN-MISSING": Code(_NETWORK, "The device sent its own certificate alone, without the intermediate's, and was refused.", "Put the intermediate's certificate behind the leaf in the file: the service looks for issuers only in what is sent."),
    "DEVICE-CHAIN-BROKEN": Code(_NETWORK, "The certificates that the device sent are not a chain, and it was refused.", "In the file each certificate is followed by its issuer's: leaf, then intermediate. `ceremony factory issue` writes it so."),
    "DEVICE-ISSUER-NOT-CA": Code(_NETWORK, "A certificate in the device's chain is not that of a CA, and the device was refused.", "Take the intermediate's own certificate, as the bundle of the ceremony holds it."),
    "DEVICE-ROOT-NOT-VERIFIED": Code(_NETWORK, "The root is at the service and not verified: no device of it gets in.", "Prove it: `ceremony online request --dps NAME …`, the ceremony, `ceremony online apply` (docs/azure.md)."),
    "DEVICE-ROOT-NOT-UPLOADED": Code(_NETWORK, "The service does not hold the root that the device's chain leads to.", "Check that this is the right service and the right chain; else `ceremony online plan` and `apply`."),
    "DEVICE-GROUP-MISSING": Code(_NETWORK, "No certificate of the device's chain has an enrollment group.", "Make the group with `ceremony online plan` and `apply`, from the bundle that holds the intermediate."),
    "DEVICE-GROUP-DISABLED": Code(_NETWORK, "The enrollment group is disabled: no new device of it gets in.", "Ask who disabled it (`ceremony online status`): it is the response to a compromise. Devices that are registered keep working."),
    "DEVICE-REFUSED": Code(_NETWORK, "The service did not let the device in, and why could not be found out.", "Look at the service: id scope, root verified, group there and enabled. With the tracking id Azure support can find the request."),
    "DEVICE-TLS-REFUSED": Code(_NETWORK, "The other side did not take the device's certificate in the TLS handshake.", "Check the chain, and that its root was uploaded to the service that is meant."),
    "DEVICE-HUB-REFUSED": Code(_NETWORK, "The hub refuses the device although it was just registered for it.", "Look at the device at the hub: is it disabled there? A hub asks no enrollment group."),
    "DEVICE-HOST-UNKNOWN": Code(_NETWORK, "The name of a host was not found.", "Check the name and this machine's DNS, then give the same command again: the cache is as it was."),
    "DEVICE-UNREACHABLE": Code(_NETWORK, "A host could not be reached on port 8883.", "Check network and firewall (outgoing TCP 8883; nothing else will do), then give the same command again: the cache is as it was."),
    "DEVICE-SERVER-UNKNOWN": Code(_NETWORK, "A server's certificate does not lead to a root that is trusted here.", "For the simulator give --trust with its ca_file; for Azure see that the system trusts DigiCert Global Root G2, and that the clock is right."),
    "DEVICE-CONNECTION-LOST": Code(_NETWORK, "The connection ended before all was done.", "Give the same command again: the cache is as it was."),
    "DEVICE-TIME-OUT": Code(_NETWORK, "A host did not answer in time.", "Give the same command again later, or with a larger --time-limit: the cache is as it was."),
    "DEVICE-THROTTLED": Code(_NETWORK, "The service took no more registrations for now, again and again.", "Wait some minutes, then give the same command again; spread the registrations of a fleet over time."),
    "DEVICE-SERVICE-FAILED": Code(_NETWORK, "The service or the hub failed, or is not available.", "Give the same command again later; with the tracking id Azure support can find the request."),
    "DEVICE-LIBRARY": Code(_NETWORK, "Azure's device library failed in a way that nothing was written for.", "Give the same command again; if it goes on, report the code and what was said."),
    # the simulator
    "SIMULATOR-NOT-LOOPBACK": Code(_REFUSED, "The simulator listens only where this machine alone can reach it.", "Give --host 127.0.0.1, or leave it out."),
    "SIMULATOR-ADDRESS": Code(_USAGE, "The simulator could not listen at an address.", "Name another port, or 0 for any free one."),
    "DEMO-FAILED": Code(_FAILED, "A command of the demo did not end as it should.", "Read what it said. A port or a package may be missing; else report it, with the demo's folder."),
    "SIMULATOR-STATE": Code(_USAGE, "The simulator's state file could not be read or written, or is not one.", "Name another file, or take the broken one away: it is made anew."),
    # the online side
    "ONLINE-CONFIG": Code(_USAGE, "online.toml, a flag or the environment says something that we don't know or can't use.", "Mend each place that is named; docs/azure.md describes the file."),
    "ONLINE-CONFIG-MISSING": Code(_USAGE, "It is not said which service is meant, or the file that says so can't be read.", "Name it in online.toml, or by --subscription, --resource-group and --service."),
    "ONLINE-PACKAGES": Code(_USAGE, "The packages for Azure are not installed here.", "On the online machine: `make setup`, or install the extra `online`."),
    "ONLINE-NOT-LOOPBACK": Code(_REFUSED, "The simulator's address in online.toml is not one of this machine's own.", "Name https://127.0.0.1:PORT as `ceremony simulator` shows it, or leave [simulator] out for Azure."),
    "ONLINE-REHEARSAL": Code(_REFUSED, "What a rehearsal made is not sent to Azure.", "Use it with `ceremony simulator`; for Azure hold the ceremony itself."),
    "ONLINE-NAME": Code(_USAGE, "A name is not one that the service takes.", "Names stand in the ceremony script: mend them there, before the ceremony."),
    "ONLINE-LIMIT": Code(_FAILED, "The service would hold more certificates or groups than it can.", "Retire what has expired (`ceremony online retire NAME`), or use another service."),
    "ONLINE-CLOCK": Code(_FAILED, "By the service's clock a certificate is not valid now.", "Find out which clock is wrong; the lines above give all three times."),
    "ONLINE-CERTIFICATE-DIFFERS": Code(_REFUSED, "A certificate of this name is at the service, and is another one. It is never written over.", "Find out who put it there. `ceremony online retire NAME` takes it away when nothing depends on it."),
    "ONLINE-GROUP-DIFFERS": Code(_REFUSED, "An enrollment group stands in the way: same name and another certificate, or same certificate under another name.", "Find out who made it. `ceremony online disable NAME` keeps its devices out; nothing is written over."),
    "ONLINE-POLICY": Code(_FAILED, "A policy of Azure Device Registry is not in a state in which this can be done.", "Look at it in the portal or with `az iot adr ns policy show`; docs/azure.md says which states there are."),
    "ONLINE-REVOKED": Code(_REFUSED, "The root has revoked the intermediate that a group is to be made or enabled for.", "Leave it disabled. New devices need a new intermediate: `ceremony factory request`, and a ceremony."),
    "ONLINE-ALREADY-VERIFIED": Code(_USAGE, "The root is verified at the service already: no code is needed.", "Leave --dps out; `ceremony online status` shows it."),
    "ONLINE-CODE-UNKNOWN": Code(_USAGE, "Whether a verification code is out that is still good can't be known from the receipts.", "Give --receipts with the file of the earlier commands; or ask for a new code with --new-code, which makes an older one void."),
    "ONLINE-STILL-NEEDED": Code(_REFUSED, "Something still stands on what was to be deleted, or it has not expired.", "`ceremony online disable NAME` keeps the devices of a group out at once; delete when all under it has expired."),
    "ONLINE-HUB-UNKNOWN": Code(_USAGE, "No device that the group let in is at this hub.", "Name one of the hubs that are listed, as it is written there, and give the command again."),
    "ONLINE-NOT-CONFIRMED": Code(ExitCode.ABORTED, "The name was not typed back.", "Give the command again, and type the name as it is shown; in a script add --confirm NAME."),
    "PLAN-BROKEN": Code(_USAGE, "The plan is not one that this program wrote.", "Make it anew with `ceremony online plan`."),
    "PLAN-FILE-CHANGED": Code(_FAILED, "A file of the bundle is not the one that the plan was made from.", "Make the plan anew, with the fingerprint from paper."),
    "PLAN-STALE": Code(_FAILED, "The service is not as it was when the plan was made: somebody changed it.", "Find out who. Then make the plan anew, read it, and apply that."),
    "RECEIPTS-BROKEN": Code(_FAILED, "The receipts are not an unbroken chain, or belong to another bundle.", "Keep the file; find the copy that is whole, or name a new file with --receipts."),
    "RECEIPTS-UNREADABLE": Code(_USAGE, "The receipts could not be read.", "Check the path given with --receipts."),
    "RECEIPTS-UNWRITABLE": Code(_USAGE, "A receipt could not be written.", "Make room or mend the path, then give the same command again: it finds what is done, and goes on."),
    "RECEIPTS-IN-USE": Code(_USAGE, "Another process writes to these receipts.", "Let the other one end."),
    "AZURE-UNREACHABLE": Code(_NETWORK, "The service could not be reached, or the connection broke before its answer.", "Check network, proxy and the name of the service, then give the same command again: it looks first, and does nothing twice."),
    "AZURE-AUTHENTICATION": Code(_NETWORK, "Azure does not know who is calling, or the token has run out.", "Sign in again (`az login`, or another --auth), then give the same command again."),
    "AZURE-ROLE-MISSING": Code(_NETWORK, "Whoever is signed in may not do this.", "Have the role granted that is named; docs/azure.md has the commands."),
    "AZURE-NOT-FOUND": Code(_NETWORK, "The service has nothing of this name.", "Check subscription, resource group, service and name."),
    "AZURE-CONFLICT": Code(_NETWORK, "The service holds another state than the one the call was made for: somebody else changed it meanwhile.", "Look at `ceremony online status`, and make the plan anew."),
    "AZURE-PROOF-REFUSED": Code(_FAILED, "The service refused the proof of possession.", "Compare the code in the proof with the last one that the service gave; `ceremony online request --dps NAME --new-code` asks for a new one."),
    "AZURE-THROTTLED": Code(_NETWORK, "The service took no more calls for now, again and again.", "Wait some minutes, then give the same command again: it goes on where it stopped."),
    "AZURE-REFUSED": Code(_NETWORK, "The service refused a call.", "Read its message; with the tracking id Azure support can find the call."),
    "AZURE-FAILED": Code(_NETWORK, "The service failed.", "Give the same command again later; with the tracking id Azure support can find the call."),
}
