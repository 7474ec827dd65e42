#!/usr/bin/python3
"""Publishes to an acknowledged stream of factord, so that nothing is lost or learned twice: twenty lines to take along.

    publish_acknowledged.py ENDPOINT SOURCE < events.jsonl
"""
import json, sys, time, zmq


def publish(endpoint, source, messages, window=256, patience=5.0):
    """Sends lists of events (records of DESIGN's streams) and sends again what is not acknowledged; yields each answer that settles
    a message. The source's name and the epoch (the clock at its start) must be its own: two at a time would be taken for one."""
    socket = zmq.Context.instance().socket(zmq.DEALER)
    socket.setsockopt(zmq.LINGER, 0)
    socket.connect(endpoint)
    epoch, sent, first, pending, messages = int(time.time() * 1000), 0, 1, {}, enumerate(messages, 1)
    last_news, at_end = time.monotonic(), False
    while pending or not at_end:
        while not at_end and len(pending) < window:             # first sendings: as many as the window holds
            number, events = next(messages, (None, None))
            at_end = number is None
            if not at_end:
                pending[number] = json.dumps([{"source": source, "epoch": epoch, "seq": number, **events[0]}, *events[1:]]).encode()
        while sent + 1 in pending:
            sent += 1
            socket.send_multipart([b"", pending[sent]])
        if socket.poll(200):
            answer = json.loads(socket.recv_multipart()[-1])
            if answer["status"] in ("ok", "duplicate", "rejected") and pending.pop(answer.get("seq"), None):
                last_news = time.monotonic()
                yield answer
            elif answer["status"] == "expected" and answer["expected"] in pending:
                sent = min(sent, answer["expected"] - 1)        # something went missing: go back to it
            elif answer["status"] in ("busy", "degraded") and answer["seq"] in pending:
                time.sleep(0.05)
                sent = min(sent, answer["seq"] - 1)
        if pending and time.monotonic() - last_news > patience:  # no answer: the daemon may have been away
            sent, last_news = min(pending) - 1, time.monotonic()


if __name__ == "__main__":
    lines = [json.loads(line) for line in sys.stdin if line.strip()]
    batches = [lines[start : start + 100] for start in range(0, len(lines), 100)]
    for answer in publish(sys.argv[1], sys.argv[2], batches):
        print(json.dumps(answer))
