"""A publisher on an acknowledged stream that resends what was not acknowledged, and misbehaves on purpose."""

import array
import collections
import json
import random
import time

import zmq

# After so long without an answer everything outstanding is sent again.
SILENCE_S = 1.0


class Message:
    """A numbered batch of events, in columnar form."""

    __slots__ = ("epoch", "seq", "users", "items", "frames")

    def __init__(self, source, epoch, seq, users, items):
        self.epoch, self.seq, self.users, self.items = epoch, seq, users, items
        header = {
            "columns": [["user", "<i8"], ["item", "<i8"]], "count": len(users), "source": source, "epoch": epoch, "seq": seq}
        self.frames = [b"", json.dumps(header).encode(), users.tobytes(), items.tobytes()]


class Publisher:
    """
    window: messages outstanding at most.
    mischief: share of messages that are sent again after their acknowledgement, that overtake the one before, and (per
    call of `new_epoch`) that come with an old epoch; 0 for none.
    """

    def __init__(self, context, endpoint, source, seed, batch=200, window=64, mischief=0.0, users=20_000, items=2_000):
        self.context, self.endpoint, self.source = context, endpoint, source
        self.random = random.Random(seed)
        self.batch, self.window, self.mischief = batch, window, mischief
        self.user_count, self.item_count = users, items
        self.epoch, self.seq = 1, 0
        self.outstanding = collections.deque()
        self.recent = collections.deque(maxlen=64)
        self.counts = collections.Counter()
        # What each answer that came out of turn must be: (epoch, seq) -> statuses allowed.
        self.faults = []
        self.socket = None
        self.heard = time.monotonic()
        self.quiet_until = 0.0
        self.connect()

    def connect(self):
        """A fresh socket: what the old one still held for a daemon that is gone is forgotten, and will be sent again."""
        if self.socket is not None:
            self.socket.close(0)
        self.socket = self.context.socket(zmq.DEALER)
        self.socket.setsockopt(zmq.LINGER, 0)
        self.socket.setsockopt(zmq.RECONNECT_IVL, 10)
        self.socket.connect(self.endpoint)
        self.heard = time.monotonic()

    def close(self):
        self.socket.close(0)

    def make(self):
        """The next message. Small ids are frequent, and new ones never stop coming."""
        draw = self.random.random
        self.seq += 1
        users = array.array("q", [int(self.user_count * draw() ** 3) for _ in range(self.batch)])
        items = array.array("q", [int(self.item_count * draw() ** 3) for _ in range(self.batch)])
        users[0] = self.user_count + self.epoch * 10_000_000 + self.seq
        if self.seq % 16 == 0:
            items[0] = self.item_count + self.epoch * 10_000_000 + self.seq
        return Message(self.source, self.epoch, self.seq, users, items)

    def send(self, message):
        self.counts["sent"] += 1
        self.socket.send_multipart(message.frames, zmq.DONTWAIT, copy=False)

    def resend(self):
        """Everything outstanding again, in order."""
        for message in self.outstanding:
            self.counts["resent"] += 1
            self.send(message)
        self.heard = time.monotonic()

    def new_epoch(self):
        """What a publisher that lost its memory does. Call with nothing outstanding."""
        old = self.recent[-1] if self.recent else None
        self.epoch, self.seq = self.epoch + 1, 0
        self.recent.clear()
        self.counts["epochs"] += 1
        return old

    def pump(self, confirm, more=True, seconds=0.05):
        """Sends what fits the window, and takes answers for up to `seconds`; calls confirm(message, position) in order."""
        end = time.monotonic() + seconds
        while True:
            now = time.monotonic()
            if more and now >= self.quiet_until:
                self.fill()
            if self.outstanding and now - self.heard > SILENCE_S:
                self.resend()
            if not self.socket.poll(max(0, min(20, int((end - now) * 1000)))):
                if time.monotonic() >= end or (not more and not self.outstanding):
                    return
                continue
            while True:
                try:
                    frames = self.socket.recv_multipart(zmq.DONTWAIT)
                except zmq.Again:
                    break
                self.heard = time.monotonic()
                self.take(json.loads(frames[-1]), confirm)
            if time.monotonic() >= end or (not more and not self.outstanding):
                return

    def fill(self):
        while len(self.outstanding) < self.window:
            message = self.make()
            self.outstanding.append(message)
            if self.mischief and self.random.random() < self.mischief:
                # The next one overtakes: it is not expected yet. Both come again after the answer.
                later = self.make()
                self.outstanding.append(later)
                self.counts["overtaking"] += 1
                self.send(later)
                self.send(message)
                self.send(later)
            else:
                self.send(message)
            if self.mischief and self.recent and self.random.random() < self.mischief:
                self.counts["repeated"] += 1
                self.send(self.random.choice(self.recent))

    def take(self, answer, confirm):
        status, epoch, seq = answer["status"], answer.get("epoch"), answer.get("seq")
        self.counts[status] += 1
        if status in ("ok", "duplicate"):
            if not self.outstanding or epoch != self.epoch or seq < self.outstanding[0].seq:
                return
            head = self.outstanding[0]
            if seq > head.seq:
                # Answers come in the order of the messages; one that skips the head says that the head's was lost with
                # the daemon that took it.
                while self.outstanding and self.outstanding[0].seq < seq:
                    self.settle(confirm, None)
            self.settle(confirm, answer.get("position") if status == "ok" else None)
        elif status == "expected":
            self.counts["expected_resends"] += 1
            wanted = answer.get("expected", seq)
            if self.outstanding and wanted < self.outstanding[0].seq:
                self.faults.append(f"the daemon expects {wanted}, which it had acknowledged: {self.outstanding[0].seq} is next")
            if time.monotonic() >= self.quiet_until:
                # One answer of a whole window is enough to know.
                self.quiet_until = time.monotonic() + 0.005
                if not self.mischief:
                    self.resend()
        elif status in ("busy", "degraded"):
            self.quiet_until = time.monotonic() + (0.01 if status == "busy" else 0.1)
            self.heard = time.monotonic() - SILENCE_S + (0.02 if status == "busy" else 0.2)
        elif status == "rejected" and epoch == self.epoch:
            self.faults.append(f"rejected: {answer}")

    def settle(self, confirm, position):
        message = self.outstanding.popleft()
        self.recent.append(message)
        confirm(message, position)
