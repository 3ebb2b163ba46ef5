"""Wheel and sdist: the same bytes for everybody; the wheel, not only the checkout, holds what the program needs and knows its commit."""

import base64
import hashlib
import importlib.util
import json
import os
import subprocess
import sys
import sysconfig
from importlib.metadata import Distribution
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import cast

import pytest

from ceremony.built import Build, altered_files, commit_of_checkout
from ceremony.machine.doctor import program
from ceremony.room import describe
from hsm.facts import ModuleInfo

ROOT = Path(__file__).parent.parent
SHARED = {
    "share/man/man1/ceremony.1": "ceremony.1",
    "share/bash-completion/completions/ceremony": "ceremony.bash",
    "share/zsh/site-functions/_ceremony": "_ceremony",
    "share/fish/vendor_completions.d/ceremony.fish": "ceremony.fish",
}


def hook() -> ModuleType:
    specification = importlib.util.spec_from_file_location("build_hook", ROOT / "requirements" / "build_hook.py")
    assert specification is not None and specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def run(*command: str | Path, cwd: Path, **environment: str) -> str:
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    ended = subprocess.run(
        [str(word) for word in command], cwd=cwd, capture_output=True, text=True, env={**os.environ, "PATH": path, **environment}
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def test_what_is_built_again_elsewhere_is_the_same_and_the_wheel_works_without_the_checkout(tmp_path: Path) -> None:
    """Twice by requirements/dist.sh, which compares; then installed apart, as pip installs a file."""
    made = run("sh", ROOT / "requirements" / "dist.sh", tmp_path / "dist", cwd=tmp_path)
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    assert f"{digest}  {wheel.name}" in made and "built twice, the same bytes" in made

    prefix = tmp_path / "installed"
    installed = Path(sysconfig.get_path("purelib", vars={"base": str(prefix)}))
    pip = (sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-index", "--ignore-installed", "--no-compile")
    run(*pip, "--prefix", prefix, wheel, cwd=tmp_path)
    for place, source in SHARED.items():
        assert (prefix / place).read_bytes() == (ROOT / "docs" / "shell" / source).read_bytes()

    def ceremony(*words: str | Path) -> str:
        return run(sys.executable, "-m", "ceremony", *words, cwd=tmp_path, PYTHONPATH=str(installed))

    told = ceremony("--version").splitlines()
    commit = run("git", "rev-parse", "HEAD", cwd=ROOT).strip()
    assert told[0] == "root-ceremony 0.1.0"
    assert told[1].startswith(f"commit: {commit}, of 2") and told[1].endswith(("as committed)", "CHANGED after it)"))
    assert told[2:] == [f"wheel: SHA-256 {digest}, as pip noted at the installation", "files: as in the wheel"]

    script = installed / "ceremony" / "shipped-scripts" / "first-ceremony.toml"
    assert script.read_bytes() == (ROOT / "ceremony-scripts" / "first-ceremony.toml").read_bytes()
    assert json.loads(ceremony("check", script, "--json"))
    assert "root-generation" in (installed / "ceremony" / "shipped-scripts").joinpath("root-generation.toml").read_text()

    changed = installed / "hsm" / "keys.py"
    changed.write_bytes(changed.read_bytes() + b"\n")
    (prefix / "share" / "man" / "man1" / "ceremony.1").unlink()
    assert ceremony("--version").splitlines()[3] == "files: NOT as in the wheel: ../../../share/man/man1/ceremony.1, hsm/keys.py"


def test_the_record_holds_the_build(monkeypatch: pytest.MonkeyPatch) -> None:
    build = Build("1.2.3", "c" * 40, "2026-12-01T00:00:00Z", "as committed", "d" * 64, ("hsm/keys.py",))
    monkeypatch.setattr(describe, "build", lambda: build)
    tool = describe.describe(cast(ModuleInfo, SimpleNamespace(facts=dict)), (), ())["tool"]
    assert {key: tool[key] for key in build.facts()} == build.facts()
    assert set(tool) == {"version", "commit", "committed_at", "tree", "wheel_sha256", "altered", "sha256", "packages"}


@pytest.mark.parametrize(
    ("tree", "altered", "verdict"),
    [
        ("as committed", (), "ok"),
        ("as committed", ("hsm/keys.py",), "found"),
        ("changed", (), "found"),
        ("not told", (), "unknown"),
        ("checkout", None, "unknown"),
    ],
)
def test_doctor_tells_a_program_that_is_not_as_a_commit_and_a_wheel_have_it(
    tree: str, altered: tuple[str, ...] | None, verdict: str
) -> None:
    assert program(Build("1.2.3", "c" * 40, None, tree, "d" * 64, altered)).verdict == verdict


def test_a_file_that_record_gives_no_digest_for_is_no_change_and_a_missing_one_is(tmp_path: Path) -> None:
    (tmp_path / "x-1.dist-info").mkdir()
    (tmp_path / "x.py").write_bytes(b"pass\n")
    digest = base64.urlsafe_b64encode(hashlib.sha256(b"pass\n").digest()).decode().rstrip("=")
    lines = (f"x.py,sha256={digest},5", f"gone.py,sha256={digest},5", "x.pyc,,", "x-1.dist-info/RECORD,,")
    (tmp_path / "x-1.dist-info" / "RECORD").write_text("\n".join(lines) + "\n")
    assert list(altered_files(Distribution.at(tmp_path / "x-1.dist-info"))) == ["gone.py"]
    (tmp_path / "x.py").write_bytes(b"fail\n")
    assert list(altered_files(Distribution.at(tmp_path / "x-1.dist-info"))) == ["gone.py", "x.py"]


def test_the_hook_tells_commit_and_change_and_a_checkout_reads_its_own(tmp_path: Path) -> None:
    def git(*words: str, cwd: Path = tmp_path / "repo") -> str:
        identity = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
        return run("git", "-c", "user.name=x", "-c", "user.email=x@example.org", *words, cwd=cwd, **identity).strip()

    repo = tmp_path / "repo"
    (repo / "ceremony").mkdir(parents=True)
    (repo / "ceremony" / "a.py").write_text("1\n")
    git("init", "-q", "-b", "main")
    git("add", "-A")
    git("commit", "-q", "-m", "first", "--date", "2026-01-02T03:04:05+05:00")
    commit = git("rev-parse", "HEAD")
    told = hook().told(repo)
    assert (told["commit"], told["tree"]) == (commit, "as committed") and told["committed_at"].endswith("Z")
    assert commit_of_checkout(repo) == commit
    git("worktree", "add", "-q", "-b", "other", "../second")
    assert commit_of_checkout(tmp_path / "second") == commit
    git("pack-refs", "--all")
    assert commit_of_checkout(repo) == commit_of_checkout(tmp_path / "second") == commit
    git("checkout", "-q", "--detach")
    assert commit_of_checkout(repo) == commit
    (repo / "unrelated.txt").write_text("x")
    assert hook().told(repo)["tree"] == "as committed"
    (repo / "ceremony" / "b.py").write_text("2\n")
    assert hook().told(repo)["tree"] == "changed"
    assert commit_of_checkout(tmp_path) is None
