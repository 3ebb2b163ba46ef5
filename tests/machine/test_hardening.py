import json
import os
import subprocess
import sys

import pytest

REPORT = """
import json, os, resource, sys
from ceremony.machine.hardening import harden, is_dumpable
before = is_dumpable()
removed = harden(os.environ)
import textual.constants
told = dict(removed=removed, before=before, after=is_dumpable(), core=resource.getrlimit(resource.RLIMIT_CORE),
            umask=os.umask(0), log=textual.constants.LOG_FILE, left=sorted(os.environ))
print(json.dumps(told))
"""


@pytest.fixture(scope="module")
def hardened():
    environ = {**os.environ, "TEXTUAL_LOG": "keys.log", "TEXTUAL_PRESS": "a", "PKCS11SPY_OUTPUT": "pins.log", "OPENSC_DEBUG": "9"}
    environ |= {"PYTHONASYNCIODEBUG": "1", "SSLKEYLOGFILE": "tls.log", "YUBIHSM_PKCS11_DINOUT": "1", "SOFTHSM2_CONF": "c"}
    done = subprocess.run([sys.executable, "-c", REPORT], env=environ, capture_output=True, check=True)
    return json.loads(done.stdout)


def test_debug_switches_are_gone_before_textual_reads_them(hardened):
    removed = {"TEXTUAL_LOG", "TEXTUAL_PRESS", "PKCS11SPY_OUTPUT", "OPENSC_DEBUG"}
    removed |= {"PYTHONASYNCIODEBUG", "SSLKEYLOGFILE", "YUBIHSM_PKCS11_DINOUT"}
    assert removed <= set(hardened["removed"])
    assert hardened["removed"] == sorted(hardened["removed"])
    assert not removed & set(hardened["left"])
    assert hardened["log"] is None


def test_what_is_no_debug_switch_stays(hardened):
    assert {"PATH", "SOFTHSM2_CONF"} <= set(hardened["left"])


@pytest.mark.skipif(sys.platform != "linux", reason="prctl is Linux's")
def test_no_core_dump_and_no_look_from_outside(hardened):
    assert (hardened["before"], hardened["after"]) == (True, False)
    assert hardened["core"] == [0, 0]


def test_files_are_made_for_their_owner_alone(hardened):
    assert hardened["umask"] == 0o077


@pytest.mark.skipif(sys.platform != "linux" or os.getuid() == 0, reason="root may read every process's memory")
def test_another_process_of_the_same_user_cannot_read_the_memory():
    code = "import os; from ceremony.machine.hardening import harden; harden(os.environ); print(1, flush=True); input()"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        with pytest.raises(PermissionError):
            open(f"/proc/{child.pid}/mem", "rb").close()
        child.communicate(b"\n")


def test_a_clean_environment_loses_nothing():
    code = "from ceremony.machine.hardening import harden; e = {'PATH': '/bin', 'LANG': 'C.UTF-8'}; assert harden(e) == [] and len(e) == 2"
    subprocess.run([sys.executable, "-c", code], check=True)

