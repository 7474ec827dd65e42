"""The dashboard in a real Chromium: a daemon learns a simulated stream with a drift, the page is watched, and what it says is held against `stats`.

Run it by Tests/Dashboard/run, which installs what is missing."""

import argparse
import json
import os
import pathlib
import signal
import subprocess
import sys
import time
import urllib.request

from playwright.sync_api import sync_playwright

HOSTILE = '<script>document.title="broken"</script><b>item</b>'


def call(base, method, **parameters):
    request = urllib.request.Request(f"{base}/v1/{method}", json.dumps(parameters).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)


class Daemon:
    """A daemon on ports of its own, in a folder of its own; it and the stream end with this object."""

    def __init__(self, binaries, folder, port):
        self.binaries, self.folder, self.base = pathlib.Path(binaries), pathlib.Path(folder), f"http://127.0.0.1:{port}"
        self.log = open(self.folder / "factord.log", "w")
        self.events, self.requests = f"ipc://{self.folder}/events", f"ipc://{self.folder}/requests"
        settings = [
            f"streams.0.endpoint={self.events}", f'requests.endpoints=["{self.requests}"]', f"admin.endpoint=ipc://{self.folder}/admin",
            f"http.endpoint=tcp://127.0.0.1:{port}", "state.snapshot.interval=30s",
        ]
        self.processes = [subprocess.Popen(
            [self.binaries / "factord", "--state", self.folder / "state"] + [word for setting in settings for word in ("--set", setting)],
            stderr=self.log, stdout=self.log)]
        for _ in range(300):
            try:
                return call(self.base, "ping") and None
            except OSError:
                time.sleep(0.1)
        sys.exit(f"the daemon did not answer; see {self.folder}/factord.log")

    def factorctl(self, *arguments, wait=False):
        command = [self.binaries / "factorctl", *map(str, arguments)]
        if wait:
            return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout
        self.processes.append(subprocess.Popen(command, stdout=self.log, stderr=self.log))

    def publish(self, lines, name):
        """Sends events as JSON lines."""
        path = self.folder / name
        path.write_text("".join(json.dumps(line) + "\n" for line in lines))
        self.factorctl("publish", path, "--format", "json", "--endpoint", self.events, "--no-progress", wait=True)

    def stop(self):
        for process in reversed(self.processes):
            process.send_signal(signal.SIGTERM)
        statuses = [process.wait(timeout=60) for process in reversed(self.processes)]
        self.log.close()
        return statuses[-1]


class Page:
    """The page in a browser, with all that it complains about."""

    def __init__(self, browser, base, **options):
        self.context = browser.new_context(base_url=base, **options)
        self.page = self.context.new_page()
        self.complaints = []
        self.page.on("console", lambda message: message.type in ("error", "warning") and self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("requestfailed", lambda request: self.complaints.append(f"{request.url} failed"))
        self.page.on("request", lambda request: request.url.startswith(base) or request.url.startswith("data:") or self.complaints.append(f"{request.url} is asked for"))
        self.page.goto("/")
        self.looks(2)

    def looks(self, count):
        """Waits until the page has looked at the daemon so often."""
        self.until(f"Number(document.documentElement.dataset.looks ?? 0) >= {count}", "the page looks at the daemon")

    def until(self, condition, what, seconds=30):
        """Waits until an expression holds. (Playwright's own waiting needs eval, which the page's policy forbids.)"""
        end = time.monotonic() + seconds
        while not self.page.evaluate(condition):
            if time.monotonic() > end:
                raise AssertionError(f"within {seconds} s not: {what}")
            time.sleep(0.1)

    def tile(self, name):
        return self.page.text_content(f'[data-tile="{name}"] .value')

    def number(self, text):
        """The number in a text such as `1.23 k`, `2,004 received`."""
        words = text.replace(",", "").split()
        scale = {"k": 1e3, "M": 1e6}.get(words[1] if len(words) > 1 else "", 1)
        return float(words[0]) * scale


def expect(holds, what):
    if not holds:
        raise AssertionError(what)
    print(f"  ok  {what}")


def check_figures(page, base, rate):
    print("Figures")
    before = page.number(page.page.text_content('[data-tile="events"] .note'))
    low = call(base, "stats")["events"]["received"]
    page.until(f'Number(document.querySelector(\'[data-tile="events"] .note\').textContent.replaceAll(",", "").split(" ")[0]) >= {low}', "the count of events follows")
    shown, high = page.number(page.page.text_content('[data-tile="events"] .note')), call(base, "stats")["events"]["received"]
    expect(shown > before, f"the count of events moves, from {before:.0f} to {shown:.0f}")
    expect(low <= shown <= high, f"and lies between what stats told before, {low}, and after, {high}")
    seen = page.number(page.tile("events"))
    expect(0.5 * rate <= seen <= 1.6 * rate, f"the rate is near {rate} events a second: {seen:.0f}")
    stats = call(base, "stats")
    for table, count in (("users", stats["tables"]["users"]), ("items", stats["tables"]["items"])):
        row = page.page.locator("#memory tbody tr", has=page.page.locator("td:first-child", has_text=table)).first
        expect(abs(page.number(row.locator("td").nth(1).text_content()) - count) <= 100, f"the table of memory has {count} {table}")
    metric = page.page.locator("#models tbody tr").first
    expect(metric.locator("td").nth(4).text_content() == stats["models"][0]["prequential"][0]["metric"], "the first metric is named")
    recent = page.number(metric.locator("td").nth(6).text_content())
    expect(abs(recent - stats["models"][0]["prequential"][0]["recent"]) < 0.05, f"its recent value is that of stats: {recent}")
    shown = page.page.locator("figure:visible").count()
    expect(shown >= 8, f"{shown} charts are drawn")
    drawn = page.page.evaluate("[...document.querySelectorAll('figure:not([hidden]) canvas')].every((canvas) => canvas.width > 200 && canvas.getAttribute('aria-label').length > 10)")
    expect(drawn, "each has a size and tells its newest values to who cannot see it")


def check_form(page, base):
    print("Form")
    page.page.fill("#ask input[name=user]", "7")
    page.page.keyboard.press("Enter")
    page.page.wait_for_selector("#ask .list tbody tr")
    rows = page.page.locator("#ask .list tbody tr").count()
    expect(rows == 10, "ten items for user 7, asked for by the keyboard alone")
    page.page.locator("#ask .list button").first.focus()
    page.page.keyboard.press("Enter")
    page.page.wait_for_selector("#ask .why:not([hidden])")
    title = page.page.text_content("#ask .why h3")
    item, score = title.split()[1].rstrip(":"), float(title.split()[2])
    answer = call(base, "explain", user="7", item=item)
    terms = sum(float(cell) for cell in page.page.locator("#ask .terms td:nth-child(2)").all_text_contents())
    expect(abs(terms - score) < 0.002, f"the terms of item {item} sum to its score, {score}")
    expect(abs(answer["score"] - score) < 0.5, "which is about what the daemon answers now")
    page.page.fill("#ask input[name=user]", "nobody at all")
    page.page.click("#ask button[type=submit]")
    page.until("document.querySelector('#ask .outcome').textContent.includes('not known as a user')", "an unknown user is named as such")
    expect(True, "who is unknown gets a list, and is told so")


def check_hostile(page, daemon):
    print("Ids that are markup")
    user = '"><img src=x onerror=alert(1)>'
    daemon.publish([{"user": user, "item": HOSTILE, "type": "buy"}] * 3, "hostile.jsonl")
    page.page.click('#top input[value="latest"]')
    page.until(f"[...document.querySelectorAll('#top td')].some((cell) => cell.textContent === {json.dumps(HOSTILE)})", "the new item is among the latest")
    page.page.fill("#ask input[name=user]", user)
    page.page.uncheck("#ask input[name=seen]")
    page.page.click("#ask button[type=submit]")
    page.until("document.querySelector('#ask .outcome').textContent.startsWith('position')", "the strange user gets an answer")
    strange = page.page.evaluate("document.querySelectorAll('td b, td script, td img, main script').length")
    expect(strange == 0 and page.page.title() == "factord", "they are shown as text, and nothing of them runs")
    page.page.check("#ask input[name=seen]")
    page.page.click('#top input[value="popular"]')


def check_past(browser, base, least):
    print("A page that is opened later")
    page = Page(browser, base, viewport={"width": 1400, "height": 900})
    points = page.page.evaluate("Object.values(Chart.instances)[0].data.datasets[0].data.length")
    expect(points >= least, f"draws the past: {points} seconds")
    page.page.click('input[value="minutes"]')
    page.page.wait_for_timeout(1500)
    expect(page.complaints == [], f"changes to 24 hours without complaint {page.complaints}")
    page.context.close()


def shots(browser, base, folder):
    """Pictures in light, dark, and as wide as a phone; nothing may stick out."""
    print("Pictures")
    for name, options in {
        "light": {"viewport": {"width": 1440, "height": 1000}, "color_scheme": "light"}, "dark": {"viewport": {"width": 1440, "height": 1000}, "color_scheme": "dark"},
        "phone": {"viewport": {"width": 390, "height": 844}, "color_scheme": "light", "device_scale_factor": 2, "is_mobile": True, "has_touch": True},
        "phone-dark": {"viewport": {"width": 360, "height": 780}, "color_scheme": "dark", "device_scale_factor": 2, "is_mobile": True, "has_touch": True},
    }.items():
        page = Page(browser, base, **options)
        page.page.fill("#ask input[name=user]", "7")
        page.page.click("#ask button[type=submit]")
        page.page.wait_for_selector("#ask .list tbody tr")
        page.page.locator("#ask .list button").first.click()
        page.page.wait_for_selector("#ask .why:not([hidden])")
        page.page.evaluate("document.activeElement.blur()")
        page.page.screenshot(path=folder / f"dashboard-{name}.png", full_page=True)
        width = page.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        expect(width <= 0, f"{name}: nothing sticks out to the side")
        expect(page.complaints == [], f"{name}: the console is silent {page.complaints}")
        page.context.close()
    page = Page(browser, base, viewport={"width": 1440, "height": 1000}, color_scheme="light")
    page.page.select_option("#theme", "dark")
    expect(page.page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(18, 22, 28)", "the switch makes it dark")
    page.page.reload()
    page.looks(1)
    expect(page.page.input_value("#theme") == "dark", "and is remembered")
    page.context.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--binaries", required=True, help="folder of factord and factorctl")
    parser.add_argument("--folder", required=True, help="for state, logs and pictures")
    parser.add_argument("--seconds", type=float, default=45, help="how long the stream runs before the pictures are taken")
    parser.add_argument("--rate", type=int, default=2000, help="events a second")
    parser.add_argument("--port", type=int, default=5599)
    parser.add_argument("--chromium", default="/usr/bin/chromium")
    options = parser.parse_args()
    folder = pathlib.Path(options.folder).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    daemon, failure = Daemon(options.binaries, folder, options.port), None
    try:
        events = int(options.rate * (options.seconds + 120))
        daemon.factorctl(
            "simulate", "--events", events, "--rate", options.rate, "--drift", "flip", "--drift-at", int(options.rate * options.seconds * 0.6), "--users", 2000, "--items", 1000,
            "--endpoint", daemon.events, "--requests", daemon.requests, "--no-progress")
        started = time.monotonic()
        with sync_playwright() as playwright:
            # Chromium's own sandbox cannot be had as root, nor in most containers; the page is the daemon's.
            browser = playwright.chromium.launch(executable_path=options.chromium, args=["--no-sandbox", "--disable-dev-shm-usage"])
            page = Page(browser, daemon.base, viewport={"width": 1400, "height": 900})
            page.looks(8)
            check_figures(page, daemon.base, options.rate)
            check_form(page, daemon.base)
            check_hostile(page, daemon)
            expect(page.complaints == [], f"the console is silent {page.complaints}")
            page.context.close()
            while time.monotonic() < started + options.seconds:
                time.sleep(1)
                # Requests of a client, for the charts of latency.
                call(daemon.base, "ping")
                daemon.factorctl("recommend", "7", "8", "9", "--requests", daemon.requests, "--json", wait=True)
            check_past(browser, daemon.base, min(options.seconds, 600) * 0.8)
            shots(browser, daemon.base, folder)
            browser.close()
    except (AssertionError, Exception) as error:
        failure = error
    status = daemon.stop()
    if failure is not None:
        print(f"FAILED: {type(failure).__name__}: {failure}", file=sys.stderr)
        sys.exit(1)
    expect(status == 0, "the daemon stops with exit status 0")
    print(f"All is well. Pictures: {folder}/dashboard-*.png")


if __name__ == "__main__":
    main()
