"""A use of each verb of factorctl, and what its output has then; for a daemon of /etc/factord/factord.yaml."""

STATE = ["--state", "/var/lib/factord"]
EVENTS = """for i in $(seq 200); do echo '{"user":"u'$((i % 20))'","item":"i'$((i * 7 % 30))'","type":"view"}'; done >/tmp/events.jsonl"""

# The daemon has learned the newcomer's events and those of `simulate` by then.
VERBS = {
    "simulate": [(["factorctl", "simulate", "--events", "20000", "--users", "200", "--items", "100"], ""),
                 (["sh", "-c", EVENTS], "")],
    "publish": [(["factorctl", "publish", "/tmp/events.jsonl"], "")],
    "ping": [(["factorctl", "ping"], "")],
    "score": [(["factorctl", "score", "1", "1", "2"], "")],
    "recommend": [(["factorctl", "recommend", "1"], ""), (["factorctl", "recommend", "1", "--json"], "items")],
    "similar": [(["factorctl", "similar", "1"], "")],
    "explain": [(["factorctl", "explain", "1", "2"], "")],
    "inspect": [(["factorctl", "inspect", "--user", "1"], "")],
    "popular": [(["factorctl", "popular"], "")],
    "trending": [(["factorctl", "trending"], "")],
    "latest": [(["factorctl", "latest"], "")],
    "stats": [(["factorctl", "stats"], ""), (["factorctl", "stats", "--json"], "tables")],
    "watch": [(["factorctl", "watch", "--count", "1", "--every", "0.2"], "")],
    "snapshot": [
        (["factorctl", "snapshot"], ""), (["factorctl", "snapshot", "take", "--json"], "position"), (["factorctl", "snapshot", "list", *STATE], ""),
        (["factorctl", "snapshot", "verify", *STATE], ""), (["factorctl", "snapshot", "diff", *STATE], ""),
    ],
    "forget": [(["factorctl", "forget", "u1"], ""), (["factorctl", "forget", "2", "--erase"], "")],
    # The only model answers already, and the daemon says so.
    "promote": [(["sh", "-c", "factorctl promote main 2>&1; test $? -ne 0"], "already")],
    "journal": [(["sh", "-c", "systemctl stop factord && factorctl journal list --state /var/lib/factord && systemctl start factord"], "")],
    "evaluate": [(["factorctl", "evaluate", "drift", "--events", "4000", "--users", "100", "--items", "50"], "")],
    "reload": [(["factorctl", "reload"], "")],
    "keygen": [(["factorctl", "keygen", "/tmp/ann"], "public key")],
    "train": [(["sh", "-c", "rm -rf /tmp/trained && factorctl train sgd /tmp/events.jsonl --out /tmp/trained"], "")],
    "export": [(["factorctl", "export", "events", "/tmp/events.jsonl", "--format", "csv", "--out", "/tmp/events.csv"], "")],
    "import": [(["factorctl", "import", "/tmp/events.csv", "--out", "/tmp/again.jsonl"], "")],
    "study": [(["factorctl", "study", "minimum-norm", "--quick", "--out", "/tmp/studies"], "")],
}


def ipc_verbs():
    """Those that talk to the daemon, over its local sockets."""
    environment = ["env", "FACTORD_REQUESTS=ipc:///run/factord/requests.sock", "FACTORD_EVENTS=ipc:///run/factord/events.sock"]
    offline = ("evaluate", "study", "journal", "keygen", "train", "export", "import")
    return [(verb, environment + words, text) for verb, uses in VERBS.items() if verb not in offline for words, text in uses]
