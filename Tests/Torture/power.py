"""Power cuts: images of the block device taken at random instants while the daemon writes, mounted and recovered.

An XFS file system with reflinks holds the image of an ext4 file system, on which the state lies, through a loop device with
direct I/O. A reflink copy of that image is what a disk holds whose power goes at that instant. (It does not reorder within
a volatile cache of a disk; the seeded file system of the unit tests does that.) Needs root, loop devices and xfsprogs.
"""

import os
import random
import shutil
import statistics
import subprocess
import time

import zmq

from daemon import Daemon
from oracle import Oracle
from publisher import Publisher
from report import Progress

INNER_MIB = 512


class Missing(Exception):
    """What this machine lacks for the trial."""


def run(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


class Disk:
    """The stack of file systems: outer image, XFS, inner image, loop device, ext4."""

    def __init__(self, work):
        self.work = work
        self.outer, self.inner, self.cut = work / "outer", work / "inner", work / "cut"
        self.image, self.cut_image = self.outer / "inner.img", self.outer / "cut.img"
        self.loop = None
        self.mounted = []

    def make(self):
        if os.geteuid() != 0:
            raise Missing("root")
        for tool in ("mkfs.xfs", "mkfs.ext4", "losetup"):
            if shutil.which(tool) is None:
                raise Missing(f"{tool} (Debian: xfsprogs, e2fsprogs, mount)")
        # What a trial that was killed left mounted.
        for directory in (self.cut, self.inner, self.outer):
            subprocess.run(["umount", str(directory)], capture_output=True)
        for line in run("losetup", "--list", "--noheadings", "--output", "NAME,BACK-FILE").splitlines():
            if str(self.image) in line:
                run("losetup", "-d", line.split()[0])
        shutil.rmtree(self.work, ignore_errors=True)
        for directory in (self.outer, self.inner, self.cut):
            directory.mkdir(parents=True)
        outer_image = self.work / "outer.img"
        with open(outer_image, "wb") as file:
            file.truncate(4 * INNER_MIB << 20)
        try:
            run("mkfs.xfs", "-q", "-m", "reflink=1", str(outer_image))
            run("mount", "-o", "loop", str(outer_image), str(self.outer))
            self.mounted.append(self.outer)
            with open(self.image, "wb") as file:
                file.truncate(INNER_MIB << 20)
            run("mkfs.ext4", "-q", str(self.image))
            self.loop = run("losetup", "--find", "--show", "--direct-io=on", str(self.image))
            run("mount", self.loop, str(self.inner))
            self.mounted.append(self.inner)
        except subprocess.CalledProcessError as error:
            self.unmake()
            raise Missing(f"loop devices with XFS ({error.stderr.strip()})") from error

    def cut_power(self):
        """Seconds that the copy took."""
        begin = time.monotonic()
        run("cp", "--reflink=always", str(self.image), str(self.cut_image))
        return time.monotonic() - begin

    def mount_cut(self):
        run("mount", "-o", "loop", str(self.cut_image), str(self.cut))

    def unmount_cut(self):
        run("umount", str(self.cut))
        self.cut_image.unlink()

    def unmake(self):
        subprocess.run(["umount", str(self.cut)], capture_output=True)
        for directory in reversed(self.mounted):
            subprocess.run(["umount", str(directory)], capture_output=True)
        if self.loop:
            subprocess.run(["losetup", "-d", self.loop], capture_output=True)


def trial(options, disk, context, number, chance, environment, preload):
    """One life, one cut; answers (events acknowledged before the cut, events of them lost, whether the sums fit)."""
    state = disk.inner / f"state-{number}"
    daemon = Daemon(
        options.factord, state, disk.work / "live", context, trainers=options.trainers, snapshots="300ms", segment="1MiB",
        preload=preload, environment=environment)
    daemon.start()
    publisher = Publisher(context, daemon.events_endpoint, "torture", options.seed + number)
    oracle = Oracle()
    try:
        daemon.wait_ready()
        publisher.connect()
        life, begin = chance.uniform(0.3, 1.2), time.monotonic()
        while (elapsed := time.monotonic() - begin) < life:
            publisher.pump(oracle.confirm, seconds=min(0.02, life - elapsed))
        acknowledged = oracle.position
        oracle.mark()
        disk.cut_power()
        end = time.monotonic() + 30
        while publisher.outstanding and time.monotonic() < end:
            publisher.pump(oracle.confirm, more=False, seconds=0.1)
    finally:
        daemon.kill()
        publisher.close()
    disk.mount_cut()
    survivor = Daemon(
        options.factord, disk.cut / f"state-{number}", disk.work / "survivor", context, trainers=options.trainers, snapshots="1h",
        segment="1MiB")
    try:
        survivor.start()
        survivor.wait_ready()
        # The power may go within a message: its events up to there are in the image.
        _, recovered = survivor.recovered()
        sums, _, _ = survivor.proof(0)
        fits = recovered >= acknowledged and sums == oracle.sums_at(recovered)
    except AssertionError as error:
        return acknowledged, acknowledged, False, str(error).splitlines()[0]
    finally:
        if survivor.process.poll() is None:
            survivor.kill()
        disk.unmount_cut()
        shutil.rmtree(state, ignore_errors=True)
    return (
        acknowledged, max(acknowledged - recovered, 0), fits,
        f"recovered to {recovered}, acknowledged {acknowledged}, sums {'right' if fits else 'wrong'}")


def torture_power(options):
    disk = Disk(options.work / "power")
    result = {"name": "power", "images": options.images}
    try:
        disk.make()
    except Missing as missing:
        return {**result, "skipped": f"this machine lacks {missing}", "passed": True}
    context, chance = zmq.Context(), random.Random(options.seed)
    acknowledged, failures, notes = [], 0, []
    control_failures = 0
    try:
        progress = Progress("power cuts", options.images)
        for number in range(1, options.images + 1):
            events, lost, fits, note = trial(options, disk, context, number, chance, {}, None)
            acknowledged.append(events)
            if lost or not fits:
                failures += 1
                notes.append(f"image {number}: {note}")
            progress.show(number, f"{failures} lost something")
        progress.end()
        progress = Progress("control without fsync", options.control)
        for number in range(1, options.control + 1):
            _, lost, fits, _ = trial(
                options, disk, context, -number, chance, {"TORTURE_NO_SYNC": "1"}, options.shim)
            control_failures += bool(lost or not fits)
            progress.show(number, f"{control_failures} lost something, as they should")
        progress.end()
    finally:
        disk.unmake()
    share = control_failures / options.control if options.control else 1.0
    return {
        **result, "acknowledged_before_cut_median": round(statistics.median(acknowledged)), "images_that_lost": failures,
        "control_images": options.control, "control_that_lost": control_failures, "notes": notes[:10],
        "passed": failures == 0 and share >= 0.9,
    }
