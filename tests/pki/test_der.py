"""The lengths of DER (X.690 section 8.1.3), at the places where their form changes."""

import pytest
from asn1crypto.core import Integer, OctetString

from ceremony.pki.der import element, integer


@pytest.mark.parametrize("length", [0, 127, 128, 255, 256, 65536])
def test_an_element_is_as_another_library_writes_it(length: int) -> None:
    content = bytes(length)
    assert element(0x04, content[: length // 2], content[length // 2 :]) == OctetString(content).dump()


@pytest.mark.parametrize("value", [0, 127, 128, 255, 256, 32767, 32768])
def test_an_integer_is_as_another_library_writes_it(value: int) -> None:
    assert integer(value) == Integer(value).dump()
