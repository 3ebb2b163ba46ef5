"""Every row, in the order of the table: one file each, none found by magic."""

from typing import Final

from benchmarks.row import Row
from benchmarks.rows.device_certificates import DEVICE_CERTIFICATES

ROWS: Final[tuple[Row, ...]] = (DEVICE_CERTIFICATES,)
