"""SoftHSM for the tests that try shares on a token."""

from tests.hsm.conftest import module, softhsm, store

__all__ = ["module", "softhsm", "store"]
