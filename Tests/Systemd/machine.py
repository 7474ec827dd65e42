"""A Debian of its own, with a systemd that boots: a root file system in a folder, run by systemd-nspawn without a network and without
anything of this machine in it. Needs root; leaves nothing behind but the packages that it has fetched."""

import os
import shutil
import signal
import subprocess
import sys
import time


class Failure(Exception):
    """Something that the run cannot go on from."""


def run(*command, check=True, timeout=300, **more):
    """A command of this machine; its output as text."""
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=timeout, stdin=subprocess.DEVNULL, **more)
    if check and done.returncode != 0:
        raise Failure(f"{' '.join(map(str, command))}: exit status {done.returncode}\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return done


def missing():
    """What keeps a machine from being booted here; None where nothing does."""
    if os.geteuid() != 0:
        return "it needs root"
    for program, package in (("systemd-nspawn", "systemd-container"), ("mmdebstrap", "mmdebstrap"), ("nsenter", "util-linux")):
        if not shutil.which(program):
            return f"there is no {program} (apt-get install {package})"
    if subprocess.run(["unshare", "--mount", "--pid", "--fork", "true"], capture_output=True).returncode != 0:
        return "namespaces cannot be made here"
    return None


class Machine:
    """One booted Debian. Use as a context: it is gone afterwards."""

    def __init__(self, work, packages, fetched):
        """`packages` are files to be had in /root, `fetched` names of Debian's packages whose files are to be at hand in there."""
        self.work = os.path.abspath(work)
        self.base = f"{self.work}/base"
        self.root = f"{self.work}/merged"
        self.packages, self.fetched = packages, fetched
        self.nspawn, self.pid = None, None

    # The file system

    def prepare(self):
        """A fresh Debian below, and nothing on top of it yet."""
        os.makedirs(self.work, exist_ok=True)
        if not os.path.isdir(self.base):
            archive = f"{self.work}/bookworm.tar"
            if not os.path.exists(archive):
                run("mmdebstrap", "--quiet", "--variant=minbase", "--include=systemd,systemd-sysv,dbus", "--components=main", "bookworm",
                    archive + ".part", "--format=tar", timeout=900)
                os.rename(archive + ".part", archive)
            os.makedirs(self.base + ".part", exist_ok=True)
            run("tar", "--numeric-owner", "-C", self.base + ".part", "-xf", archive)
            os.rename(self.base + ".part", self.base)
        self.release()
        for name in ("upper", "inner", "merged"):
            shutil.rmtree(f"{self.work}/{name}", ignore_errors=True)
            os.makedirs(f"{self.work}/{name}")
        run("mount", "-t", "overlay", "factord-systemd", "-o", f"lowerdir={self.base},upperdir={self.work}/upper,workdir={self.work}/inner", self.root)
        for path in self.packages:
            shutil.copy(path, f"{self.root}/srv/")
        with open(f"{self.root}/etc/machine-id", "w"):
            pass
        self.fetch()

    def fetch(self):
        """The files of packages that are installed later, where there is no network: Debian's own, and what ours depend on."""
        archives = f"{self.root}/var/cache/apt/archives"
        kept = f"{self.work}/archives"
        os.makedirs(kept, exist_ok=True)
        for name in os.listdir(kept):
            shutil.copy(f"{kept}/{name}", archives)
        shutil.copy("/etc/resolv.conf", f"{self.root}/etc/resolv.conf")
        local = [f"/srv/{os.path.basename(path)}" for path in self.packages[:1]]
        own = {"timeout": 900, "env": {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}}
        run("chroot", self.root, "apt-get", "--quiet=2", "update", **own)
        run("chroot", self.root, "apt-get", "--quiet=2", "--yes", "--download-only", "install", *local, *self.fetched, **own)
        for name in os.listdir(archives):
            if name.endswith(".deb"):
                shutil.copy(f"{archives}/{name}", kept)

    # Running it

    def __enter__(self):
        try:
            self.prepare()
            self.boot()
        except BaseException:
            self.__exit__()
            raise
        return self

    def boot(self):
        log = open(f"{self.work}/console.log", "w")
        self.nspawn = subprocess.Popen(
            ["systemd-nspawn", "--quiet", "--register=no", "--keep-unit", "--private-network", "--console=pipe", "--boot", "-D", self.root],
            stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, start_new_session=True)
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            if self.nspawn.poll() is not None:
                raise Failure(f"systemd did not boot:\n{open(log.name).read()[-3000:]}")
            self.pid = self.first_process()
            if self.pid and self.inside("systemctl", "is-system-running", check=False).stdout.strip() in ("running", "degraded"):
                self.inside("ip", "link", "set", "lo", "up", check=False)
                return
            time.sleep(0.1)
        raise Failure(f"systemd did not come up within a minute:\n{open(log.name).read()[-3000:]}")

    def first_process(self):
        """The process that is number 1 in there."""
        children = f"/proc/{self.nspawn.pid}/task/{self.nspawn.pid}/children"
        queue = [self.nspawn.pid]
        while queue:
            process = queue.pop()
            try:
                with open(f"/proc/{process}/status") as status:
                    numbers = next(line for line in status if line.startswith("NSpid:")).split()[1:]
                if len(numbers) == 2 and numbers[1] == "1":
                    return process
                for thread in os.listdir(f"/proc/{process}/task"):
                    with open(f"/proc/{process}/task/{thread}/children") as children:
                        queue += [int(word) for word in children.read().split()]
            except (FileNotFoundError, StopIteration, ProcessLookupError):
                continue
        return None

    def outside_number(self, process):
        """The number that a process in there has out here."""
        for entry in os.listdir("/proc"):
            if not entry.isdigit():
                continue
            try:
                with open(f"/proc/{entry}/status") as status:
                    numbers = next(line for line in status if line.startswith("NSpid:")).split()[1:]
                if numbers[-1] == str(process) and len(numbers) > 1 and os.readlink(f"/proc/{entry}/ns/pid_for_children") == os.readlink(f"/proc/{self.pid}/ns/pid"):
                    return int(entry)
            except (FileNotFoundError, StopIteration, PermissionError, ProcessLookupError):
                continue
        raise Failure(f"no process {process} in the machine")

    def inside(self, *command, check=True, timeout=300, text=None):
        """A command in there, as root."""
        words = ["nsenter", "-t", str(self.pid), "-a", "env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "LANG=C.UTF-8", "DEBIAN_FRONTEND=noninteractive",
                 *map(str, command)]
        done = subprocess.run(words, capture_output=True, text=True, timeout=timeout, input=text if text is not None else "", cwd="/")
        if check and done.returncode != 0:
            raise Failure(f"{' '.join(map(str, command))}: exit status {done.returncode}\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
        return done

    def start_inside(self, *command):
        """The same, left running: a process group of its own, to be ended by `os.killpg`."""
        return subprocess.Popen(
            ["nsenter", "-t", str(self.pid), "-a", "env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "LANG=C.UTF-8", *map(str, command)],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/", start_new_session=True)

    def show(self, unit, name):
        """A property of a unit."""
        return self.inside("systemctl", "show", "--value", "--property", name, unit).stdout.strip()

    def log(self, unit="factord", since=None):
        since = ["--since", since] if since else []
        return self.inside("journalctl", "--no-pager", "--output=cat", "--unit", unit, *since, check=False).stdout

    def write(self, path, text):
        full = self.root + path
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full, "w") as file:
            file.write(text)

    # The end

    def __exit__(self, *_):
        if self.nspawn and self.nspawn.poll() is None:
            if self.pid:
                self.inside("systemctl", "poweroff", check=False, timeout=30)
            try:
                self.nspawn.wait(timeout=30)
            except subprocess.TimeoutExpired:
                os.killpg(self.nspawn.pid, signal.SIGKILL)
                self.nspawn.wait()
        self.release()

    def release(self):
        for _ in range(5):
            if subprocess.run(["mountpoint", "--quiet", self.root], capture_output=True).returncode != 0:
                return
            subprocess.run(["umount", "--recursive", self.root], capture_output=True)
            time.sleep(0.2)
        print(f"{self.root} is still mounted", file=sys.stderr)
