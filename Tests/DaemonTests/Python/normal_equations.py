"""Alternating least squares by plain normal equations in numpy, beside `factorctl train als`, pass by pass.

    python3 normal_equations.py FACTORCTL ml-100k.inter.tsv.gz [--rank 8] [--passes 12] [--ridge 5] [--seed 1]

For mf (w0 + w_u + w_i + <v_u, v_i>) and bilinear (w0 + <w_u, p> + <w_i, q> + p'Wq) with squared loss: from the same first factors,
objective and RMSE after each pass. Ends with 1 where any differs by more than one part in ten thousand.
"""

import argparse
import csv
import gzip
import json
import subprocess
import sys
import tempfile

import numpy as np

WORD = (1 << 64) - 1


def mixed(value):
    """The last steps of SplitMix64, which all first values come from."""
    z = (value + 0x9E3779B97F4A7C15) & WORD
    z = ((z ^ z >> 30) * 0xBF58476D1CE4E5B9) & WORD
    z = ((z ^ z >> 27) * 0x94D049BB133111EB) & WORD
    return z ^ z >> 31


def first_factors(rows, rank, group, seed):
    """Gaussian with deviation 1/sqrt(rank), by Box and Muller, a function of seed, group and place."""
    start = mixed(seed ^ mixed(group + 1))
    first, second = ([mixed((start + 2 * place + odd) & WORD) >> 11 for place in range(rows * rank)] for odd in (0, 1))
    first, second = np.array(first, float), np.array(second, float)
    values = np.sqrt(-2 * np.log((first + 0.5) * 2.0**-53)) * np.cos(2 * np.pi * second * 2.0**-53)
    return values.reshape(rows, rank) / np.sqrt(rank)


def read(path):
    """Users and items as numbers in order of their first event in the file, and ratings."""
    with (gzip.open if path.endswith(".gz") else open)(path, "rt") as file:
        rows = list(csv.reader(file, delimiter="\t"))
    names = [name.split(":")[0] for name in rows[0]]
    user, item, rating = (names.index(next(n for n in names if n.startswith(word))) for word in ("user", "item", "rating"))
    rows = rows[1:]
    numbers = []
    for column in (user, item):
        known = {}
        numbers.append(np.array([known.setdefault(row[column], len(known)) for row in rows]))
    return numbers[0], numbers[1], np.array([float(row[rating]) for row in rows])


def ridge_regression(z, target, ridge):
    return np.linalg.solve(z.T @ z + np.diag(ridge), z.T @ target)


def each_row(numbers):
    """(row, its events)."""
    order = np.argsort(numbers, kind="stable")
    ends = np.flatnonzero(np.diff(numbers[order])) + 1
    return [(numbers[events[0]], events) for events in np.split(order, ends)]


def factorization(data, rank, ridge, seed, passes):
    user, item, label = data
    sides = [user, item]
    factors = [first_factors(side.max() + 1, rank, group, seed) for group, side in enumerate(sides)]
    weights, bias = [np.zeros(len(f)) for f in factors], 0.0
    rows = [each_row(side) for side in sides]
    for _ in range(passes):
        for own, other in ((0, 1), (1, 0)):
            z = np.column_stack([factors[other], np.ones(len(factors[other]))])
            for row, events in rows[own]:
                others = sides[other][events]
                solved = ridge_regression(z[others], label[events] - bias - weights[other][others], np.full(rank + 1, ridge))
                factors[own][row], weights[own][row] = solved[:rank], solved[rank]
        plain = weights[0][user] + weights[1][item] + (factors[0][user] * factors[1][item]).sum(1)
        bias = (label - plain).mean()
        error = plain + bias - label
        norm = sum((f**2).sum() for f in factors) + sum((w**2).sum() for w in weights)
        yield 0.5 * (error**2).sum() + 0.5 * ridge * norm, np.sqrt((error**2).mean())


def bilinear(data, rank, ridge, seed, passes):
    user, item, label = data
    p, q = first_factors(user.max() + 1, rank, 0, seed), first_factors(item.max() + 1, rank, 1, seed)
    matrix, left, right, bias = np.eye(rank), np.zeros(rank), np.zeros(rank), 0.0
    users, items = each_row(user), each_row(item)
    for _ in range(passes):
        z, offset = q @ matrix.T + left, bias + q @ right
        for row, events in users:
            p[row] = ridge_regression(z[item[events]], label[events] - offset[item[events]], np.full(rank, ridge))
        z, offset = p @ matrix + right, bias + p @ left
        for row, events in items:
            q[row] = ridge_regression(z[user[events]], label[events] - offset[user[events]], np.full(rank, ridge))
        a, b = p[user], q[item]
        z = np.column_stack([np.ones(len(label)), a, b, (a[:, :, None] * b[:, None, :]).reshape(len(label), -1)])
        solved = ridge_regression(z, label, np.concatenate([[0], np.full(2 * rank + rank * rank, ridge)]))
        bias, left, right, matrix = solved[0], solved[1:1 + rank], solved[1 + rank:1 + 2 * rank], solved[1 + 2 * rank:].reshape(rank, rank)
        error = z @ solved - label
        norm = (p**2).sum() + (q**2).sum() + (solved[1:] ** 2).sum()
        yield 0.5 * (error**2).sum() + 0.5 * ridge * norm, np.sqrt((error**2).mean())


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("factorctl")
    parser.add_argument("file")
    parser.add_argument("--rank", type=int, default=8)
    parser.add_argument("--passes", type=int, default=12)
    parser.add_argument("--ridge", type=float, default=5)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    data, worst = read(given.file), 0.0
    for kind, solve in (("mf", factorization), ("bilinear", bilinear)):
        with tempfile.TemporaryDirectory() as folder:
            settings = [f"model.kind={kind}", f"model.rank={given.rank}", f"model.seed={given.seed}", "model.loss=squared",
                        "model.history.length=0", "events.rating.label=value"]
            answer = subprocess.run(
                [given.factorctl, "train", "als", given.file, "--order", "file", "--type", "rating", "--passes", str(given.passes), "--ridge", str(given.ridge),
                 "--out", f"{folder}/state", "--json"] + [word for setting in settings for word in ("--set", setting)],
                check=True, capture_output=True, text=True)
        lines = [json.loads(line) for line in answer.stdout.splitlines()]
        assert len(lines) == given.passes, answer.stdout
        for line, (objective, rmse) in zip(lines, solve(data, given.rank, given.ridge, given.seed, given.passes)):
            apart = max(abs(line["objective"] / objective - 1), abs(line["value"] / rmse - 1))
            worst = max(worst, apart)
            print(f"{kind:8} pass {line['pass']:2}  objective {objective:.4f}  RMSE {rmse:.6f}  factorctl's {line['objective']:.4f}  "
                  f"{line['value']:.6f}  apart by {apart:.1e}")
    print(f"all within {worst:.1e}, relative")
    sys.exit(0 if worst <= 1e-4 else 1)


if __name__ == "__main__":
    main()
