#!/usr/bin/python3
"""Asks factord with pyzmq: ask.py ENDPOINT METHOD [PARAMETERS], such as
ask.py tcp://127.0.0.1:5561 score '{"user": "ann", "items": ["alien", "brazil"]}'
Where the daemon asks for keys, FACTORD_SERVER_KEY is its public one (or the .pub file), FACTORD_KEY your .key file of `factorctl keygen`.
"""
import json, os, sys, zmq, zmq.auth


def use_keys(socket, server_key, key_file):
    """Speaks CURVE: before connect. The server's key is 40 characters or the name of its .pub file."""
    server = server_key.encode() if len(server_key) == 40 else zmq.auth.load_certificate(server_key)[0]
    socket.curve_serverkey, (socket.curve_publickey, socket.curve_secretkey) = server, zmq.auth.load_certificate(key_file)


class Client:
    """A DEALER with ids of its own and a deadline. A question may be asked again: methods on this socket change nothing."""

    def __init__(self, endpoint, deadline_ms=2000, server_key=None, key_file=None):
        self.socket, self.deadline_ms, self.last = zmq.Context.instance().socket(zmq.DEALER), deadline_ms, 0
        self.socket.setsockopt(zmq.LINGER, 0)
        if server_key:
            use_keys(self.socket, server_key, key_file)
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
    keys = {"server_key": os.environ.get("FACTORD_SERVER_KEY"), "key_file": os.environ.get("FACTORD_KEY")}
    print(json.dumps(Client(sys.argv[1], **keys).ask(sys.argv[2], params)))
