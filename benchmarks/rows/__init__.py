"""Every row, in the order of the table: one file each, none found by magic."""

from typing import Final

from benchmarks.row import Row
from benchmarks.rows.csrs import CSRS
from benchmarks.rows.device_certificates import DEVICE_CERTIFICATES
from benchmarks.rows.root_batch import ROOT_BATCH

ROWS: Final[tuple[Row, ...]] = (ROOT_BATCH, *CSRS, DEVICE_CERTIFICATES)
