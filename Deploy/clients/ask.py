#!/usr/bin/python3
"""Asks factord with pyzmq: ask.py ENDPOINT METHOD [PARAMETERS], such as
ask.py tcp://127.0.0.1:5561 score '{"user": "ann", "items": ["alien", "brazil"]}'
"""
import json, sys, zmq


class Client:
    """A DEALER with ids of its own and a deadline. A question may be asked again: methods on this socket change nothing."""

    def __init__(self, endpoint, deadline_ms=2000):
        self.socket, self.deadline_ms, self.last = zmq.Context.instance().socket(zmq.DEALER), deadline_ms, 0
        self.socket.setsockopt(zmq.LINGER, 0)
        self.socket.connect(endpoint)

    def ask(self, method, params, frame=None):
        self.last += 1
        body = json.dumps({"jsonrpc": "2.0", "id": self.last, "method": method, "params": params}).encode()
        self.socket.send_multipart([b"", body] + ([frame] if frame is not None else []))
        while self.socket.poll(self.deadline_ms):
            _, answer, *columns = self.socket.recv_multipart()
            answer = json.loads(answer)
            if answer["id"] != self.last:
                continue  # the answer to a question that was given up
            if "error" in answer:
                raise RuntimeError("%(message)s (%(code)d)" % answer["error"])
            return (answer["result"], *columns) if columns else answer["result"]
        raise TimeoutError("no answer within %d ms" % self.deadline_ms)


def score_columns(client, user, items):
    """Scores of many integer ids, without a word of JSON for each."""
    from array import array
    _, scores = client.ask("score", {"user": user, "items_frame": True}, array("q", items).tobytes())
    return array("f", scores).tolist()


if __name__ == "__main__":
    params = json.loads(sys.argv[3]) if len(sys.argv) > 3 else {}
    print(json.dumps(Client(sys.argv[1]).ask(sys.argv[2], params)))
