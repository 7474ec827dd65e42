// The series that are drawn: what the daemon had when the page came, and a sample for each second since.

import { samples } from './daemon.js';

export class History {
    constructor() {
        this.span = 'seconds';
        this.clear();
    }

    clear() {
        this.number = -1;
        this.times = [];
        this.series = {};
        this.interval = 1;
        this.loaded = 0;
    }

    /** Seconds that are shown. */
    get width() { return this.span === 'seconds' ? 600 : 86_400; }

    /** Fetches the past anew. */
    async load(span = this.span) {
        const past = await samples(span);
        this.span = span;
        this.number = past.number;
        this.times = past.time_ms.map((time) => time / 1000);
        this.series = past.series;
        this.interval = past.interval_seconds;
        this.loaded = Date.now();
    }

    /** Takes in the newest second; fetches all where some lie between, or the daemon began anew. */
    async follow(now) {
        if (!now) return;
        if (this.span === 'minutes') {
            if (Date.now() - this.loaded >= 60_000) await this.load();
            return;
        }
        if (now.number === this.number) return;
        if (now.number !== this.number + 1 || this.number < 0) return this.load();
        this.number = now.number;
        this.times.push(now.time_ms / 1000);
        for (const [name, values] of Object.entries(this.series)) values.push(now[name] ?? null);
        while (this.times.length > 600) {
            this.times.shift();
            for (const values of Object.values(this.series)) values.shift();
        }
    }

    /** Points of a series; a gap in time, such as a suspended machine, is a gap in the line. */
    points(name, scale = 1) {
        const values = this.series[name] ?? [], points = [];
        for (let place = 0; place < values.length; place++) {
            if (place > 0 && this.times[place] - this.times[place - 1] > 3.5 * this.interval) points.push({ x: this.times[place] - this.interval, y: NaN });
            points.push({ x: this.times[place], y: values[place] === null ? NaN : values[place] * scale });
        }
        return points;
    }

    has(name) { return (this.series[name] ?? []).some((value) => value !== null); }

    /** Models' metrics that are there: [model, metric, series]. */
    get metrics() {
        return Object.keys(this.series).filter((name) => name.startsWith('model/') && this.has(name)).map((name) => {
            const rest = name.slice(6), slash = rest.lastIndexOf('/');
            return [rest.slice(0, slash), rest.slice(slash + 1), name];
        });
    }
}
