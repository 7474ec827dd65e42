#!/usr/bin/python3
"""Publishes to an acknowledged stream of factord, so that nothing is lost or learned twice: twenty lines to take along.

    publish_acknowledged.py ENDPOINT SOURCE < events.jsonl

Where the stream asks for keys, FACTORD_SERVER_KEY is the daemon's public one (or the .pub file), FACTORD_KEY your .key file of `factorctl keygen`.
"""
import json, os, sys, time, zmq, zmq.auth


def publish(endpoint, source, messages, window=256, server_key=None, key_file=None):
    """Sends messages, each a list of events, and sends again what is not acknowledged, for as long as it takes; yields the answer
    that settles a message ("ok", "duplicate", or "rejected" with the reasons). The source's name must be its own."""
    socket = zmq.Context.instance().socket(zmq.DEALER)
    socket.setsockopt(zmq.LINGER, 0)
    if server_key:
        server = server_key.encode() if len(server_key) == 40 else zmq.auth.load_certificate(server_key)[0]
        socket.curve_serverkey, (socket.curve_publickey, socket.curve_secretkey) = server, zmq.auth.load_certificate(key_file)
    socket.connect(endpoint)
    epoch, pending, sent, again, at_end, messages = int(time.time() * 1000), {}, 0, False, False, enumerate(messages, 1)
    while pending or not at_end:
        while len(pending) < window and not at_end:
            number, events = next(messages, (0, None))
            at_end = events is None
            if not at_end:
                pending[number] = json.dumps([{"source": source, "epoch": epoch, "seq": number, **events[0]}, *events[1:]]).encode()
        while not again and sent + 1 in pending:
            sent += 1
            socket.send_multipart([b"", pending[sent]])
        if socket.poll(50 if again else 1000):
            answer = json.loads(socket.recv_multipart()[-1])
            if answer["status"] in ("ok", "duplicate", "rejected"):
                if pending.pop(answer.get("seq"), None) is not None:
                    yield answer
            else:                               # expected, busy, degraded: stop, and begin again when it is quiet
                again = True
        elif pending:
            sent, again = min(pending) - 1, False


if __name__ == "__main__":
    lines = [json.loads(line) for line in sys.stdin if line.strip()]
    keys = {"server_key": os.environ.get("FACTORD_SERVER_KEY"), "key_file": os.environ.get("FACTORD_KEY")}
    for answer in publish(sys.argv[1], sys.argv[2], [lines[start : start + 100] for start in range(0, len(lines), 100)], **keys):
        print(json.dumps(answer))
