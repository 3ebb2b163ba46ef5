import errno
import json
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from ceremony.errors import CeremonyError
from ceremony.machine import media
from ceremony.machine.media import copy_in, copy_out, requests_on
from ceremony.words import sha256_hex


def tree(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def code_of(act):
    with pytest.raises(CeremonyError) as refused:
        act()
    return refused.value.code


@pytest.fixture
def request_folder(tmp_path):
    folder = tmp_path / "in" / "request-1"
    (folder / "csr").mkdir(parents=True)
    (folder / "request.json").write_bytes(b"{}\n")
    (folder / "SHA256SUMS").write_bytes(b"sums\n")
    (folder / "csr" / "alpha.1.csr.pem").write_bytes(b"pem\n")
    return folder


@pytest.fixture
def target(tmp_path):
    return tmp_path / "d" / "requests" / "1"


@pytest.fixture
def bundle(tmp_path):
    folder = tmp_path / "d" / "bundles" / "1"
    (folder / "proof-of-possession" / "dps").mkdir(parents=True)
    (folder / "manifest.json").write_text(json.dumps({"ceremony": "ab"}, separators=(",", ":")) + "\n")
    (folder / "SHA256SUMS").write_bytes(b"sums\n")
    (folder / "proof-of-possession" / "dps" / "root.cert.pem").write_bytes(b"pem\n" * 5000)
    return folder


@pytest.fixture
def outbox(tmp_path):
    folder = tmp_path / "out"
    folder.mkdir()
    return folder


class TestCopyIn:
    def test_a_request_comes_in_byte_for_byte_for_its_owner_alone(self, request_folder, target):
        copy_in(request_folder, target)
        assert tree(target) == tree(request_folder)
        assert {path.stat().st_mode & 0o777 for path in (target, target / "csr")} == {0o700}
        assert (target / "csr" / "alpha.1.csr.pem").stat().st_mode & 0o777 == 0o600
        assert os.listdir(target.parent) == ["1"]

    def make_link(self, folder):
        (folder / "passwd").symlink_to("/etc/passwd")

    def make_folder_link(self, folder):
        (folder / "more").symlink_to("/etc")

    def make_pipe(self, folder):
        os.mkfifo(folder / "pipe")

    def make_socket(self, folder):
        here = Path.cwd()
        os.chdir(folder)
        try:
            with socket.socket(socket.AF_UNIX) as made:
                made.bind("socket")
        finally:
            os.chdir(here)

    def make_large(self, folder):
        (folder / "large.bin").write_bytes(b"x" * 65537)

    def make_many(self, folder):
        for number in range(498):
            (folder / f"f{number}").touch()

    def make_deep(self, folder):
        (folder / "csr" / "more").mkdir()

    @pytest.mark.parametrize(
        ("make", "code"),
        [
            (make_link, "MEDIUM-LINK"), (make_folder_link, "MEDIUM-LINK"), (make_pipe, "MEDIUM-LINK"), (make_socket, "MEDIUM-LINK"),
            (make_large, "MEDIUM-TOO-LARGE"), (make_many, "MEDIUM-TOO-LARGE"), (make_deep, "MEDIUM-TOO-LARGE"),
        ],
    )  # fmt: skip
    def test_what_is_no_plain_small_file_is_refused_and_leaves_nothing(self, request_folder, target, make, code):
        make(self, request_folder)
        assert code_of(lambda: copy_in(request_folder, target)) == code
        assert not target.parent.exists()

    @pytest.mark.parametrize(
        "name", ["UPPER", ".hidden", "-dash", "sp ace", "esc\x1b[2J", "bidi\u202e", "x" * 65, "sha256sums2\n", "\udcff"]
    )
    def test_a_name_that_we_do_not_take_is_refused_and_shown_harmless(self, request_folder, target, name):
        (request_folder / name).write_bytes(b"")
        with pytest.raises(CeremonyError) as refused:
            copy_in(request_folder, target)
        assert refused.value.code == "MEDIUM-NAME"
        assert refused.value.what.isascii() and refused.value.what.isprintable()

    def test_two_names_that_differ_in_case_alone_are_refused(self, request_folder, target):
        (request_folder / "sha256sums").write_bytes(b"")
        assert code_of(lambda: copy_in(request_folder, target)) == "MEDIUM-NAME"

    def test_the_caps_themselves_are_taken(self, request_folder, target):
        (request_folder / "large.bin").write_bytes(b"x" * 65536)
        for number in range(496):
            (request_folder / f"f{number}").touch()
        copy_in(request_folder, target)
        assert len(tree(target)) == 500

    def test_a_link_in_place_of_the_folder_is_refused(self, request_folder, target):
        link = request_folder.with_name("request-2")
        link.symlink_to(request_folder)
        assert code_of(lambda: copy_in(link, target)) in {"MEDIUM-LINK", "MEDIUM-GONE"}

    def test_a_medium_that_is_gone_is_said(self, tmp_path, target):
        assert code_of(lambda: copy_in(tmp_path / "nowhere", target)) == "MEDIUM-GONE"

    def test_a_medium_that_goes_while_it_is_read_is_said(self, request_folder, target, monkeypatch):
        def fail(*_args, **_more):
            raise OSError(errno.EIO, os.strerror(errno.EIO))

        with monkeypatch.context() as patch:
            patch.setattr(os, "stat", fail)
            assert code_of(lambda: copy_in(request_folder, target)) == "MEDIUM-GONE"

    @pytest.mark.parametrize("swap", [lambda path: path.symlink_to("/etc/passwd"), os.mkfifo])
    def test_a_file_swapped_after_it_was_looked_at_is_not_followed(self, request_folder, target, monkeypatch, swap):
        really_look = os.stat

        def look_then_swap(path, *, dir_fd=None, follow_symlinks=True):
            found = really_look(path, dir_fd=dir_fd, follow_symlinks=follow_symlinks)
            if path == "request.json":
                (request_folder / path).unlink()
                swap(request_folder / path)
            return found

        with monkeypatch.context() as patch:
            patch.setattr(os, "stat", look_then_swap)
            assert code_of(lambda: copy_in(request_folder, target)) == "MEDIUM-LINK"
        assert not target.exists()

    def test_a_place_that_is_taken_stays_as_it_is(self, request_folder, target):
        copy_in(request_folder, target)
        (request_folder / "request.json").write_bytes(b"other")
        assert code_of(lambda: copy_in(request_folder, target)) == "MEDIUM-TAKEN"
        assert (target / "request.json").read_bytes() == b"{}\n"

    def test_our_own_disk_full_leaves_nothing_and_the_next_try_goes_through(self, request_folder, target, monkeypatch):
        def fail(path, octets, **_more):
            path.write_bytes(octets[:1])
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        with monkeypatch.context() as patch:
            patch.setattr(media, "write_new", fail)
            assert code_of(lambda: copy_in(request_folder, target)) == "RECORD-UNWRITABLE"
        assert os.listdir(target.parent) == []
        copy_in(request_folder, target)

    def test_what_a_crash_left_of_a_copy_is_swept_away(self, request_folder, target):
        (target.parent / ".1.partial").mkdir(parents=True)
        (target.parent / ".1.partial" / "old").touch()
        copy_in(request_folder, target)
        assert tree(target) == tree(request_folder)


class TestRequestsOn:
    def test_folders_with_a_request_sorted_and_nothing_else(self, tmp_path, request_folder):
        inbox = request_folder.parent
        for name in ("request-0", "request-3"):
            shutil.copytree(request_folder, inbox / name)
        (inbox / "lost+found").mkdir()
        (inbox / "notes.txt").touch()
        assert [path.name for path in requests_on(inbox)] == ["request-0", "request-1", "request-3"]
        assert requests_on(request_folder) == [request_folder]

    def test_none_and_gone_and_linked_and_ill_named(self, tmp_path, request_folder):
        inbox = request_folder.parent
        assert code_of(lambda: requests_on(tmp_path / "nowhere")) == "MEDIUM-GONE"
        (tmp_path / "empty").mkdir()
        assert requests_on(tmp_path / "empty") == []
        (inbox / "link").symlink_to(request_folder)
        assert code_of(lambda: requests_on(inbox)) == "MEDIUM-LINK"
        (inbox / "link").unlink()
        shutil.copytree(request_folder, inbox / "Bad\x1bName")
        assert code_of(lambda: requests_on(inbox)) == "MEDIUM-NAME"


class TestCopyOut:
    def test_a_bundle_goes_out_byte_for_byte_and_everybody_may_read_it(self, bundle, outbox):
        before = os.umask(0o077)
        try:
            receipt = copy_out(bundle, outbox, "bundle-1")
        finally:
            os.umask(before)
        assert tree(outbox / "bundle-1") == tree(bundle)
        assert receipt == {
            "path": str(outbox / "bundle-1"),
            "files": 3,
            "bytes": sum(map(len, tree(bundle).values())),
            "sha256sums_sha256": sha256_hex(b"sums\n"),
            "read_back": "after-flush",
        }
        made = outbox / "bundle-1" / "proof-of-possession"
        assert [path.stat().st_mode & 0o777 for path in (made, made / "dps", made / "dps" / "root.cert.pem")] == [0o755, 0o755, 0o644]
        assert os.listdir(outbox) == ["bundle-1"]

    def test_a_second_bundle_of_the_ceremony_goes_beside_the_first(self, bundle, outbox):
        copy_out(bundle, outbox, "bundle-1")
        (outbox / "lost+found").mkdir()
        copy_out(bundle, outbox, "bundle-2")
        assert (outbox / "bundle-2" / "manifest.json").exists()

    def test_the_same_bundle_again_is_read_back_and_will_do(self, bundle, outbox):
        assert copy_out(bundle, outbox, "bundle-1") == copy_out(bundle, outbox, "bundle-1")

    def test_another_content_under_the_same_name_is_told_and_left_alone(self, bundle, outbox):
        copy_out(bundle, outbox, "bundle-1")
        (outbox / "bundle-1" / "SHA256SUMS").write_bytes(b"summs\n")
        assert code_of(lambda: copy_out(bundle, outbox, "bundle-1")) == "MEDIUM-DIFFERS"
        assert (outbox / "bundle-1" / "SHA256SUMS").read_bytes() == b"summs\n"

    @pytest.mark.parametrize(
        "foreign", ["letter.txt", "folder/letter.txt", "other/manifest.json", "broken/manifest.json", "System Volume Information/x"]
    )
    def test_a_medium_with_something_else_on_it_is_refused_and_left_alone(self, bundle, outbox, foreign):
        (outbox / foreign).parent.mkdir(exist_ok=True)
        (outbox / foreign).write_bytes(b'{"ceremony":"cd"}\n' if foreign.startswith("other") else b"{")
        before = tree(outbox)
        assert code_of(lambda: copy_out(bundle, outbox, "bundle-1")) == "MEDIUM-NOT-EMPTY"
        assert tree(outbox) == before

    def test_a_link_that_poses_as_our_bundle_is_refused(self, bundle, outbox):
        (outbox / "bundle-0").symlink_to(bundle)
        assert code_of(lambda: copy_out(bundle, outbox, "bundle-1")) == "MEDIUM-NOT-EMPTY"

    def test_a_medium_that_is_gone_is_said(self, bundle, tmp_path):
        assert code_of(lambda: copy_out(bundle, tmp_path / "nowhere", "bundle-1")) == "MEDIUM-GONE"

    def test_a_medium_too_small_is_refused_before_anything_is_written(self, bundle, outbox, monkeypatch):
        real = os.statvfs(outbox)
        small = os.statvfs_result((*real[:4], 1, *real[5:]))
        monkeypatch.setattr(os, "statvfs", lambda _path: small)
        monkeypatch.setattr(media, "write_new", lambda *_args, **_more: pytest.fail("wrote"))
        assert code_of(lambda: copy_out(bundle, outbox, "bundle-1")) == "MEDIUM-FULL"

    @pytest.mark.parametrize(
        ("number", "code"),
        [(errno.ENOSPC, "MEDIUM-FULL"), (errno.EROFS, "MEDIUM-READ-ONLY"), (errno.EACCES, "MEDIUM-READ-ONLY"), (errno.EIO, "MEDIUM-GONE")],
    )
    def test_a_copy_that_fails_half_way_is_taken_away_and_can_be_made_again(self, bundle, outbox, monkeypatch, number, code):
        def fail(path, octets, **_more):
            path.write_bytes(octets[:1])
            raise OSError(number, os.strerror(number))

        with monkeypatch.context() as patch:
            patch.setattr(media, "write_new", fail)
            assert code_of(lambda: copy_out(bundle, outbox, "bundle-1")) == code
        assert os.listdir(outbox) == []
        assert copy_out(bundle, outbox, "bundle-1")["read_back"]

    def lose_a_byte(self, folder):
        file = folder / "proof-of-possession" / "dps" / "root.cert.pem"
        octets = bytearray(file.read_bytes())
        octets[-1] ^= 1
        file.write_bytes(octets)

    def lose_a_file(self, folder):
        (folder / "SHA256SUMS").unlink()

    def gain_a_file(self, folder):
        (folder / "more").touch()

    @pytest.mark.parametrize("harm", [lose_a_byte, lose_a_file, gain_a_file])
    def test_a_medium_that_keeps_something_else_is_found_by_the_reading_back(self, bundle, outbox, monkeypatch, harm):
        really_write = media._write_tree

        def write_badly(folder, files, *, public):
            really_write(folder, files, public=public)
            harm(self, folder)

        monkeypatch.setattr(media, "_write_tree", write_badly)
        assert code_of(lambda: copy_out(bundle, outbox, "bundle-1")) == "MEDIUM-DIFFERS"
        assert os.listdir(outbox) == []

    def test_what_a_crash_left_of_a_copy_is_swept_away(self, bundle, outbox):
        (outbox / ".bundle-1.partial").mkdir()
        copy_out(bundle, outbox, "bundle-1")
        assert os.listdir(outbox) == ["bundle-1"]

    def test_a_bundle_that_is_not_there_or_has_no_sums_is_not_copied(self, bundle, outbox):
        assert code_of(lambda: copy_out(bundle.with_name("7"), outbox, "bundle-7")) == "RECORD-MISSING"
        (bundle / "SHA256SUMS").unlink()
        assert code_of(lambda: copy_out(bundle, outbox, "bundle-1")) == "RECORD-MISSING"

    def test_a_bundle_with_a_link_in_it_does_not_leave(self, bundle, outbox):
        (bundle / "key").symlink_to("/etc/passwd")
        assert code_of(lambda: copy_out(bundle, outbox, "bundle-1")) == "MEDIUM-LINK"
        assert os.listdir(outbox) == []

    @pytest.mark.parametrize("name", ["", "../x", "Bundle", ".x"])
    def test_a_name_of_ours_that_would_not_come_back_in_is_a_mistake_of_ours(self, bundle, outbox, name):
        with pytest.raises(ValueError, match="not a name"):
            copy_out(bundle, outbox, name)


@pytest.mark.parametrize(
    ("options", "code"), [("size=16k", "MEDIUM-FULL"), ("ro", "MEDIUM-READ-ONLY"), ("size=1m,nr_inodes=3", "MEDIUM-FULL")]
)
def test_real_media_full_and_read_only(bundle, outbox, options, code):
    """On a file system of its own, in a name space of its own that ends with the process."""
    if shutil.which("unshare") is None or subprocess.run(["unshare", "-rm", "true"], check=False).returncode:
        pytest.skip("this machine does not let a process have mounts of its own")
    act = (
        "import sys; from pathlib import Path; from ceremony.machine.media import copy_out; from ceremony.errors import CeremonyError\n"
        "try: copy_out(Path(sys.argv[1]), Path(sys.argv[2]), 'bundle-1')\n"
        "except CeremonyError as error: print(error.code, *[p.name for p in Path(sys.argv[2]).iterdir()])"
    )
    line = f'mount -t tmpfs -o {options} none "$2" && exec "$0" -c "$3" "$1" "$2"'
    command = ["unshare", "-rm", "sh", "-c", line, sys.executable, bundle, outbox, act]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.split() == [code]
