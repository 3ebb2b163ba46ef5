"""The allow-list of kernel modules: what is needed comes along, and no driver of networks, radios or disks gets in by any way."""

from pathlib import Path

import pytest

from image import modules

DEP = """\
kernel/drivers/usb/storage/usb-storage.ko.xz: kernel/drivers/scsi/scsi_mod.ko.xz kernel/drivers/usb/core/usbcore.ko.xz
kernel/drivers/scsi/scsi_mod.ko.xz:
kernel/drivers/usb/core/usbcore.ko.xz:
kernel/drivers/usb/class/cdc-acm.ko.xz: kernel/drivers/usb/core/usbcore.ko.xz
kernel/drivers/ata/ahci.ko.xz: kernel/drivers/scsi/scsi_mod.ko.xz
kernel/fs/netfs/netfs.ko.xz:
kernel/drivers/hid/hid-odd.ko.xz: kernel/drivers/net/usb/usbnet.ko.xz
kernel/drivers/net/usb/usbnet.ko.xz:
"""


def allowed(*names: str) -> list[str]:
    return modules.closure(names, modules.read_dependencies(DEP), ["kernel/fs/ext2/built-in.ko"])


def test_what_a_listed_module_needs_comes_along() -> None:
    assert [Path(path).name for path in allowed("usb_storage")] == ["scsi_mod.ko.xz", "usbcore.ko.xz", "usb-storage.ko.xz"]
    assert allowed("built_in") == []


@pytest.mark.parametrize("name", ["ahci", "cdc_acm", "usbnet", "hid_odd"])
def test_a_forbidden_driver_is_refused_even_when_it_is_listed_or_needed(name: str) -> None:
    with pytest.raises(modules.Refused, match="forbidden modules"):
        allowed("usb_storage", name)


def test_a_name_that_the_kernel_does_not_have_is_refused() -> None:
    with pytest.raises(modules.Refused, match="has no module usb_storrage"):
        allowed("usb_storrage")


@pytest.mark.parametrize(
    "path",
    [
        "drivers/net/ethernet/intel/e1000/e1000", "drivers/net/wireless/ath/ath", "drivers/net/usb/usbnet", "net/mac80211/mac80211",
        "drivers/bluetooth/btusb", "drivers/nvme/host/nvme", "drivers/ata/ahci", "drivers/mmc/core/mmc_core", "drivers/thunderbolt/tbt",
        "drivers/scsi/megaraid/megaraid_sas", "drivers/block/virtio_blk", "drivers/usb/serial/usbserial", "drivers/nfc/nfcsim",
    ],
)  # fmt: skip
def test_each_kind_of_forbidden_driver_is_known_by_its_place(path: str) -> None:
    assert modules.FORBIDDEN.match(f"kernel/{path}.ko.xz")


@pytest.mark.parametrize(
    "path", ["drivers/scsi/sd_mod", "drivers/scsi/scsi_mod", "drivers/block/loop", "drivers/usb/host/xhci-pci", "fs/ext4/ext4"]
)
def test_what_media_and_keyboards_need_is_not_forbidden(path: str) -> None:
    assert not modules.FORBIDDEN.match(f"kernel/{path}.ko.xz")


def test_the_committed_list_names_no_module_twice() -> None:
    names = modules.listed((modules.HERE / "modules.list").read_text())
    assert len(names) == len(set(names)) > 20


def test_a_driver_built_into_the_kernel_is_told_and_its_protocols_are_not() -> None:
    built_in = ["kernel/drivers/net/ethernet/intel/e1000/e1000.ko", "kernel/net/ipv4/tunnel4.ko", "kernel/drivers/ata/libata.ko"]
    assert len(list(modules.problems_with_built_in(built_in))) == 2


def test_a_module_that_got_into_the_tree_by_another_way_is_found(tmp_path: Path) -> None:
    for path in ("usr/lib/modules/6.12/kernel/fs/ext4/ext4.ko.xz", "opt/vendor/lib/modules/6.12/kernel/drivers/net/x.ko"):
        (tmp_path / path).parent.mkdir(parents=True)
        (tmp_path / path).touch()
    assert list(modules.problems_with_tree(tmp_path, ["kernel/fs/ext4/ext4.ko.xz"])) == [
        "a module that is not allowed: opt/vendor/lib/modules/6.12/kernel/drivers/net/x.ko"
    ]
