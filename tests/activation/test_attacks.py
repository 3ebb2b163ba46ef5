"""Below the threshold nobody reaches the key by any PIN: tried on SoftHSM, with all that such a group has and PKCS#11 offers."""

import itertools
import os
from typing import NamedTuple

import pytest
import shamir_mnemonic
from shamir_mnemonic.constants import SECRET_INDEX
from shamir_mnemonic.shamir import RawShare, _interpolate

from ceremony.activation import client
from ceremony.activation.shares import Share, ShareProblem, pin_of
from hsm.client import Module, Token
from hsm.errors import TokenError
from hsm.facts import TokenInfo

USER_THRESHOLD, SO_THRESHOLD = 3, 2


class Shared(NamedTuple):
    """A token with a root key, its PINs shared 3 of 5 and 2 of 3, and nobody logged in."""

    token: Token
    info: TokenInfo
    user: list[Share]
    so: list[Share]

    def pin(self, secret: bytearray) -> bytearray:
        return pin_of(secret, self.info.shortest_pin, self.info.longest_pin, self.info.pin_alphabet, False)

    def pin_by(self, shares: list[Share]) -> bytearray:
        return self.pin(client.combine(shares))


@pytest.fixture
def shared(module: Module) -> Shared:
    token = module.token(blank=True)
    user, so = bytearray(os.urandom(16)), bytearray(os.urandom(16))
    made = Shared(
        token,
        token.info(),
        [client.read_share(share) for share in client.split(user, USER_THRESHOLD, 5)],
        [client.read_share(share) for share in client.split(so, SO_THRESHOLD, 3)],
    )
    token.initialise("shared", made.pin(so), made.pin(user))
    token.login(made.pin(user))
    token.generate_key("ec:secp256r1", "root", b"\1")
    token.logout()
    return made


def test_every_quorum_logs_in_and_both_may_change_what_is_theirs(shared: Shared):
    for chosen in itertools.combinations(shared.user, USER_THRESHOLD):
        shared.token.login(shared.pin_by(list(chosen)))
    for chosen in itertools.combinations(shared.so, SO_THRESHOLD):
        shared.token.login_so(shared.pin_by(list(chosen)))
    new = bytearray(os.urandom(16))
    shared.token.reset_user_pin(shared.pin_by(shared.so[1:]), shared.pin(new))
    shared.token.login(shared.pin(new))
    assert shared.token.sign(b"\1", "ecdsa-sha256", b"x").signature, "this is why the SO PIN must be shared too"


def guesses(shared: Shared, shares: list[Share]) -> list[bytearray]:
    """PINs that those who hold these shares can make of them without the check that the library does."""
    values = [shamir_mnemonic.Share.from_mnemonic(share.words.decode()) for share in shares]
    made = [bytearray(value.value) for value in values]
    points = [RawShare(value.index, value.value) for value in values]
    made.append(bytearray(_interpolate(points, SECRET_INDEX)))
    forged = RawShare(15, os.urandom(16))
    made.append(bytearray(_interpolate([*points, forged], SECRET_INDEX)))
    opened = [
        shamir_mnemonic.EncryptedMasterSecret(values[0].identifier, True, 0, bytes(secret)).decrypt(b"") for secret in made
    ]
    return [shared.pin(bytearray(secret)) for secret in [*made, *opened]]


def refused(call, *args: object) -> str:
    """The code of the error that the call must end with."""
    try:
        call(*args)
    except (TokenError, ShareProblem) as refusal:
        return refusal.code
    pytest.fail("it was let through")


def test_one_so_share_fewer_does_not_get_the_so_pin_with_any_number_of_user_shares_below_theirs(shared: Shared):
    """The attack: with the SO PIN alone one resets the user PIN and signs."""
    # shares of different numbers, so that they can be mixed
    so, user = shared.so[: SO_THRESHOLD - 1], shared.user[1:USER_THRESHOLD]
    mine = bytearray(b"my-own-user-pin")
    assert refused(client.combine, so) == "SHARE-COUNT"
    assert refused(client.combine, [*so, *so]) == "SHARE-REPEATED"
    assert refused(client.combine, [so[0], user[0]]) == "SHARE-FOREIGN"
    for pin in [*guesses(shared, so), *guesses(shared, user), *guesses(shared, [*so, *user])]:
        assert refused(shared.token.login_so, pin) == "TOKEN-PIN-WRONG"
        assert refused(shared.token.reset_user_pin, pin, mine) == "TOKEN-PIN-WRONG"
        assert refused(shared.token.set_pin, "so", pin, mine) == "TOKEN-PIN-WRONG"
        assert refused(shared.token.login, pin) == "TOKEN-PIN-WRONG"
    assert refused(shared.token.login, mine) == "TOKEN-PIN-WRONG"
    assert refused(shared.token.sign, b"\1", "ecdsa-sha256", b"x") == "TOKEN-NOT-LOGGED-IN"
    assert refused(shared.token.initialise, "mine", mine, mine) == "TOKEN-NOT-BLANK"
    shared.token.login(shared.pin_by(shared.user[2:]))
    shared.token.login_so(shared.pin_by(shared.so[1:]))


def test_a_quorum_of_users_is_none_of_security_officers(shared: Shared):
    user_pin = shared.pin_by(shared.user[:3])
    for call, args in (
        (shared.token.login_so, (user_pin,)),
        (shared.token.set_pin, ("so", user_pin, user_pin)),
        (shared.token.reset_user_pin, (user_pin, user_pin)),
    ):
        assert refused(call, *args) == "TOKEN-PIN-WRONG"
    so_pin = shared.pin_by(shared.so[:2])
    assert refused(shared.token.login, so_pin) == "TOKEN-PIN-WRONG"
    assert refused(shared.token.initialise, "shared", so_pin, so_pin, True) == "TOKEN-NOT-BLANK", "there is a key on it"


def test_old_shares_open_nothing_after_a_new_split(shared: Shared):
    new = bytearray(os.urandom(16))
    fresh = [client.read_share(share) for share in client.split(new, 2, 2, other_sets={shared.user[0].identifier})]
    shared.token.set_pin("user", shared.pin_by(shared.user[:3]), shared.pin(new))
    assert refused(shared.token.login, shared.pin_by(shared.user[:3])) == "TOKEN-PIN-WRONG"
    assert refused(client.combine, [fresh[0], shared.user[0]]) == "SHARE-FOREIGN"
    shared.token.login(shared.pin_by(fresh))
