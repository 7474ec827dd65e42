#!/usr/bin/env python3
"""Stops one thread of a process, as a bug or a page that never comes would, while all others run on.

Usage: stop_thread.py PROCESS NAME

Prints `stopped` and holds the thread until one of the two is ended: this process (the thread then runs on), or that one. NAME is the thread's as the kernel
shows it (/proc/PROCESS/task/*/comm). Needs the right to trace the process: root, or its own child's parent where Yama allows.
"""

import ctypes
import os
import sys

SEIZE, INTERRUPT = 0x4206, 0x4207
ALL_THREADS = 0x40000000


def main():
    process, name = int(sys.argv[1]), sys.argv[2]
    libc = ctypes.CDLL(None, use_errno=True)
    libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]

    def ptrace(request, thread):
        if libc.ptrace(request, thread, None, None) < 0:
            code = ctypes.get_errno()
            sys.exit(f"ptrace: thread {thread}: {os.strerror(code)}")

    threads = []
    for entry in os.listdir(f"/proc/{process}/task"):
        with open(f"/proc/{process}/task/{entry}/comm") as comm:
            if comm.read().strip() == name[:15]:
                threads.append(int(entry))
    # A sanitizer's thread bears the process's name, too; its first thread is the one that is meant.
    if process in threads:
        threads = [process]
    if len(threads) != 1:
        sys.exit(f"process {process} has {len(threads)} threads of the name {name}")
    ptrace(SEIZE, threads[0])
    ptrace(INTERRUPT, threads[0])
    os.waitpid(threads[0], ALL_THREADS)
    print("stopped", flush=True)
    # The kernel lets the thread go when this process ends. A killed process is not gone before its threads are, and who
    # traces one has to take note of its end.
    os.waitpid(threads[0], ALL_THREADS)


if __name__ == "__main__":
    main()
