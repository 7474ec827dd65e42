// Numbers for people, and elements without markup: whatever comes from the daemon is text and stays text.

const grouped = new Intl.NumberFormat('en-GB', { maximumFractionDigits: 0 });

export function count(number) {
    return number === null || number === undefined || !Number.isFinite(number) ? '–' : grouped.format(number);
}

/** Three significant digits with a prefix: 950, 1.23 k, 45.6 M. */
export function short(number) {
    if (number === null || number === undefined || !Number.isFinite(number)) return '–';
    const size = Math.abs(number);
    for (const [unit, name] of [[1e12, ' T'], [1e9, ' G'], [1e6, ' M'], [1e3, ' k']]) {
        if (size >= unit * 0.9995) return significant(number / unit) + name;
    }
    return significant(number);
}

function significant(number) {
    const size = Math.abs(number);
    if (size === 0) return '0';
    if (size < 0.01) return number.toExponential(1);
    return String(Number(number.toFixed(size >= 99.95 ? 0 : size >= 9.995 ? 1 : 2)));
}

export function bytes(number) {
    if (number === null || number === undefined || !Number.isFinite(number)) return '–';
    for (const [unit, name] of [[2 ** 40, ' TiB'], [2 ** 30, ' GiB'], [2 ** 20, ' MiB'], [2 ** 10, ' KiB']]) {
        if (number >= unit) return significant(number / unit) + name;
    }
    return `${Math.round(number)} B`;
}

/** A time such as a latency: 34 µs, 1.06 ms, 2.5 s. */
export function seconds(number) {
    if (number === null || number === undefined || !Number.isFinite(number)) return '–';
    if (number >= 0.9995) return `${significant(number)} s`;
    if (number >= 0.0009995) return `${significant(number * 1e3)} ms`;
    return `${significant(number * 1e6)} µs`;
}

/** A longer time: 12 s, 3 min 05 s, 2 h 07 min, 3 d 04 h. */
export function duration(number) {
    if (number === null || number === undefined || !Number.isFinite(number)) return '–';
    const whole = Math.round(number), two = (n) => String(n).padStart(2, '0');
    if (whole < 60) return `${whole} s`;
    if (whole < 3600) return `${Math.floor(whole / 60)} min ${two(whole % 60)} s`;
    if (whole < 86400) return `${Math.floor(whole / 3600)} h ${two(Math.floor(whole / 60) % 60)} min`;
    return `${Math.floor(whole / 86400)} d ${two(Math.floor(whole / 3600) % 24)} h`;
}

export function decimal(number, places = 4) {
    return number === null || number === undefined || !Number.isFinite(number) ? '–' : number.toFixed(places);
}

/** An element with a class and a text. */
export function element(name, className = '', text = null) {
    const made = document.createElement(name);
    if (className) made.className = className;
    if (text !== null) made.textContent = text;
    return made;
}

/** Makes a table's rows anew; a cell is a text, or an element. Numbers stand in columns whose heading is of class `n`. */
export function fill(table, rows) {
    const headings = [...table.tHead.rows[0].cells];
    table.tBodies[0].replaceChildren(...rows.map((cells) => {
        const row = document.createElement('tr');
        row.append(...cells.map((cell, index) => {
            const made = element('td', headings[index].className);
            made.append(cell instanceof Node ? cell : String(cell));
            return made;
        }));
        return row;
    }));
}

/** Fills a list of terms and what they mean. */
export function define(list, pairs) {
    list.replaceChildren(...pairs.filter((pair) => pair !== null).flatMap(([name, text, state]) => [element('dt', '', name), element('dd', state ?? '', text)]));
}

const svg = 'http://www.w3.org/2000/svg';

/** A bar for a share of the greatest value; negative ones run to the left of a middle line. */
export function bar(value, most, isSigned = false) {
    const picture = document.createElementNS(svg, 'svg');
    picture.setAttribute('class', 'bar');
    picture.setAttribute('viewBox', '0 0 100 12');
    picture.setAttribute('preserveAspectRatio', 'none');
    picture.setAttribute('aria-hidden', 'true');
    const share = most > 0 ? Math.min(1, Math.abs(value) / most) : 0, rectangle = document.createElementNS(svg, 'rect');
    const full = isSigned ? 50 : 100, width = share * full;
    rectangle.setAttribute('x', isSigned ? (value < 0 ? 50 - width : 50) : 0);
    rectangle.setAttribute('y', 1);
    rectangle.setAttribute('width', width);
    rectangle.setAttribute('height', 10);
    if (value < 0) rectangle.setAttribute('class', 'negative');
    picture.append(rectangle);
    if (isSigned) {
        const line = document.createElementNS(svg, 'line');
        for (const [name, at] of [['x1', 50], ['x2', 50], ['y1', 0], ['y2', 12]]) line.setAttribute(name, at);
        picture.append(line);
    }
    return picture;
}
