"""The data sets of a job in its workspace: put together from their chunks, each chunk checked, readable by the job alone.

They lie beside the workspace in a folder of the engine's own, so that no link of a tenant's can lead a process with more
rights than the job's elsewhere; in the workspace stands a link to it. A job gets a copy: a data set that is deleted
or damaged later does not change under it, and it can change nothing that others read.
"""

import errno
import os
import shutil
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

from eisbach.core.jobs.data_request import FOLDER
from eisbach.engines.local import durable
from eisbach.engines.local.unpack import Refused
from eisbach.ports.engine import DataOrder
from eisbach.ports.objects import manifest_of


def place_data(orders: Sequence[DataOrder], folder: str, user_id: int | None) -> None:
    """Have `folder`/data with a folder for each data set; raise Refused, or OSError of the disk."""
    top = f"{folder}/{FOLDER}"
    _check_room(orders, folder)
    os.mkdir(top, 0o700)
    for order in orders:
        place = f"{top}/{order.name}"
        os.mkdir(place, 0o700)
        _write(order, f"{place}/{order.file_name}")
        _give(f"{place}/{order.file_name}", user_id, 0o440)
        _give(place, user_id, 0o550)
    _give(top, user_id, 0o550)


def same_data(source: str, folder: str) -> None:
    """Have the data of another task of the job here too: the same files, linked, since nobody can change them."""
    shutil.copytree(f"{source}/{FOLDER}", f"{folder}/{FOLDER}", copy_function=os.link)
    for parent, _, _ in os.walk(f"{folder}/{FOLDER}"):
        status = os.stat(f"{source}/{os.path.relpath(parent, folder)}")
        os.chown(parent, status.st_uid, status.st_gid)


def _check_room(orders: Sequence[DataOrder], folder: str) -> None:
    needed, free = sum(order.size for order in orders), shutil.disk_usage(folder).free
    if needed > free:
        raise OSError(errno.ENOSPC, f"the data sets need {needed} bytes of scratch space and {free} are free")


def _write(order: DataOrder, path: str) -> None:
    digests: list[str] = []
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o400)
    try:
        for part in _parts(order):
            content = part.read_bytes()
            digests.append(sha256(content).hexdigest())
            if digests[-1] != part.name.partition("-")[2]:
                raise Refused("a data set that the task names is damaged")
            durable.write_all(fd, content)
    finally:
        os.close(fd)
    if manifest_of(order.size, digests) != order.manifest:
        raise Refused("a data set that the task names is not what it was")


def _parts(order: DataOrder) -> list[Path]:
    try:
        return sorted(order.folder.iterdir())
    except FileNotFoundError as error:
        raise Refused("a data set that the task names was deleted") from error


def _give(path: str, user_id: int | None, mode: int) -> None:
    if user_id is not None:
        os.chown(path, -1, user_id)
    os.chmod(path, mode)
