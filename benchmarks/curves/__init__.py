"""Every curve, in the order of the page: one file each."""

from typing import Final

from benchmarks.curve import Curve
from benchmarks.curves.device_certificates import DEVICE_GROWTH

CURVES: Final[tuple[Curve, ...]] = (DEVICE_GROWTH,)
