"""Runs a prepared command in the folder, with the environment and the descriptors of this process, and ends as it ends.

Its arguments are the address of the process that forks, and those of Python.
"""

import array
import marshal
import os
import sys
from _socket import AF_UNIX, SCM_RIGHTS, SOCK_SEQPACKET, SOL_SOCKET, socket

descriptors = [int(name) for name in os.listdir("/proc/self/fd")]  # noqa: PTH208 - pathlib takes long to load
descriptors = [each for each in sorted(descriptors) if os.path.exists(f"/proc/self/fd/{each}")]  # noqa: PTH110 - the listing's own is gone
asking = socket(AF_UNIX, SOCK_SEQPACKET)
asking.connect(sys.argv[1])
is_leader = os.getsid(0) == os.getpid()
request = marshal.dumps((sys.argv[2:], os.getcwd(), dict(os.environ), is_leader, descriptors))  # noqa: PTH109
asking.sendmsg([request], [(SOL_SOCKET, SCM_RIGHTS, array.array("i", descriptors))])
asking.recv(99)  # the fork's process id
status = int(asking.recv(99))
if status < 0:
    os.kill(os.getpid(), -status)
os._exit(status)
