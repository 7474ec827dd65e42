"""The best 10 of a catalogue by numpy, implicit, faiss and hnswlib, on the vectors that factord-bench makes; run by compare-retrieval.

Each query is asked alone, as requests come, and leaves out the 500 items that the user has seen: where a library cannot leave
out, it is asked for 510. `faiss` and `hnswlib` score by inner product.
"""
import argparse
import json
import os
import sys
import time

import numpy as np

USERS, SEEN, BEST, USER_OFFSET = 20, 500, 10, 1 << 40


def numbers(first, count):
    """factord-bench's `Catalogue.number` of `count` numbers from `first` on."""
    z = np.arange(first, first + count, dtype=np.uint64)
    with np.errstate(over="ignore"):
        z += np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    z ^= z >> np.uint64(31)
    total = sum((z >> np.uint64(shift)) & np.uint64(0xFFFF) for shift in (0, 16, 32, 48)).astype(np.int64)
    return (total - 131070).astype(np.float32) * np.float32(1 / np.float32(37837))


def vectors(first, rows, rank):
    parts = [numbers(first + start * rank, min(100_000, rows - start) * rank) for start in range(0, rows, 100_000)]
    return np.concatenate(parts).reshape(rows, rank)


def measure(queries, ask, truth, seconds=2.0):
    """p50 in milliseconds and recall of the exact best ten."""
    hits = sum(len(set(ask(user)) & set(truth[user])) for user in range(len(queries)))
    times, end, user = [], time.perf_counter() + seconds, 0
    while time.perf_counter() < end or len(times) < 10:
        start = time.perf_counter()
        ask(user)
        times.append(time.perf_counter() - start)
        user = (user + 1) % len(queries)
    return 1e3 * float(np.median(times)), hits / (BEST * len(queries))


def by_numpy(items, queries, seen):
    def ask(user):
        scores = items @ queries[user]
        scores[seen[user]] = -np.inf
        best = np.argpartition(scores, -BEST)[-BEST:]
        return best[np.argsort(-scores[best])]

    return ask


def by_implicit(items, queries, seen, threads):
    from implicit.cpu.topk import topk

    def ask(user):
        ids, _ = topk(items, queries[user : user + 1], BEST + SEEN, num_threads=threads)
        left = ids[0][~np.isin(ids[0], seen[user])]
        return left[:BEST]

    return ask


def by_faiss(index, queries, seen):
    def ask(user):
        _, ids = index.search(queries[user : user + 1], BEST + SEEN)
        return ids[0][~np.isin(ids[0], seen[user])][:BEST]

    return ask


def by_hnsw(index, queries, seen):
    def ask(user):
        ids, _ = index.knn_query(queries[user : user + 1], k=BEST + SEEN, num_threads=1)
        return ids[0][~np.isin(ids[0], seen[user])][:BEST]

    return ask


def factord(path):
    """Rows of factord-bench: (items, rank, side, p50 in milliseconds)."""
    for line in open(path):
        row = json.loads(line)
        if row["metric"] != "p50":
            continue
        _, sizes, rank, *rest = row["benchmark"].split("/")
        count, rank = int(sizes.split(" of ")[1].replace(",", "")), int(rank.split()[1])
        when = f", {rest[0]}" if rest else ""
        for name, side in [(row["subject"], row)] + [(b["name"], b) for b in row["baselines"]]:
            yield count, rank, ("" if "read" in name or "C scan" in name else "factord, ") + name + when, side["median"] / 1e3


def run_one(count, rank, name, threads):
    """One library in a process of its own, so that its threads are what it was told."""
    import subprocess

    environment = dict(os.environ, OMP_NUM_THREADS=str(threads), OPENBLAS_NUM_THREADS=str(threads), MKL_NUM_THREADS=str(threads))
    done = subprocess.run(
        [sys.executable, __file__, "--items", str(count), "--rank", str(rank), "--one", name, "--threads", str(threads)],
        env=environment, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout) if done.returncode == 0 else None


def one(count, rank, name, threads):
    items, queries = vectors(0, count, rank), vectors(USER_OFFSET, USERS, rank)
    seen, truth = [], []
    for query in queries:
        order = np.argsort(-(items @ query), kind="stable")[: SEEN + BEST]
        seen.append(order[:SEEN])
        truth.append(order[SEEN:])
    if name == "numpy":
        ask = by_numpy(items, queries, seen)
    elif name == "implicit":
        ask = by_implicit(items, queries, seen, threads)
    elif name.startswith("faiss"):
        import faiss

        faiss.omp_set_num_threads(threads)
        index = faiss.IndexFlatIP(rank) if name == "faiss, flat" else faiss.IndexScalarQuantizer(
            rank, faiss.ScalarQuantizer.QT_8bit, faiss.METRIC_INNER_PRODUCT)
        index.train(items)
        index.add(items)
        ask = by_faiss(index, queries, seen)
    else:
        import hnswlib

        index = hnswlib.Index(space="ip", dim=rank)
        index.init_index(max_elements=count, ef_construction=100, M=16)
        index.add_items(items, num_threads=os.cpu_count())
        index.set_ef(2 * (SEEN + BEST) if name.endswith("wide") else SEEN + BEST)
        ask = by_hnsw(index, queries, seen)
    print(json.dumps(measure(queries, ask, truth)))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--items", required=True)
    parser.add_argument("--rank", required=True)
    parser.add_argument("--factord")
    parser.add_argument("--one")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    if options.one:
        return one(int(options.items), int(options.rank), options.one, options.threads)
    ours = list(factord(options.factord)) if options.factord else []
    for count in map(int, options.items.split(",")):
        for rank in map(int, options.rank.split(",")):
            print(f"\n10 of {count:,} x {rank}, {SEEN} seen left out")
            print(f"{'':56} {'p50 ms':>9} {'recall':>7}")
            for size, width, side, milliseconds in ours:
                if (size, width) == (count, rank):
                    print(f"{side:56} {milliseconds:9.3f} {'exact' if side.startswith('factord') else '':>7}")
            for name in ["numpy", "implicit", "faiss, flat", "faiss, 8 bits", "hnswlib", "hnswlib, wide"]:
                for threads in [1] if name.startswith("hnswlib") else [1, 2]:
                    result = run_one(count, rank, name, threads)
                    label = f"{name}, {'one thread' if threads == 1 else 'two threads'}"
                    print(f"{label:56} " + ("failed" if result is None else f"{result[0]:9.3f} {result[1]:7.3f}"), flush=True)


if __name__ == "__main__":
    main()
