"""The step kinds, an explicit list: what is not in it does not exist."""

from ceremony.steps.adopt_token import AdoptToken
from ceremony.steps.attest import Attest
from ceremony.steps.attest_key import AttestKey
from ceremony.steps.capture_hsm_log import CaptureHsmLog
from ceremony.steps.certify_root import CertifyRoot
from ceremony.steps.change_activation import ChangeActivation
from ceremony.steps.check_clock import CheckClock
from ceremony.steps.check_machine import CheckMachine
from ceremony.steps.check_token import CheckToken
from ceremony.steps.close import Close
from ceremony.steps.cross_certify import CrossCertify
from ceremony.steps.crossing import Crossing
from ceremony.steps.destroy_key import DestroyKey
from ceremony.steps.generate_root import GenerateRoot
from ceremony.steps.import_request import ImportRequest
from ceremony.steps.initialise_token import InitialiseToken
from ceremony.steps.inventory import Inventory
from ceremony.steps.issue_crl import IssueCrl
from ceremony.steps.lock import Lock
from ceremony.steps.prove_backup import ProveBackup
from ceremony.steps.prove_possession import ProvePossession
from ceremony.steps.record import Record
from ceremony.steps.report_loss import ReportLoss
from ceremony.steps.roll_call import RollCall
from ceremony.steps.sign_intermediates import SignIntermediates
from ceremony.steps.unlock import Unlock
from ceremony.steps.use_root import UseRoot
from ceremony.steps.wipe_token import WipeToken

AnyStep = (
    RollCall
    | Attest
    | Record
    | Inventory
    | CheckClock
    | CheckMachine
    | InitialiseToken
    | AdoptToken
    | ChangeActivation
    | Unlock
    | Lock
    | GenerateRoot
    | AttestKey
    | CertifyRoot
    | CrossCertify
    | UseRoot
    | CheckToken
    | ReportLoss
    | DestroyKey
    | WipeToken
    | CaptureHsmLog
    | ImportRequest
    | ProvePossession
    | SignIntermediates
    | IssueCrl
    | ProveBackup
    | Crossing
    | Close
)
