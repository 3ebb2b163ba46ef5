"""A script that certifies Azure's issuing CA is held against Azure's demands before there is a root, a token or a CSR."""

from pathlib import Path

import pytest

from ceremony.script import ScriptRefused, certificates_planned, read_script

SCRIPT = (Path(__file__).parents[1] / "ceremony-scripts" / "sign-azure-issuing-ca.toml").read_text()
ROOT_END, CA_END = "not_after = 2046-11-19T00:00:00Z", "not_after = 2031-11-19T00:00:00Z"

ANOTHER = '[[intermediates]]\nname = "b"\nprofile = "azure-issuing-ca"\ndevice_registry = "example-registry/EXAMPLE-policy"\n'


def problems_of(*pairs: tuple[str, str]) -> list[str]:
    text = SCRIPT
    for before, after in pairs:
        assert before in text, before
        text = text.replace(before, after, 1)
    with pytest.raises(ScriptRefused) as refused:
        read_script(text.encode())
    assert refused.value.code == "SCRIPT-INVALID"
    return [f"{problem.where}: {problem.what}" for problem in refused.value.problems]


def test_the_plan_says_whose_ca_it_is() -> None:
    ((title, _),) = certificates_planned(read_script(SCRIPT.encode()))
    assert title.endswith("issuing CA of example-registry/example-policy in Azure Device Registry")


@pytest.mark.parametrize(
    ("pairs", "where", "what"),
    [
        ([('key = "ec:secp384r1"', 'key = "rsa:4096"')], "root", "its key is rsa:4096"),
        ([("path_length = 1", "path_length = 2")], "root", "the path length must be 1"),
        ([(ROOT_END, "not_after = 2027-12-18T23:59:59Z"), (CA_END, "not_after = 2027-12-18T23:59:59Z")], "root", "364 days after"),
        ([(CA_END, "not_after = 2027-12-18T23:59:59Z")], "intermediates[1]", "at least 365 must be left"),
        ([('keys = ["ec:secp384r1"]', 'keys = ["ec:secp384r1", "rsa:3072"]')], "intermediates[1]", "its profile takes rsa:3072"),
        ([('keys = ["ec:secp384r1"]\n', "")], "intermediates[1]", "its profile takes rsa:4096"),
        ([('keys = ["ec', 'extended_key_usage = ["serverAuth"]\nkeys = ["ec')], "intermediates[1]", "lacks clientAuth"),
        ([("example-registry/example-policy", "example-policy")], "intermediates[1].device_registry", "regex"),
        ([("device_registry =", "device_registri =")], "intermediates[1].device_registri", "did you mean 'device_registry'?"),
        (
            [("\n[activation]", f"\n{ANOTHER}\n[activation]")],
            "intermediates", "the policy 'example-registry/example-policy' stands twice",
        ),
    ],
)  # fmt: skip
def test_each_demand_that_a_script_can_break_is_told(pairs: list[tuple[str, str]], where: str, what: str) -> None:
    found = problems_of(*pairs)
    assert any(problem.startswith(f"{where}:") and what in problem for problem in found), found


def test_a_window_that_is_open_for_long_counts_from_its_last_day() -> None:
    assert any("364 days after 2030-11-20" in problem for problem in problems_of(("to = 2026-12-18", "to = 2030-11-19")))
    read_script(SCRIPT.replace("to = 2026-12-18", "to = 2030-11-18").encode())


def test_without_device_registry_nothing_is_demanded() -> None:
    text = SCRIPT.replace('device_registry = "example-registry/example-policy"\n', "")
    read_script(text.replace('key = "ec:secp384r1"', 'key = "rsa:4096"', 1).encode())
