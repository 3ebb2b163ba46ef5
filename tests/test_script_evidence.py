"""What a script must have for the evidence it names."""

import pytest

from ceremony.script import ScriptRefused, read_script
from ceremony.shipped import path_of

SCRIPT = path_of("root-generation").read_text()
# The unlock stands right before the key generation.
GENERATE = SCRIPT[
    SCRIPT.index('[[steps]]\nkind = "unlock"') : SCRIPT.index('[[steps]]\nkind = "unlock"\ntitle = "Unlock for the root')
].rstrip()
CAMERA = """\
[[steps]]
kind = "record"
title = "Camera"
actor = "admin"
confirm = ["witness-1"]
facts = [{{ name = "{what}", what = "{what}", text = "Time on the camera" }}]

"""
START, STOP = CAMERA.format(what="video-start"), CAMERA.format(what="video-stop")


def with_evidence(kind: str, before: str = "", after: str = "", confirm: str | None = None) -> str:
    """The shipped script with this evidence, steps around the key generation, and who confirms that."""
    generate = GENERATE if confirm is None else GENERATE.replace('confirm = ["witness-1"]', f"confirm = {confirm}")
    text = SCRIPT.replace('evidence = "witness"', f'evidence = "{kind}"').replace(GENERATE, f"{before}{generate}\n\n{after}".rstrip())
    return text.replace('role = "witness"', 'role = "auditor"') if kind == "qualified-auditor" else text


def problems_of(text: str) -> list[str]:
    with pytest.raises(ScriptRefused) as refused:
        read_script(text.encode())
    return [f"{problem.where}: {problem.what}" for problem in refused.value.problems]


def test_each_kind_of_evidence_is_taken_with_what_it_wants() -> None:
    assert read_script(with_evidence("witness").encode()).evidence == "witness"
    assert read_script(with_evidence("video", START, STOP).encode()).evidence == "video"
    assert read_script(with_evidence("qualified-auditor").encode()).evidence == "qualified-auditor"


@pytest.mark.parametrize("kind", ["witness", "qualified-auditor"])
def test_someone_who_only_watches_must_confirm_the_key_generation(kind: str) -> None:
    [problem] = problems_of(with_evidence(kind, confirm='["admin"]'))
    assert f"evidence = '{kind}' wants" in problem


@pytest.mark.parametrize(
    ("before", "after", "wanted"),
    [
        ("", "", ["camera's start", "camera's stop"]),
        (START, "", ["camera's stop"]),
        ("", START + STOP, ["camera's start"]),
        (START + STOP, STOP, ["camera's start"]),
    ],
)
def test_a_video_covers_the_key_generation(before: str, after: str, wanted: list[str]) -> None:
    problems = [problem for problem in problems_of(with_evidence("video", before, after)) if "evidence = 'video'" in problem]
    assert [want in problem for want, problem in zip(wanted, problems, strict=True)] == [True] * len(wanted)
