"""Every row, in the order of the table: one file each, none found by magic."""

from typing import Final

from benchmarks.row import Row
from benchmarks.rows.apply_groups import APPLY_GROUPS
from benchmarks.rows.csrs import CSRS
from benchmarks.rows.device_certificates import DEVICE_CERTIFICATES
from benchmarks.rows.first_frame import FIRST_FRAME
from benchmarks.rows.late_step import LATE_STEP
from benchmarks.rows.one_certificate import ONE_CERTIFICATE
from benchmarks.rows.root_batch import ROOT_BATCH
from benchmarks.rows.start_up import START_UP
from benchmarks.rows.verify_bundle import VERIFY_BUNDLE

ROWS: Final[tuple[Row, ...]] = (
    ROOT_BATCH, *CSRS, ONE_CERTIFICATE, *START_UP, *FIRST_FRAME, DEVICE_CERTIFICATES, VERIFY_BUNDLE, APPLY_GROUPS, LATE_STEP,
)  # fmt: skip
