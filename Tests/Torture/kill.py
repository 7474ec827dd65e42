"""kill -9 at random moments, again and again on one state, beside an oracle outside of the process."""

import json
import random
import shutil
import statistics
import time

import zmq

from daemon import Daemon
from oracle import Oracle
from publisher import Publisher
from report import Progress


class Verdict:
    """What went wrong, counted, with the first descriptions."""

    def __init__(self):
        self.lost = self.mismatches = self.false_answers = 0
        self.notes = []

    def note(self, text):
        if len(self.notes) < 10:
            self.notes.append(text)

    @property
    def is_clean(self):
        return not (self.lost or self.mismatches or self.false_answers)


def quiesce(publisher, confirm, seconds=60):
    """Until everything sent is acknowledged."""
    end = time.monotonic() + seconds
    publisher.resend()
    while publisher.outstanding:
        publisher.pump(confirm, more=False, seconds=0.2)
        if time.monotonic() > end:
            raise AssertionError(f"{len(publisher.outstanding)} messages are not acknowledged after {seconds} s: {dict(publisher.counts)}")


def compare(daemon, oracle, verdict, cycle):
    """The daemon's sums against the oracle's; a difference counts once and then becomes the new base."""
    sums, users, items = daemon.proof(oracle.position)
    if sums != oracle.sums:
        verdict.mismatches += sums.differing(oracle.sums)
        verdict.note(f"cycle {cycle}: {sums.differing(oracle.sums)} of 128 sums differ at position {oracle.position}")
        oracle.sums = sums.copy()
    if (users, items) != (len(oracle.user_ordinals), len(oracle.item_ordinals)):
        verdict.mismatches += 1
        verdict.note(f"cycle {cycle}: {users} users and {items} items, not {len(oracle.user_ordinals)} and {len(oracle.item_ordinals)}")


def check_old_epoch(publisher, old, verdict):
    """A message of an epoch that is over must be rejected, and change nothing."""
    before = publisher.counts["rejected"]
    publisher.send(old)
    publisher.pump(lambda *_: None, more=False, seconds=0.5)
    end = time.monotonic() + 10
    while publisher.counts["rejected"] == before and time.monotonic() < end:
        publisher.pump(lambda *_: None, more=True, seconds=0.0)
        time.sleep(0.01)
        while publisher.socket.poll(0):
            publisher.take(json.loads(publisher.socket.recv_multipart()[-1]), lambda *_: None)
    if publisher.counts["rejected"] == before:
        verdict.false_answers += 1
        verdict.note("a message of an older epoch was not rejected")


def torture_kill(options):
    context = zmq.Context()
    work = options.work / "kill"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    chance = random.Random(options.seed)
    daemon = Daemon(options.factord, work / "state", work, context, trainers=options.trainers, snapshots="1s", segment="1MiB", rate="64MiB")
    oracle, verdict = Oracle(), Verdict()
    rates, starts, during_snapshots, early = [], [], 0, 0
    daemon.start()
    publisher = Publisher(context, daemon.events_endpoint, "torture", options.seed, mischief=options.mischief)
    progress = Progress("kill -9", options.cycles)

    confirm = oracle.confirm

    def live(cycle):
        """One life, from its start to its kill, and the start of the next."""
        nonlocal during_snapshots, early
        starts.append(daemon.wait_ready())
        # Everything acknowledged so far has to be there; what was outstanding may be.
        position, last = daemon.recovered()
        if last < oracle.position:
            verdict.lost += oracle.position - last
            verdict.note(f"cycle {cycle}: the last position is {last} after the start, {oracle.position} was acknowledged")
        oracle.begin_life(position, last)
        publisher.connect()
        quiesce(publisher, confirm)
        compare(daemon, oracle, verdict, cycle)
        if options.mischief and chance.random() < options.mischief:
            old = publisher.new_epoch()
            publisher.pump(confirm, seconds=0.05)
            quiesce(publisher, confirm)
            if old is not None:
                check_old_epoch(publisher, old, verdict)
        begin, events = time.monotonic(), oracle.events
        # Now and then long enough for a snapshot to be finished, lest each start have more to replay than the one before.
        finishes = cycle % 8 == 0
        before, patience = daemon.newest_snapshot() if finishes else None, begin + 15
        longest = 3 * options.life + 1 if finishes else options.life
        life, snapshot = chance.uniform(0.1, longest), chance.uniform(-longest, longest)
        while (elapsed := time.monotonic() - begin) < life or (
            finishes and daemon.newest_snapshot() == before and time.monotonic() < patience
        ):
            if 0 <= snapshot <= elapsed:
                daemon.begin_snapshot()
                # Every second one of these kills comes while the snapshot is written.
                snapshot, life = -1, chance.choice((life, elapsed + chance.uniform(0.01, 0.15))) if not finishes else life
            publisher.pump(confirm, seconds=min(0.02, life - elapsed) if life > elapsed else 0.02)
        rates.append((oracle.events - events) / (time.monotonic() - begin))
        during_snapshots += daemon.kill()
        # Answers on their way are answers: what they acknowledge must be there after the start.
        publisher.pump(confirm, more=False, seconds=0.02)
        daemon.start()
        if chance.random() < 0.1:
            # And once more, while it recovers.
            time.sleep(chance.uniform(0, 0.3))
            if daemon.process.poll() is None:
                daemon.kill()
                early += 1
            daemon.start()
        progress.show(cycle, f"{oracle.events:,} acknowledged, {verdict.lost} lost, {verdict.mismatches} mismatches")

    done = 0
    try:
        for cycle in range(1, options.cycles + 1):
            live(cycle)
            done = cycle
    except KeyboardInterrupt:
        # What was found so far is worth saying.
        progress.end()
        if daemon.process.poll() is None:
            daemon.kill()
        publisher.close()
        return {
            "name": "kill", "cycles": done, "interrupted": True, "acknowledged_events": oracle.events, "lost": verdict.lost,
            "mismatches": verdict.mismatches, "notes": verdict.notes, "passed": verdict.is_clean}
    daemon.wait_ready()
    oracle.begin_life(*daemon.recovered())
    publisher.connect()
    quiesce(publisher, confirm)
    compare(daemon, oracle, verdict, "at the end")
    status = daemon.stop()
    publisher.close()
    progress.end()
    verdict.false_answers += len(publisher.faults)
    for fault in publisher.faults[:5]:
        verdict.note(fault)
    return {
        "name": "kill", "cycles": options.cycles, "kills_in_recovery": early, "kills_in_snapshot": during_snapshots,
        "acknowledged_events": oracle.events, "lost": verdict.lost, "mismatches": verdict.mismatches,
        "false_answers": verdict.false_answers, "acknowledged_per_second_median": round(statistics.median(rates)),
        "ready_seconds_median": round(statistics.median(starts), 3), "ready_seconds_max": round(max(starts), 3),
        "answers": {key: publisher.counts[key] for key in ("ok", "duplicate", "expected", "rejected", "busy", "degraded")},
        "exit_status": status, "notes": verdict.notes, "passed": verdict.is_clean and status == 0,
    }
