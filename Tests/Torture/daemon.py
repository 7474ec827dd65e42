"""A daemon under torture: spawned, asked, killed."""

import json
import os
import pathlib
import re
import signal
import subprocess
import time

import zmq

from oracle import Sums

CONFIGURATION = """
streams:
  - {{name: torture, endpoint: "ipc://{sockets}/events.sock", mode: bind, pattern: acknowledged}}
requests: {{endpoints: ["ipc://{sockets}/requests.sock"]}}
http: {{endpoint: null}}
admin: {{endpoint: "ipc://{sockets}/admin.sock"}}
state:
  directory: "{state}"
  snapshot: {{interval: {snapshots}, keep: 2, rate: {rate}}}
  journal: {{segment_bytes: {segment}}}
model: {{rank: 16, negatives: {{count: 2}}}}
threads: {{trainers: {trainers}, receivers: 1}}
"""


class Daemon:
    """
    state: the directory that outlives the process; sockets: another one, for a short path.
    rate: bytes a second that snapshots are written with, so that there is time to come between; 0 for as fast as it goes.
    preload: a library that stands between the process and the C library.
    """

    def __init__(self, binary, state, sockets, context, trainers=2, snapshots="1s", segment="4MiB", rate="0", preload=None, environment=None):
        self.binary, self.state, self.sockets, self.context = binary, pathlib.Path(state), pathlib.Path(sockets), context
        self.sockets.mkdir(parents=True, exist_ok=True)
        self.log_path = self.sockets / "factord.log"
        self.configuration = self.sockets / "factord.yaml"
        self.configuration.write_text(CONFIGURATION.format(
            sockets=sockets, state=state, trainers=trainers, snapshots=snapshots, segment=segment, rate=rate))
        self.preload, self.environment = preload, environment or {}
        self.process = None
        self.requests = self.admin = None
        self.next_id = 0

    @property
    def events_endpoint(self):
        return f"ipc://{self.sockets}/events.sock"

    def start(self):
        environment = dict(os.environ, SWIFT_BACKTRACE="enable=no", **self.environment)
        if self.preload:
            environment["LD_PRELOAD"] = str(self.preload)
        with open(self.log_path, "ab") as log:
            self.log_start = log.tell()
            self.process = subprocess.Popen(
                [self.binary, "--config", str(self.configuration)], stdout=log, stderr=log, stdin=subprocess.DEVNULL,
                env=environment, start_new_session=True)

    def wait_ready(self, seconds=60):
        """Seconds until the first answer; raises with the end of the log when the process ends or stays silent."""
        begin = time.monotonic()
        while time.monotonic() - begin < seconds:
            if self.process.poll() is not None:
                raise AssertionError(f"the daemon ended with {self.process.returncode} at its start:\n{self.log_tail()}")
            try:
                self.call("ping", patience_ms=250)
                return time.monotonic() - begin
            except TimeoutError:
                continue
        raise AssertionError(f"the daemon did not answer within {seconds} s:\n{self.log_tail()}")

    def recovered(self):
        """(the position after which the next event will stand, that of the last event that was found): a start passes over
        positions that a crashed life may have told."""
        position = self.call("ping")["position"]
        lines = self.log_path.read_text(errors="replace")[self.log_start:]
        passed = re.search(r"positions are left out.* from=(\d+) to=(\d+)", lines)
        return (int(passed[2]), int(passed[1]) - 1) if passed else (position, position)

    def call(self, method, patience_ms=10_000, **params):
        """One request on a socket of its own kind of life: a lost answer costs the socket."""
        if self.requests is None:
            self.requests = self.context.socket(zmq.DEALER)
            self.requests.setsockopt(zmq.LINGER, 0)
            self.requests.setsockopt(zmq.RECONNECT_IVL, 10)
            self.requests.connect(f"ipc://{self.sockets}/requests.sock")
        self.next_id += 1
        body = json.dumps({"jsonrpc": "2.0", "id": self.next_id, "method": method, "params": params}).encode()
        self.requests.send_multipart([b"", body])
        end = time.monotonic() + patience_ms / 1000
        while (left := end - time.monotonic()) > 0 and self.requests.poll(int(left * 1000) + 1):
            answer = json.loads(self.requests.recv_multipart()[-1])
            if answer.get("id") != self.next_id:
                continue
            if "error" in answer:
                raise AssertionError(f"{method}: {answer['error']}")
            return answer["result"]
        self.disconnect()
        raise TimeoutError(method)

    def disconnect(self):
        for socket in (self.requests, self.admin):
            if socket is not None:
                socket.close(0)
        self.requests = self.admin = None

    def begin_snapshot(self):
        """Asks for a snapshot and does not wait for it."""
        if self.admin is None:
            self.admin = self.context.socket(zmq.DEALER)
            self.admin.setsockopt(zmq.LINGER, 0)
            self.admin.connect(f"ipc://{self.sockets}/admin.sock")
        self.admin.send_multipart([b"", b'{"jsonrpc":"2.0","id":1,"method":"snapshot"}'])

    def proof(self, position):
        """The sums once everything up to `position` is applied, with the numbers of users and items."""
        self.call("score", user=0, items=[0], after=position, deadline_ms=20_000, patience_ms=25_000)
        stats = self.call("stats")
        proof = stats["models"][0]["proof"]
        tables = stats["tables"]
        sums = Sums([int(word, 16) for word in proof["users"]], [int(word, 16) for word in proof["items"]])
        return sums, tables["users"], tables["items"]

    def kill(self):
        """SIGKILL; answers whether a snapshot was just being written."""
        during = any(name.suffix == ".tmp" for name in self.snapshot_files())
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.disconnect()
        return during

    def newest_snapshot(self):
        """The name of the newest snapshot that stands; None without one."""
        return max((name.name for name in self.snapshot_files() if name.suffix == ".factord"), default=None)

    def snapshot_files(self):
        try:
            return list((self.state / "snapshots").iterdir())
        except FileNotFoundError:
            return []

    def stop(self):
        """SIGTERM; answers the exit status."""
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(60)
        self.disconnect()
        return status

    def log_tail(self, lines=15):
        return "\n".join(self.log_path.read_text(errors="replace").splitlines()[-lines:])
