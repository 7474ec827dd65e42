"""A plain pyzmq client against a running daemon: publishes in every form, reads its own writes, scores, recommends.

Usage: client.py EVENTS_ENDPOINT REQUESTS_ENDPOINT. Exits with 0 when every answer was right.
"""

import array
import json
import sys

import zmq

TIMEOUT_MS = 60_000


class Client:
    """An unmodified REQ client."""

    def __init__(self, context, endpoint):
        self.socket = context.socket(zmq.REQ)
        self.socket.setsockopt(zmq.LINGER, 0)
        self.socket.setsockopt(zmq.RCVTIMEO, TIMEOUT_MS)
        self.socket.connect(endpoint)
        self.next_id = 0

    def call(self, method, **params):
        self.next_id += 1
        self.socket.send_json({"jsonrpc": "2.0", "id": self.next_id, "method": method, "params": params})
        answer = self.socket.recv_json()
        assert answer["jsonrpc"] == "2.0" and answer["id"] == self.next_id, answer
        assert "error" not in answer, answer
        return answer["result"]


def publish(events):
    """Sends 100 events in each of the four forms; returns how many."""
    for n in range(100):
        events.send_json({"user": "u%d" % (n % 10), "item": "single-%d" % (n % 20), "context": {"hour": n % 24}})
    batch = [{"user": "u%d" % (n % 10), "item": "array-%d" % (n % 20), "type": "view"} for n in range(100)]
    events.send_json(batch)
    lines = [json.dumps({"user": n % 10, "item": "line-%d" % (n % 20), "value": 1.0}) for n in range(100)]
    events.send_string("\n".join(lines) + "\n")

    users = array.array("q", [n % 10 for n in range(100)])
    texts = [("column-%d" % (n % 20)).encode() for n in range(100)]
    offsets = [0]
    for text in texts:
        offsets.append(offsets[-1] + len(text))
    values = array.array("f", [1.0] * 100)
    times = array.array("q", [1_700_000_000_000 + n for n in range(100)])
    header = {
        "columns": [["user", "<i8"], ["item", "utf8"], ["value", "<f4"], ["time", "<i8"]],
        "count": 100, "source": "python", "epoch": 1, "seq": 1,
    }
    events.send_multipart([
        json.dumps(header).encode(), users.tobytes(), array.array("I", offsets).tobytes(), b"".join(texts),
        values.tobytes(), times.tobytes(),
    ])
    return 400


def check_answers(client, total):
    # Reading one's own writes: the answer waits until everything published above is learned.
    items = ["%s-%d" % (form, n) for form in ("single", "array", "line", "column") for n in range(20)]
    result = client.call("score", user="u1", items=items, after=total, deadline_ms=30_000)
    assert result["position"] >= total and "late" not in result, result
    assert len(result["scores"]) == len(items) and "unknown_items" not in result, result
    assert all(isinstance(score, float) for score in result["scores"]), result
    assert result["fallback"] is None, result

    late = client.call("score", user="u1", items=items, after=total + 1000, deadline_ms=20)
    assert late["late"] is True and late["position"] == total, late

    best = client.call("recommend", user="u1", n=5, exclude_seen=False, exclude=["single-1"], context={"hour": 3})
    assert len(best["items"]) == 5 and best["fallback"] is None, best
    assert "single-1" not in [entry["item"] for entry in best["items"]], best
    scores = [entry["score"] for entry in best["items"]]
    assert scores == sorted(scores, reverse=True), best

    # What was seen is left out unless asked for: user u1 saw two items of the first form, and of the second.
    unseen = client.call("recommend", user="u1", n=100)
    names = {entry["item"] for entry in unseen["items"]}
    assert names == set(items) - {"single-1", "single-11", "array-1", "array-11"}, names

    # Integers and their texts are one id.
    assert client.call("score", user=3, items=["line-3"])["scores"] == client.call("score", user="3", items=["line-3"])["scores"]
    probability = client.call("score", user="u1", items=items, probability=True)["scores"]
    assert all(0 <= value <= 1 for value in probability), probability


def check_pipelining(context, endpoint):
    """100 requests before the first answer is read: each answer is told by its id, and is the right one."""
    dealer = context.socket(zmq.DEALER)
    dealer.setsockopt(zmq.LINGER, 0)
    dealer.setsockopt(zmq.RCVTIMEO, TIMEOUT_MS)
    dealer.connect(endpoint)
    for n in range(100):
        request = {"jsonrpc": "2.0", "id": "id-%d" % n, "method": "score", "params": {"user": "u1", "items": ["array-1"] * n}}
        dealer.send_multipart([b"", json.dumps(request).encode()])
    seen = set()
    for _ in range(100):
        empty, body = dealer.recv_multipart()
        assert empty == b""
        answer = json.loads(body)
        number = int(answer["id"][3:])
        assert len(answer["result"]["scores"]) == number, answer
        assert len(set(answer["result"]["scores"])) <= 1, answer
        seen.add(number)
    assert seen == set(range(100))
    dealer.close()


def main():
    context = zmq.Context()
    events = context.socket(zmq.PUSH)
    events.setsockopt(zmq.LINGER, TIMEOUT_MS)
    events.connect(sys.argv[1])
    client = Client(context, sys.argv[2])

    assert client.call("ping")["position"] == 0
    total = publish(events)
    check_answers(client, total)
    check_pipelining(context, sys.argv[2])
    stats = client.call("stats")
    assert stats["events"]["received"] == total and stats["events"]["accepted"] == total, stats
    assert stats["events"]["rejected"] == {}, stats
    print("all answers were right")


main()
