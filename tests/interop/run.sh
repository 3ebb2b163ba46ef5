#!/bin/sh
# The contract of hsm over every software token that is here, then the table, in the namespace of tests/hsm/namespace.sh.
set -eu
cd "$(dirname "$0")/../.."
CEREMONY_TOKENS='softhsm p11-kit tpm2-pkcs11 nss opencryptoki' \
    python -m pytest -q -p no:cacheprovider tests/hsm/test_contract_tokens.py tests/hsm/test_contract_keys.py
python -m tests.interop --write
