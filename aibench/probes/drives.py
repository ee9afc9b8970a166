"""What the drives behind a target are: model, firmware, and the number that names each one."""

from collections.abc import Iterator

from aibench.probes import devices, sysfs

#: Where NVMe, SCSI and virtio tell it, below the directory of the block device.
_PLACES = {
    "model": ("device/model",),
    "firmware": ("device/firmware_rev", "device/rev"),
    "id": ("wwid", "device/wwid", "device/serial", "serial"),
}
NAMES = tuple(_PLACES)


def drives(device: str | None, root: str = "/") -> dict[str, str]:
    """``model``, ``firmware`` and ``id`` of the drives at the bottom of block device ``device``.

    Several drives are joined in order, equal values once; what none of them tells is absent.
    """
    found = {}
    for name, places in _PLACES.items():
        told = {_first(leaf, places, root) for leaf in _leaves(device, f"{root}/sys")}
        if known := sorted(filter(None, told)):
            found[name] = ", ".join(known)
    return found


def _leaves(device: str | None, sys: str) -> Iterator[str]:
    for member in devices.members(device, sys) if device else ():
        for name in devices.stack(member, sys):
            if not any(sysfs.names(f"{sys}/class/block/{name}/slaves")):
                yield name


def _first(device: str, places: tuple[str, ...], root: str) -> str:
    texts = (sysfs.text(f"{root}/sys/class/block/{device}/{place}") for place in places)
    return " ".join(next(filter(None, texts), "").split())
