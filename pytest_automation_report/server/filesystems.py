"""Whether a store's file is on a network file system (floor 2): the write-ahead log does not work there."""

from __future__ import annotations

import re
from pathlib import Path

MOUNTS = Path("/proc/mounts")
"""Where Linux tells what is mounted; elsewhere there is no such file, and every file counts as local."""

_NETWORK = frozenset(
    (
        *("nfs", "nfs4", "cifs", "smb2", "smb3", "smbfs", "ncpfs", "afs", "davfs"),
        *("ceph", "glusterfs", "lustre", "beegfs", "gpfs", "panfs", "orangefs", "ocfs2", "gfs2"),
        *("9p", "virtiofs", "vboxsf", "vmhgfs"),
    )
)
_LOCAL_FUSE = frozenset({"fuse.fuse-overlayfs", "fuse.overlayfs", "fuse.mergerfs", "fuse.ntfs-3g", "fuse.bindfs"})
_ESCAPED = re.compile(r"\\([0-7]{3})")


def network_type(path: Path, mounts: Path = MOUNTS) -> str | None:
    """Return the type of the network file system that a file is on, ``None`` for a file on this machine."""
    try:
        lines = mounts.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return None
    found, best = "", -1
    place = path.resolve()
    for line in lines:
        _, point, kind, *_ = [*line.split(" "), "", "", ""]
        folder = Path(_ESCAPED.sub(lambda match: chr(int(match[1], 8)), point))
        # The last of several mounts on one point is the one that is seen.
        if len(folder.parts) >= best and place.is_relative_to(folder):
            found, best = kind, len(folder.parts)
    return found if _is_network(found) else None


def _is_network(kind: str) -> bool:
    return kind in _NETWORK or (kind.startswith("fuse.") and kind not in _LOCAL_FUSE)
