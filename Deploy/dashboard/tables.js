// What `stats` tells now: tiles and tables.

import { bar, bytes, count, decimal, define, duration, element, fill, seconds, short } from './format.js';

const find = (selector) => document.querySelector(selector);
const sum = (list, value) => list.reduce((total, entry) => total + (value(entry) ?? 0), 0);
const some = (number, one, many) => `${count(number)} ${number === 1 ? one : many}`;
const sumOf = (group) => Object.values(group ?? {}).reduce((total, value) => total + value, 0);

export function showAbout(stats) {
    const models = stats.models.map((model) => `${model.name}: ${model.kind}, rank ${model.rank}`).join('; ');
    find('#about').textContent = `${stats.build.version} · up ${duration(stats.uptime_seconds)} · position ${count(stats.position)} · ${models}`;
}

/** The tiles: a name, a value, a note, and whether it is as it should be. */
export function showTiles(stats) {
    const now = stats.now ?? {}, tables = stats.tables, rejected = sumOf(stats.events.rejected);
    const missing = sum(stats.streams, (stream) => stream.losses?.missing), gaps = sum(stats.streams, (stream) => stream.losses?.gaps);
    const snapshot = stats.snapshot, fill = now.queue_fill ?? 0, used = tables.budget > 0 ? tables.bytes / tables.budget : 0;
    const tiles = [
        ['events', 'Events/s', short(now.received), `${count(stats.events.received)} received`],
        ['lag', 'Lag', count(stats.sequenced - stats.position), `events; queues ${Math.round(fill * 100)} % full`, fill > 0.9 ? 'warn' : ''],
        ['delay', 'Time to learn', seconds(now.learning_delay_seconds), 'until all that came was learned'],
        ['rejected', 'Set aside', count(rejected), `${short((now.rejected ?? 0) + (now.refused ?? 0))} a second`, now.rejected > 0 ? 'warn' : ''],
        ['gaps', 'Missing messages', count(missing), `in ${some(gaps, 'gap', 'gaps')}`, missing > 0 ? 'warn' : ''],
        ['requests', 'Requests/s', short(now.requests), `${count(stats.requests?.answered)} answered, ${short(now.http_requests)}/s over HTTP`],
        ['latency', 'Latency p99', seconds(now.requests_p99_seconds ?? (stats.requests ? stats.requests.p99_us / 1e6 : null)), now.requests_p50_seconds === null ? 'of all so far' : `p50 ${seconds(now.requests_p50_seconds)}`],
        ['memory', 'Memory', bytes(stats.process.resident_bytes), tables.budget > 0 ? `tables ${(used * 100).toFixed(used < 0.1 ? 1 : 0)} % of their budget` : `tables ${bytes(tables.bytes)}`, used > 0.95 ? 'warn' : ''],
        ['snapshot', 'Snapshot', snapshot.age_seconds === undefined ? 'none yet' : `${duration(snapshot.age_seconds)}`, snapshot.failed > 0 ? `${count(snapshot.failed)} failed` : snapshot.age_seconds === undefined ? 'by this process' : 'ago', snapshot.failed > 0 ? 'warn' : ''],
    ];
    const section = find('#tiles');
    for (const [id, name, value, note, state] of tiles) {
        let tile = section.querySelector(`[data-tile="${id}"]`);
        if (!tile) {
            tile = element('div', 'tile');
            tile.dataset.tile = id;
            tile.append(element('div', 'name', name), element('div', 'value'), element('div', 'note'));
            section.append(tile);
        }
        tile.dataset.state = state ?? '';
        tile.querySelector('.value').textContent = value;
        tile.querySelector('.note').textContent = note;
    }
}

export function showTables(stats) {
    showModels(stats);
    showMemory(stats);
    showStreams(stats);
    showStorage(stats);
    showQueues(stats);
}

function showModels(stats) {
    const rows = stats.models.flatMap((model) => {
        const about = [stats.models.length > 1 && model.name === stats.answering ? `${model.name} (answers)` : model.name, model.kind, model.rank, count(model.events)];
        return model.prequential.map((metric, index) => [...(index === 0 ? about : ['', '', '', '']), metric.metric, decimal(metric.value), decimal(metric.recent), index === 0 ? count(model.drift.alarms) : '']);
    });
    fill(find('#models table'), rows);
}

function showMemory(stats) {
    const tables = stats.tables, most = Math.max(1, ...tables.sides.map((side) => side.id_bytes + side.row_bytes));
    const rows = tables.sides.map((side) => [side.name, count(side.ids), bytes(side.id_bytes), bytes(side.row_bytes), bar(side.id_bytes + side.row_bytes, most)]);
    rows.push(['histories, seen', '', '', bytes(tables.held_bytes), bar(tables.held_bytes, most)]);
    if (stats.replay.capacity > 0) rows.push(['replay', count(stats.replay.held), '', bytes(stats.replay.bytes), bar(stats.replay.bytes, most)]);
    fill(find('#memory table'), rows);
    find('#memory .budget').textContent = `Mapped ${bytes(tables.bytes)}${tables.budget > 0 ? ` of a budget of ${bytes(tables.budget)}` : ', without a budget'}; ${count(tables.evictions)} ids evicted or forgotten; ${count(tables.hidden_items)} items hidden.`;
}

function showStreams(stats) {
    fill(find('#streams table'), stats.streams.map((stream) => [
        stream.name, count(stream.received), count(sumOf(stream.rejected)), count(stream.oversize), count(stream.losses?.gaps), count(stream.losses?.missing), count(stream.losses?.duplicates),
    ]));
    const reasons = Object.entries(stats.events.rejected).filter(([, number]) => number > 0).sort((one, other) => other[1] - one[1]);
    find('#streams .reasons').replaceChildren(...(reasons.length === 0 ? [element('li', 'soft', 'nothing')] : reasons.map(([reason, number]) => element('li', '', `${reason} ${count(number)}`))));
}

function showStorage(stats) {
    const { snapshot, journal } = stats;
    define(find('#storage dl'), [
        ['Storage', stats.degraded ? `degraded: ${stats.degraded_reason}` : 'good', stats.degraded ? 'bad' : ''],
        ['Durable up to', `${count(stats.durable)} of ${count(stats.sequenced)}`],
        journal ? ['Journal', `${some(journal.appended - journal.durable, 'batch', 'batches')} not on disk, ${some(journal.segments, 'segment', 'segments')}`] : ['Journal', 'none'],
        journal && (journal.failures > 0 || journal.holes > 0) ? ['Faults', `${some(journal.failures, 'failure', 'failures')}, ${some(journal.holes, 'hole', 'holes')}, ${count(journal.learned_not_durable)} records learned meanwhile`, 'warn'] : null,
        journal ? ['Publishers', `${count(journal.sources)} remembered`] : null,
        ['Snapshots', `${count(snapshot.count)} written, ${count(snapshot.failed)} failed`, snapshot.failed > 0 ? 'warn' : ''],
        snapshot.age_seconds === undefined ? null : ['Newest', `position ${count(snapshot.position)}, ${duration(snapshot.age_seconds)} ago, ${bytes(snapshot.bytes)}, ${snapshot.exact ? 'exact' : 'with the journal behind it'}`],
        snapshot.age_seconds === undefined ? null : ['It took', `${seconds(snapshot.seconds)} in ${count(snapshot.pauses)} pauses, the longest ${seconds(snapshot.pause_ms / 1e3)}`],
        ['Dead letters', `${count(stats.events.dead_letters.written)} written, ${count(stats.events.dead_letters.lost)} lost`, stats.events.dead_letters.lost > 0 ? 'warn' : ''],
    ]);
}

function showQueues(stats) {
    fill(find('#queues table'), stats.trainers.map((trainer, index) => [index, count(trainer.queue_depth), count(trainer.queue_capacity), count(trainer.applied), bar(trainer.queue_depth, trainer.queue_capacity)]));
    const requests = stats.requests ?? {}, refused = Object.entries(requests.refused ?? {}).filter(([, number]) => number > 0);
    define(find('#queues dl'), [
        ['Waits of receivers', count(stats.events.waits)],
        ['Requests', `${count(requests.waiting)} wait for a position, ${count(requests.queued)} for a thread`],
        ['Refused', refused.length === 0 ? 'none' : refused.map(([reason, number]) => `${reason} ${count(number)}`).join(', '), refused.length > 0 ? 'warn' : ''],
        ['Replies not taken', count(requests.dropped)],
        ['HTTP connections', `${count(stats.http?.connections)} open, ${count(stats.http?.evicted)} made room, ${count(stats.http?.timed_out)} too slow`],
        ['Descriptors', `${count(stats.process.descriptors)} of ${count(stats.process.descriptors_limit)}`],
    ]);
}
