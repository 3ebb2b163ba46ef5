"""Every curve, in the order of the page: one file each."""

from typing import Final

from benchmarks.curve import Curve
from benchmarks.curves.device_certificates import DEVICE_GROWTH
from benchmarks.curves.root_batch import ROOT_GROWTH

CURVES: Final[tuple[Curve, ...]] = (ROOT_GROWTH, DEVICE_GROWTH)
