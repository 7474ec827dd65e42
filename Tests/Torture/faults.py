"""A disk that is full, read-only, or fails at fsync, under a daemon that goes on serving."""

import os
import shutil
import subprocess
import time

import zmq

from daemon import Daemon
from kill import Verdict, compare, quiesce
from oracle import Oracle
from publisher import Publisher
from report import Progress

TMPFS_MIB = 96


class Fault:
    """One way for storage to fail: how it begins and how it ends."""

    def __init__(self, name, begin, end):
        self.name, self.begin, self.end = name, begin, end


def make_faults(state_disk, no_sync, read_only):
    filler = state_disk / "filler"

    def fill():
        with open(filler, "wb") as file:
            try:
                while True:
                    file.write(bytes(1 << 16))
                    file.flush()
            except OSError:
                pass

    return [
        Fault("disk full", fill, filler.unlink),
        Fault("read-only", read_only.touch, read_only.unlink),
        Fault("fsync fails", no_sync.touch, no_sync.unlink),
    ]


def health(daemon):
    """(ok or degraded, seconds that the answer took)."""
    begin = time.monotonic()
    degraded = daemon.call("stats").get("degraded")
    return "degraded" if degraded == "storage" else "ok", time.monotonic() - begin


def endure(fault, daemon, publisher, oracle, confirm):
    """The fault's course: seconds until the daemon said so, slowest answer meanwhile, acknowledgements while degraded, and
    seconds from the fault's end to the first acknowledgement."""
    publisher.pump(confirm, seconds=0.5)
    fault.begin()
    begun = time.monotonic()
    noticed, slowest = None, 0.0
    while time.monotonic() - begun < 4:
        publisher.pump(confirm, seconds=0.05)
        state, took = health(daemon)
        slowest = max(slowest, took)
        if noticed is None and state == "degraded":
            noticed = time.monotonic() - begun
        score = daemon.call("score", user=1, items=[1, 2, 3])
        assert len(score["scores"]) == 3, score
    before = oracle.events
    publisher.pump(confirm, seconds=0.5)
    acknowledged = oracle.events - before
    fault.end()
    ended = time.monotonic()
    healed = None
    while time.monotonic() - ended < 20 and healed is None:
        before = oracle.events
        publisher.pump(confirm, seconds=0.05)
        if oracle.events > before and health(daemon)[0] != "degraded":
            healed = time.monotonic() - ended
    return noticed, slowest, acknowledged, healed


def torture_faults(options):
    if os.geteuid() != 0:
        return {"name": "faults", "skipped": "root is needed to mount a small tmpfs", "passed": True}
    context = zmq.Context()
    work = options.work / "faults"
    state_disk, no_sync, read_only = work / "disk", work / "fail-sync", work / "read-only"
    subprocess.run(["umount", str(state_disk)], capture_output=True)
    shutil.rmtree(work, ignore_errors=True)
    state_disk.mkdir(parents=True)
    mount = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={TMPFS_MIB}m", "tmpfs", str(state_disk)], capture_output=True, text=True)
    if mount.returncode != 0:
        return {"name": "faults", "skipped": f"no tmpfs can be mounted here: {mount.stderr.strip()}", "passed": True}
    result, verdict, oracle = {"name": "faults"}, Verdict(), Oracle()
    daemon = Daemon(
        options.factord, state_disk / "state", work, context, trainers=options.trainers, snapshots="2s", segment="1MiB",
        preload=options.shim, environment={
            "TORTURE_FAIL_SYNC": str(no_sync.absolute()), "TORTURE_READ_ONLY": str(read_only.absolute()), "TORTURE_DISK": str(state_disk)})
    publisher = Publisher(context, daemon.events_endpoint, "torture", options.seed, users=2_000, items=500)
    passed = True
    try:
        daemon.start()
        daemon.wait_ready()
        publisher.connect()
        faults = make_faults(state_disk, no_sync, read_only)
        progress = Progress("disk faults", len(faults))
        for number, fault in enumerate(faults, 1):
            noticed, slowest, acknowledged, healed = endure(fault, daemon, publisher, oracle, oracle.confirm)
            passed = passed and noticed is not None and healed is not None and healed <= 5 and acknowledged == 0
            result[fault.name] = (
                f"degraded after {seconds(noticed)}, slowest answer {slowest * 1000:.0f} ms, "
                f"{acknowledged} acknowledged while it lasted, healed {seconds(healed)} after its end")
            quiesce(publisher, oracle.confirm)
            compare(daemon, oracle, verdict, fault.name)
            daemon.kill()
            daemon.start()
            daemon.wait_ready()
            oracle.begin_life(*daemon.recovered())
            publisher.connect()
            quiesce(publisher, oracle.confirm)
            compare(daemon, oracle, verdict, f"{fault.name}, then killed")
            progress.show(number, fault.name)
        progress.end()
        result["exit_status"] = daemon.stop()
    finally:
        if daemon.process and daemon.process.poll() is None:
            daemon.kill()
        publisher.close()
        subprocess.run(["umount", str(state_disk)], capture_output=True)
    return {**result, "acknowledged_events": oracle.events, "mismatches": verdict.mismatches, "notes": verdict.notes + publisher.faults[:5],
            "passed": passed and verdict.is_clean}


def seconds(value):
    return "never" if value is None else f"{value:.2f} s"
