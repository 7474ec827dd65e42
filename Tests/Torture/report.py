"""Progress while it runs, and tables when it is done."""

import sys
import time


class Progress:
    """One line on standard error, rewritten on a terminal and printed now and then elsewhere."""

    def __init__(self, what, total):
        self.what, self.total = what, total
        self.begin = self.shown = time.monotonic()
        self.is_terminal = sys.stderr.isatty()

    def show(self, done, note):
        now = time.monotonic()
        if done < self.total and now - self.shown < (0.2 if self.is_terminal else 30):
            return
        self.shown = now
        left = (now - self.begin) / done * (self.total - done)
        line = f"{self.what}: {done}/{self.total}, {note}; {left:.0f} s left"
        print("\r\x1b[K" + line if self.is_terminal else line, end="" if self.is_terminal else "\n", file=sys.stderr, flush=True)

    def end(self):
        if self.is_terminal:
            print(file=sys.stderr)


def table(result):
    """A result as aligned lines."""
    rows = []
    for key, value in result.items():
        if key in ("name", "notes"):
            continue
        if isinstance(value, dict):
            value = ", ".join(f"{name} {count:,}" for name, count in value.items())
        elif isinstance(value, bool):
            value = "yes" if value else "NO"
        elif isinstance(value, (int, float)):
            value = f"{value:,}"
        rows.append((key.replace("_", " "), str(value)))
    width = max(len(key) for key, _ in rows)
    lines = [f"== {result['name']}"] + [f"  {key:<{width}}  {value}" for key, value in rows]
    return "\n".join(lines + [f"  ! {note}" for note in result.get("notes", [])])
