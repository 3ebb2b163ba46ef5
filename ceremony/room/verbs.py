"""The verbs of the room by name: an explicit list."""

from ceremony.room.adopt_token import AdoptToken
from ceremony.room.change_activation import ChangeActivation
from ceremony.room.change_token import LeaveToken, TakeToken
from ceremony.room.check_machine import CheckMachine
from ceremony.room.copy_out import CopyOut
from ceremony.room.destroy_key import DestroyKey, ListObjects
from ceremony.room.find_root import FindRoot
from ceremony.room.generate_key import GenerateKey
from ceremony.room.import_attestation import ImportAttestation
from ceremony.room.import_evidence import ImportEvidence
from ceremony.room.import_request import ImportRequest
from ceremony.room.initialise_token import FindBlankToken, InitialiseToken
from ceremony.room.look_at_copy import LookAtCopy
from ceremony.room.look_at_key import LookAtKey
from ceremony.room.look_at_medium import LookAtMedium, TakeMedium
from ceremony.room.make_bundle import MakeBundle
from ceremony.room.proof_key import ProofKey
from ceremony.room.prove_activation import ProveActivation
from ceremony.room.randomness import Random, SerialNumber
from ceremony.room.read_clock import ReadClock
from ceremony.room.read_custody import ReadCustody
from ceremony.room.read_previous import ReadPrevious
from ceremony.room.sign import Sign
from ceremony.room.sign_statement import SignStatement
from ceremony.room.store import Store
from ceremony.room.token_facts import Lock, TokenFacts
from ceremony.room.verb import Verb
from ceremony.room.wipe_token import LookAtToken, WipeToken
from ceremony.room.write_artifact import WriteArtifact

VERBS: dict[str, Verb] = {
    "read-clock": ReadClock(),
    "check-machine": CheckMachine(),
    "find-blank-token": FindBlankToken(),
    "initialise-token": InitialiseToken(),
    "prove-activation": ProveActivation(),
    "change-activation": ChangeActivation(),
    "adopt-token": AdoptToken(),
    "token-facts": TokenFacts(),
    "lock": Lock(),
    "random": Random(),
    "serial-number": SerialNumber(),
    "generate-key": GenerateKey(),
    "find-root": FindRoot(),
    "look-at-key": LookAtKey(),
    "take-token": TakeToken(),
    "leave-token": LeaveToken(),
    "look-at-copy": LookAtCopy(),
    "destroy-key": DestroyKey(),
    "list-objects": ListObjects(),
    "look-at-token": LookAtToken(),
    "wipe-token": WipeToken(),
    "read-previous": ReadPrevious(),
    "read-custody": ReadCustody(),
    "proof-key": ProofKey(),
    "store": Store(),
    "sign": Sign(),
    "sign-statement": SignStatement(),
    "write-artifact": WriteArtifact(),
    "look-at-medium": LookAtMedium(),
    "take-medium": TakeMedium(),
    "import-request": ImportRequest(),
    "import-attestation": ImportAttestation(),
    "import-evidence": ImportEvidence(),
    "make-bundle": MakeBundle(),
    "copy-out": CopyOut(),
}
