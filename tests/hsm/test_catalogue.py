"""The catalogue: every PKCS#11 2.40 value, every exception of python-pkcs11, every code of ours."""

import re
from pathlib import Path

import pkcs11.exceptions
import pytest
from pkcs11 import PKCS11Error

from hsm import catalogue, keys
from hsm.errors import HSM_CODES, TokenError

SOURCES = sorted((Path(__file__).parent.parent.parent / "hsm").glob("*.py"))


def test_every_row_leads_to_a_code_of_ours():
    for number in catalogue.CKR:
        error = catalogue.token_error(number, "testing")
        assert error.do_now
        assert error.ckr == catalogue.CKR[number].name
        assert error.what.startswith("While testing: ")


def test_only_a_wrong_pin_costs_a_try():
    assert [row.name for row in catalogue.CKR.values() if row.costs_a_try] == ["CKR_PIN_INCORRECT"]


def test_names_are_unique_and_numbers_are_those_of_the_header():
    """NSS ships OASIS' header of 3.0; p11-kit's has five other numbers, at which we mean the same."""
    assert len(catalogue.NUMBER_OF) == len(catalogue.CKR)
    of_oasis = {"EXCEEDED_MAX_ITERATIONS": 0x1B5, "FIPS_SELF_TEST_FAILED": 0x1B6, "LIBRARY_LOAD_FAILED": 0x1B7, "PIN_TOO_WEAK": 0x1B8,
                "PUBLIC_KEY_INVALID": 0x1B9, "FUNCTION_REJECTED": 0x200, "TOKEN_RESOURCE_EXCEEDED": 0x201,
                "OPERATION_CANCEL_FAILED": 0x202, "AEAD_DECRYPT_FAILED": 0x42}  # fmt: skip
    for name, number in of_oasis.items():
        assert catalogue.NUMBER_OF[f"CKR_{name}"] == number
    for header in ("/usr/include/nss/pkcs11t.h", "/usr/include/p11-kit-1/p11-kit/pkcs11.h"):
        text = Path(header).read_text() if Path(header).exists() else ""
        defined = {name: int(number, 16) for name, number in re.findall(r"#define (CKR_\w+)\s+\(?0x([0-9a-fA-F]+)UL", text)}
        for name, number in defined.items():
            if name not in ("CKR_OK", "CKR_VENDOR_DEFINED"):
                assert catalogue.returned(number).name == name, (header, name)


def test_every_exception_of_python_pkcs11_has_its_own_value():
    ours = {"MultipleObjectsReturned", "MultipleTokensReturned"}
    classes = [kind for kind in vars(pkcs11.exceptions).values() if isinstance(kind, type) and issubclass(kind, PKCS11Error)]
    numbers = {kind.__name__: keys.return_value(kind()) for kind in classes if kind is not PKCS11Error and kind.__name__ not in ours}
    vague = [name for name, number in numbers.items() if number == catalogue.NUMBER_OF["CKR_GENERAL_ERROR"]]
    assert vague == ["GeneralError"]
    assert len(numbers) > 60


@pytest.mark.parametrize(
    ("text", "name"), [("Unmapped error code 0x1b", "CKR_ACTION_PROHIBITED"), ("Unmapped error code 0x80000042", "0x80000042")]
)
def test_values_that_python_pkcs11_does_not_know(text: str, name: str):
    assert keys.as_token_error(PKCS11Error(text), "testing").ckr == name


def test_a_value_that_nobody_knows_is_told_by_its_number():
    assert "0x80000042" in catalogue.token_error(0x80000042, "testing").what
    assert "vendor" in catalogue.token_error(0x80000042, "testing").what


def test_every_code_is_used_and_every_used_code_is_in_the_table():
    text = "\n".join(path.read_text() for path in SOURCES if path.name != "errors.py")
    used = set(re.findall(r'"((?:MODULE|TOKEN|KEY|MECHANISM|SIGNATURE)-[A-Z0-9-]+)"', text))
    assert used == set(HSM_CODES)
    assert {row.exit_code for code, row in HSM_CODES.items() if code != "MODULE-LOGS-PINS"} == {3}


def test_an_error_takes_what_to_do_from_its_row_unless_told():
    assert TokenError("TOKEN-FULL", "x").do_now == HSM_CODES["TOKEN-FULL"].do_now
    assert TokenError("TOKEN-FULL", "x", do_now="y").do_now == "y"
