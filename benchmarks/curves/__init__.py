"""Every curve, in the order of the page: one file each."""

from typing import Final

from benchmarks.curve import Curve
from benchmarks.curves.device_certificates import DEVICE_GROWTH
from benchmarks.curves.root_batch import ROOT_GROWTH
from benchmarks.curves.transcript_lines import TRANSCRIPT_LINES
from benchmarks.curves.verified_certificates import VERIFIED_CERTIFICATES

CURVES: Final[tuple[Curve, ...]] = (ROOT_GROWTH, DEVICE_GROWTH, TRANSCRIPT_LINES, VERIFIED_CERTIFICATES)
