// The charts, drawn by Chart.js (Debian's libjs-chart.js). Without it the page shows numbers only.

import { bytes, count, decimal, element, seconds, short } from './format.js';

const losses = new Set(['log_loss', 'rmse', 'mae', 'pair_loss', 'hinge']);
const lines = (...all) => () => all.map(([name, label, style]) => ({ name, label, ...style }));
const thin = { borderWidth: 1 }, dashed = { borderDash: [4, 3], borderWidth: 1 };

/** A model's metrics as lines, named by model where there are several. */
function modelLines(history, isWanted) {
    const found = history.metrics.filter(([, metric]) => metric !== 'drift_alarms' && isWanted(metric));
    const models = new Set(found.map(([model]) => model));
    return found.map(([model, metric, name]) => ({ name, label: models.size > 1 ? `${model} ${metric}` : metric }));
}

const definitions = [
    { title: 'Events', unit: 'a second', lines: lines(['received', 'received'], ['learned', 'learned', dashed], ['rejected', 'rejected'], ['refused', 'refused']), format: short, zero: true },
    { title: 'Prequential loss', unit: 'recent; each event predicted, then learned', lines: (history) => modelLines(history, (metric) => losses.has(metric)), format: decimal, marks: true },
    { title: 'Prequential ranking', unit: 'recent; higher is better', lines: (history) => modelLines(history, (metric) => !losses.has(metric) && metric !== 'calibration'), format: decimal, marks: true },
    { title: 'Latency of requests', unit: 'by second', lines: lines(['requests_p50_seconds', 'p50'], ['requests_p90_seconds', 'p90'], ['requests_p99_seconds', 'p99'], ['requests_p999_seconds', 'p99.9', thin]), format: seconds, logarithmic: true },
    { title: 'Requests', unit: 'a second', lines: lines(['requests', 'answered'], ['http_requests', 'over HTTP'], ['request_errors', 'errors'], ['replies_dropped', 'not taken']), format: short, zero: true },
    { title: 'Lag', unit: 'events with a position that are not learned, not on disk', lines: lines(['lag', 'not learned'], ['not_durable', 'not on disk', thin]), format: count, zero: true },
    { title: 'Time to learn', unit: 'until all that had come was learned', lines: lines(['learning_delay_seconds', 'delay']), format: seconds, zero: true },
    { title: 'Memory', unit: '', lines: lines(['resident_bytes', 'process'], ['row_bytes', 'rows, mapped'], ['id_bytes', 'ids, mapped'], ['history_bytes', 'histories, mapped']), format: bytes, zero: true },
    { title: 'Drops and gaps', unit: 'a second', lines: lines(['rejected', 'rejected'], ['refused', 'refused'], ['missing', 'missing messages'], ['waits', 'waits for a queue', thin]), format: short, zero: true },
];

function colour(name) { return getComputedStyle(document.documentElement).getPropertyValue(name).trim(); }

/** A point is drawn only where no line leads to it. */
function radius(context) {
    const points = context.dataset.data, isGap = (point) => point === undefined || Number.isNaN(point.y);
    return isGap(points[context.dataIndex - 1]) && isGap(points[context.dataIndex + 1]) ? 2 : 0;
}

/** Ticks at powers of ten; where there are few of these, at their doubles and fives, too. */
function logarithmicTicks(axis) {
    const decades = Math.log10(axis.max / axis.min), ticks = [];
    for (let power = Math.floor(Math.log10(axis.min)); power <= Math.ceil(Math.log10(axis.max)); power++) {
        for (const step of decades < 1.5 ? [1, 2, 5] : [1]) ticks.push({ value: step * 10 ** power });
    }
    axis.ticks = ticks.filter((tick) => tick.value >= axis.min * 0.999 && tick.value <= axis.max * 1.001);
}

/** Ticks at round numbers of KiB, MiB, GiB. */
function binaryTicks(axis) {
    const rough = Math.max(1, (axis.max - axis.min) / 5), step = 2 ** Math.ceil(Math.log2(rough));
    axis.ticks = [];
    for (let at = Math.ceil(axis.min / step) * step; at <= axis.max; at += step) axis.ticks.push({ value: at });
}

/** Vertical lines where the drift alarm rang. */
const marks = {
    id: 'marks',
    afterDatasetsDraw(chart) {
        const { ctx, chartArea: area, scales } = chart;
        ctx.save();
        ctx.strokeStyle = colour('--bad');
        ctx.fillStyle = colour('--bad');
        ctx.setLineDash([2, 3]);
        ctx.font = '11px system-ui, "DejaVu Sans", sans-serif';
        let last = -Infinity;
        for (const time of chart.options.alarms ?? []) {
            const x = scales.x.getPixelForValue(time);
            if (x < area.left || x > area.right) continue;
            ctx.beginPath();
            ctx.moveTo(x, area.top);
            ctx.lineTo(x, area.bottom);
            ctx.stroke();
            if (x - last > 40) ctx.fillText('drift', Math.min(x + 3, area.right - 26), area.top + 10);
            last = x;
        }
        ctx.restore();
    },
};

function clock(time, isLong) {
    const date = new Date(time * 1000), two = (n) => String(n).padStart(2, '0');
    return `${two(date.getHours())}:${two(date.getMinutes())}${isLong ? '' : `:${two(date.getSeconds())}`}`;
}

export class Charts {
    constructor(section) {
        this.isThere = typeof Chart !== 'undefined';
        this.charts = definitions.map((definition) => {
            const figure = element('figure'), caption = element('figcaption', '', `${definition.title} `), plot = element('div', 'plot'), canvas = element('canvas');
            caption.append(element('small', '', definition.unit));
            canvas.setAttribute('role', 'img');
            plot.append(canvas);
            figure.append(caption, plot);
            section.append(figure);
            return { definition, figure, canvas, chart: null, labels: '' };
        });
        if (!this.isThere) section.hidden = true;
    }

    /** Draws the series anew. */
    draw(history) {
        if (!this.isThere) return;
        const end = history.times.at(-1) ?? Date.now() / 1000;
        // Of a daemon that began a moment ago, no more than there is; a minute at least.
        const start = Math.max(end - history.width, Math.min(history.times[0] ?? end, end - 60 * history.interval));
        const alarms = history.metrics.filter(([, metric]) => metric === 'drift_alarms').flatMap(([, , name]) => history.points(name).filter((point) => point.y > 0).map((point) => point.x));
        for (const entry of this.charts) {
            const wanted = entry.definition.lines(history).filter((line) => history.has(line.name));
            entry.figure.hidden = wanted.length === 0;
            if (wanted.length === 0) continue;
            const labels = wanted.map((line) => line.label).join();
            if (entry.chart && entry.labels !== labels) {
                entry.chart.destroy();
                entry.chart = null;
            }
            entry.labels = labels;
            entry.chart ??= this.make(entry);
            const { chart } = entry;
            wanted.forEach((line, index) => {
                const { name, label, ...style } = line, stroke = colour(`--c${index % 6}`);
                const set = chart.data.datasets[index] ?? {};
                Object.assign(set, {
                    label, data: history.points(name), borderColor: stroke, backgroundColor: stroke, borderWidth: 1.8, pointHitRadius: 6, spanGaps: false, tension: 0,
                    pointRadius: radius, ...style,
                });
                chart.data.datasets[index] = set;
            });
            const { x, y } = chart.options.scales;
            x.min = start;
            x.max = end;
            for (const axis of [x, y]) {
                axis.grid.color = colour('--grid');
                axis.grid.borderColor = colour('--line');
                axis.ticks.color = colour('--soft');
            }
            chart.options.plugins.legend.labels.color = colour('--ink');
            chart.options.alarms = entry.definition.marks ? alarms : [];
            chart.options.isLong = history.span === 'minutes';
            chart.update('none');
            entry.canvas.setAttribute('aria-label', `${entry.definition.title} ${entry.definition.unit}: ` + wanted.map((line) => `${line.label} ${entry.definition.format(history.series[line.name].at(-1))}`).join(', '));
        }
    }

    make(entry) {
        const { definition } = entry;
        return new Chart(entry.canvas, {
            type: 'line',
            data: { datasets: [] },
            plugins: [marks],
            options: {
                animation: false, parsing: false, normalized: true, maintainAspectRatio: false, alarms: [], isLong: false,
                interaction: { mode: 'index', intersect: false },
                scales: {
                    x: {
                        type: 'linear', grid: {}, ticks: { maxRotation: 0, callback: (value, index, ticks) => clock(value, ticks.length > 1 && ticks[1].value - ticks[0].value >= 60) },
                        afterBuildTicks: (axis) => {
                            const width = axis.max - axis.min, rough = width / Math.max(2, Math.floor(axis.width / 90));
                            const step = [10, 30, 60, 120, 300, 600, 3600, 7200, 14_400, 21_600, 43_200].find((candidate) => candidate >= rough) ?? 86_400;
                            const shift = new Date().getTimezoneOffset() * 60;
                            axis.ticks = [];
                            for (let at = Math.ceil((axis.min - shift) / step) * step + shift; at <= axis.max; at += step) axis.ticks.push({ value: at });
                        },
                    },
                    y: {
                        type: definition.logarithmic ? 'logarithmic' : 'linear', beginAtZero: definition.zero ?? false, grace: definition.zero || definition.logarithmic ? 0 : '5%', grid: {},
                        ...(definition.logarithmic ? { afterBuildTicks: logarithmicTicks } : {}), ...(definition.format === bytes ? { afterBuildTicks: binaryTicks } : {}),
                        ticks: { maxTicksLimit: 6, callback: (value) => definition.format(value) },
                    },
                },
                plugins: {
                    legend: { position: 'bottom', labels: { boxWidth: 14, boxHeight: 2, padding: 10 } },
                    tooltip: { callbacks: { title: (items) => clock(items[0].parsed.x, false), label: (item) => `${item.dataset.label}: ${definition.format(item.parsed.y)}` } },
                },
            },
        });
    }
}
