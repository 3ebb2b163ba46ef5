"""Shares and the PIN they stand for: any threshold of them, no fewer, and every slip named before anything is combined."""

import itertools
import os
import re

import pytest
import shamir_mnemonic
from hypothesis import given, settings
from hypothesis import strategies as st
from shamir_mnemonic.wordlist import WORDLIST

from ceremony.activation.shares import Alphabet, Share, ShareProblem, check_beside, combine, pin_of, read_share, set_of, split, word_of

SECRETS = st.binary(min_size=16, max_size=16)
GROUPS = st.integers(2, 6).flatmap(lambda count: st.tuples(st.integers(2, count), st.just(count)))
ALPHABETS: dict[Alphabet, str] = {"printable": "[!-~]", "alphanumeric": "[0-9A-Za-z]", "digits": "[0-9]"}


def shares_of(secret: bytes, threshold: int, count: int) -> list[Share]:
    return [read_share(share) for share in split(bytearray(secret), threshold, count)]


def problem(call, *args, **kwargs) -> ShareProblem:
    with pytest.raises(ShareProblem) as caught:
        call(*args, **kwargs)
    return caught.value


@settings(max_examples=25, deadline=None)
@given(SECRETS, GROUPS, st.randoms())
def test_any_threshold_of_the_shares_give_the_secret_back_and_fewer_do_not(secret: bytes, group: tuple[int, int], random):
    threshold, count = group
    shares = shares_of(secret, threshold, count)
    assert [(share.index, share.threshold) for share in shares] == [(index, threshold) for index in range(count)]
    for chosen in itertools.combinations(random.sample(shares, count), threshold):
        assert combine(chosen) == secret
    assert problem(combine, shares[: threshold - 1]).code == "SHARE-COUNT"


@given(SECRETS)
@settings(max_examples=10, deadline=None)
def test_the_reference_implementation_reads_them_by_its_plain_door(secret: bytes):
    words = [share.decode() for share in split(bytearray(secret), 2, 3)]
    assert shamir_mnemonic.combine_mnemonics(words[1:]) == secret


def test_one_share_fewer_says_nothing_of_the_secret():
    """Every secret is as likely as any other: with one forged share in the missing place, each gives a whole other secret."""
    first, second, _ = split(bytearray(16), 3, 3)
    known = [shamir_mnemonic.Share.from_mnemonic(share.decode()) for share in (first, second)]
    seen = set()
    for guess in range(200):
        value = known[0].value[:-1] + bytes([known[0].value[-1] ^ guess])
        points = [shamir_mnemonic.shamir.RawShare(share.index, share.value) for share in known]
        points.append(shamir_mnemonic.shamir.RawShare(2, value))
        seen.add(shamir_mnemonic.shamir._interpolate(points, shamir_mnemonic.constants.SECRET_INDEX))
    assert len(seen) == 200


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 19), st.sampled_from(WORDLIST))
def test_one_changed_word_is_always_named(place: int, word: str):
    words = GIVEN.decode().split()
    if words[place] == word:
        return
    words[place] = word
    found = problem(read_share, bytearray(" ".join(words).encode()))
    assert (found.code, found.words) == ("SHARE-CHECKSUM", (place + 1,))
    only_the_place = f"The checksum is wrong: if all other words are right, then word {place + 1} is not that of the share."
    assert found.what == only_the_place


[GIVEN, _] = split(bytearray(os.urandom(16)), 2, 2)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 19), st.sampled_from(WORDLIST)), min_size=2, max_size=3, unique_by=lambda change: change[0]))
def test_two_or_three_changed_words_are_always_refused(changes: list[tuple[int, str]]):
    before = GIVEN.decode().split()
    words = list(before)
    for place, word in changes:
        words[place] = word
    if words != before:
        assert problem(read_share, bytearray(" ".join(words).encode())).code == "SHARE-CHECKSUM"


@settings(max_examples=50, deadline=None)
@given(st.lists(st.sampled_from(WORDLIST), min_size=0, max_size=30), st.lists(st.text(max_size=12), max_size=3))
def test_what_is_no_share_is_refused_whatever_it_is(words: list[str], others: list[str]):
    assert problem(read_share, bytearray(" ".join([*words, *others]).encode())).code.startswith("SHARE-")


def test_words_that_are_not_on_the_list_are_named_by_their_places_and_never_said():
    words = GIVEN.decode().split()
    words[2], words[16] = "hunter2", "blåbær"
    found = problem(read_share, bytearray(" ".join(words).encode()))
    assert (found.code, found.words) == ("SHARE-WORD", (3, 17))
    assert "hunter2" not in "".join(found.lines())
    assert "Nothing was tried on the token." in found.state


def test_a_word_too_few_and_two_words_that_changed_places():
    words = GIVEN.decode().split()
    assert problem(read_share, bytearray(" ".join(words[1:]).encode())).code == "SHARE-LENGTH"
    if words[4] != words[5]:
        words[4], words[5] = words[5], words[4]
        assert problem(read_share, bytearray(" ".join(words).encode())).code == "SHARE-CHECKSUM"


def test_four_letters_are_enough_and_three_are_not():
    assert {word_of(word[:4]) for word in WORDLIST} == set(WORDLIST)
    assert [word for word in WORDLIST if word_of(word[:3])] == []
    assert [word_of(typed) for typed in ("ACADEM", "academicx", "acadz", "", "zzzz", "\x00\x00\x00\x00")] == ["academic", *[None] * 5]
    short = "  ".join(word[:4].upper() for word in GIVEN.decode().split())
    assert read_share(bytearray(short.encode())).words == GIVEN


def test_a_share_of_another_set_is_named_before_anything_is_combined(monkeypatch: pytest.MonkeyPatch):
    ours, theirs = shares_of(bytes(16), 3, 5), shares_of(bytes(16), 3, 5)
    monkeypatch.setattr(shamir_mnemonic, "combine_mnemonics", lambda _: pytest.fail("combined"))
    found = problem(combine, [ours[0], theirs[1], ours[2]])
    assert (found.code, found.share) == ("SHARE-FOREIGN", 2)
    found = problem(combine, theirs[:3], of_set=set_of(ours[0]))
    assert (found.code, found.share) == ("SHARE-FOREIGN", 1)
    found = problem(combine, [ours[4], ours[0], ours[4]])
    assert (found.code, found.share) == ("SHARE-REPEATED", 3)
    assert problem(combine, ours[:4]).code == "SHARE-COUNT", "the library takes exactly as many as the threshold says"
    assert problem(combine, []).code == "SHARE-COUNT"
    check_beside(ours[1], [ours[0]], of_set=set_of(ours[0]))
    assert problem(check_beside, ours[0], [ours[0]]).code == "SHARE-REPEATED"
    assert problem(check_beside, theirs[1], [ours[0]]).code == "SHARE-FOREIGN"


def test_sets_of_one_number_by_chance_do_not_pass_for_one(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("secrets.randbits", lambda _: 7)
    ours, theirs = shares_of(bytes(16), 2, 2), shares_of(bytes(range(16)), 2, 2)
    assert problem(combine, [ours[0], theirs[1]]).code == "SHARE-FOREIGN"


def test_a_new_set_gets_a_number_that_no_other_has(monkeypatch: pytest.MonkeyPatch):
    numbers = iter([7, 8, 9])
    monkeypatch.setattr("secrets.randbits", lambda _: next(numbers))
    assert set_of(read_share(split(bytearray(16), 2, 2, other_sets={7, 8})[0])) == 9


@pytest.mark.parametrize(("groups", "extendable", "exponent"), [([(1, 1)], True, 0), ([(2, 2)], False, 0), ([(2, 2)], True, 1)])
def test_shares_of_another_kind_than_ours_are_refused(groups: list[tuple[int, int]], extendable: bool, exponent: int):
    [made] = shamir_mnemonic.generate_mnemonics(1, groups, bytes(16), extendable=extendable, iteration_exponent=exponent)
    assert problem(read_share, bytearray(made[0].encode())).code in ("SHARE-FOREIGN", "SHARE-CHECKSUM")


def test_a_share_shows_nothing_of_itself():
    share = read_share(GIVEN)
    assert not set(GIVEN.decode().split()) & set(re.findall("[a-z]+", repr(share)))


@pytest.mark.parametrize(("threshold", "count"), [(1, 1), (1, 3), (4, 3), (2, 17), (0, 2)])
def test_who_may_share(threshold: int, count: int):
    with pytest.raises(ValueError, match="among up to 16"):
        split(bytearray(16), threshold, count)


@given(SECRETS, SECRETS, st.sampled_from(sorted(ALPHABETS)), st.integers(1, 50), st.integers(1, 255))
def test_a_pin_fits_the_token_and_differs_with_the_secret(one: bytes, other: bytes, alphabet: Alphabet, shortest: int, longest: int):
    longest = max(shortest, longest)
    pin = pin_of(bytearray(one), shortest, longest, alphabet, True)
    assert shortest <= len(pin) <= longest
    assert re.fullmatch(f"{ALPHABETS[alphabet]}+", pin.decode())
    assert pin == pin_of(bytearray(one), shortest, longest, alphabet, True)
    if longest >= 39 and one != other:
        assert pin != pin_of(bytearray(other), shortest, longest, alphabet, True), "all 128 bits are in it"


def test_a_pin_is_written_by_its_rule():
    assert pin_of(bytearray(15) + b"\xff", 4, 255, "digits", False) == b"552" + b"0" * 36
    assert pin_of(bytearray(16), 50, 255, "alphanumeric", False) == b"0" * 50
    assert [len(pin_of(bytearray(16), 1, 255, alphabet, False)) for alphabet in ("printable", "alphanumeric", "digits")] == [20, 22, 39]


@pytest.mark.parametrize(("longest", "alphabet"), [(9, "printable"), (10, "alphanumeric"), (19, "digits")])
def test_under_64_bits_only_on_a_token_that_locks(longest: int, alphabet: Alphabet):
    secret = bytearray(range(16))
    assert problem(pin_of, secret, 4, longest, alphabet, False).code == "PIN-GUESSABLE"
    assert len(pin_of(secret, 4, longest, alphabet, True)) == longest
    assert len(pin_of(secret, 4, longest + 1, alphabet, False)) == longest + 1
    assert secret == bytes(range(16)), "the secret is the caller's to wipe"
