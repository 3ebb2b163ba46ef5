import io

import pytest

from ceremony.errors import CeremonyError
from ceremony.machine.doctor import examine, image
from ceremony.machine.site import Site


def findings(tmp_path, site=None, facts=lambda: ["SoftHSM 2.6.1.", "One token."], **more):
    found = examine(site or Site(), facts, root=tmp_path, stdin=io.StringIO(), screen=io.StringIO(), environ={}, **more)
    return {finding.check: finding for finding in found}


def test_everything_is_looked_at_even_where_nothing_is_well(tmp_path):
    found = findings(tmp_path)
    assert list(found)[:4] == ["python", "program", "terminal", "module"]
    assert {"routes", "interfaces", "radios", "swap", "automount", "input-devices", "clock"} <= set(found)
    assert found["module"].detail == "SoftHSM 2.6.1. One token."


def test_the_terminals_problem_keeps_its_code_and_what_to_do(tmp_path):
    terminal = findings(tmp_path)["terminal"]
    assert (terminal.verdict, "TERMINAL-MISSING" in terminal.detail, "ssh -t" in terminal.do_now) == ("found", True, True)


def test_a_module_that_is_unfit_is_a_finding_not_a_crash(tmp_path):
    def no_module():
        raise CeremonyError("SITE-INVALID", "There is no module.", do_now="Type this line.")

    module = findings(tmp_path, facts=no_module)["module"]
    assert (module.verdict, module.do_now) == ("found", "Type this line.")
    assert module.detail == "There is no module. (SITE-INVALID)"


@pytest.mark.parametrize(("version", "verdict"), [((3, 10), "found"), ((3, 11), "ok"), ((3, 13), "ok")])
def test_an_old_python_is_found(tmp_path, version, verdict):
    assert findings(tmp_path, python=version)["python"].verdict == verdict


def test_media_of_the_site_file_that_are_not_there_are_found(tmp_path):
    (tmp_path / "in").mkdir()
    found = findings(tmp_path, Site(inbox=tmp_path / "in", outbox=tmp_path / "out"))
    assert (found["inbox"].verdict, found["outbox"].verdict) == ("ok", "found")


def test_the_ceremony_machines_image_is_told_and_held_against_the_script():
    assert image(None, None) == []
    assert [(finding.check, finding.verdict) for finding in image(None, "5a" * 32)] == [("image", "ok")]
    assert image("5a" * 32, "5a" * 32)[0].verdict == "ok"
    (finding,) = image("5a" * 32, None)
    assert (finding.verdict, "Boot the ceremony machine" in finding.do_now) == ("found", True)
