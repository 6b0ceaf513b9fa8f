"""Runs a prepared command in the folder, with the environment and the streams of this process, and ends as it ends.

Its arguments are the address of the process that forks, and those of Python.
"""

import array
import marshal
import os
import sys
from _socket import AF_UNIX, SCM_RIGHTS, SOCK_SEQPACKET, SOL_SOCKET, socket

if any(each.startswith("/dev/fd/") for each in sys.argv):  # a fork has no other descriptors than the streams
    os.execv(sys.executable, [sys.executable, *sys.argv[2:]])
asking = socket(AF_UNIX, SOCK_SEQPACKET)
asking.connect(sys.argv[1])
request = marshal.dumps((sys.argv[2:], os.getcwd(), dict(os.environ), False))  # noqa: PTH109 - pathlib takes long to load
asking.sendmsg([request], [(SOL_SOCKET, SCM_RIGHTS, array.array("i", [0, 1, 2]))])
asking.recv(99)  # the fork's process id
status = int(asking.recv(99))
if status < 0:
    os.kill(os.getpid(), -status)
os._exit(status)
