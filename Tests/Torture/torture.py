"""Runs the trials that Deploy/torture names. Exit status 0 when all passed."""

import argparse
import json
import pathlib
import subprocess
import sys

from faults import torture_faults
from kill import torture_kill
from power import torture_power
from report import table

TRIALS = {"kill": torture_kill, "power": torture_power, "faults": torture_faults}


def parse():
    parser = argparse.ArgumentParser(
        prog="Deploy/torture",
        description="Tries to make a daemon lose an acknowledged event, or apply one twice; an oracle outside of it keeps count.",
        epilog="kill: kill -9 at random moments, snapshots, rotations and recoveries included. power: images of the disk at random "
        "instants, and a control without fsync (root, loop devices, xfsprogs). faults: disk full, read-only, failing fsync (root).")
    parser.add_argument("trials", nargs="*", metavar="TRIAL", help="kill, power, faults (default: all three)")
    parser.add_argument("--cycles", type=int, default=100, help="kills (default 100)")
    parser.add_argument("--life", type=float, default=0.8, help="longest life between two kills, in seconds (default 0.8)")
    parser.add_argument(
        "--mischief", type=float, default=0.0,
        help="share of messages repeated, overtaken, or of cycles that begin a new epoch (default 0: as fast as it can)")
    parser.add_argument("--images", type=int, default=40, help="power cuts (default 40)")
    parser.add_argument("--control", type=int, default=10, help="power cuts without fsync (default 10)")
    parser.add_argument("--trainers", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--release", action="store_true", help="500 kills, 200 power cuts, 20 controls")
    parser.add_argument("--json", action="store_true", help="a JSON object for each trial")
    parser.add_argument("--factord", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--work", required=True, type=pathlib.Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    unknown = [name for name in options.trials if name not in TRIALS]
    if unknown:
        parser.error(f"there is no trial {unknown[0]}; there are {', '.join(TRIALS)}")
    if options.release:
        options.cycles, options.images, options.control = 500, 200, 20
    if min(options.cycles, options.images) < 1:
        parser.error("--cycles and --images are at least 1")
    return options


def main():
    options = parse()
    options.work.mkdir(parents=True, exist_ok=True)
    options.shim = (options.work / "shim.so").absolute()
    subprocess.run(
        ["cc", "-shared", "-fPIC", "-O2", "-o", str(options.shim), str(pathlib.Path(__file__).with_name("shim.c")), "-ldl"], check=True)
    passed = True
    for name in options.trials or list(TRIALS):
        result = TRIALS[name](options)
        passed = passed and result["passed"]
        print(json.dumps(result) if options.json else table(result), flush=True)
    return 0 if passed else 1


try:
    sys.exit(main())
except KeyboardInterrupt:
    sys.exit(130)
