// Talks to the daemon that served this page.

const patience = 10_000;

/** An id beyond the integers that JavaScript holds exactly stays as it was written, as a text: to the daemon both are one id. */
function exact(key, value, context) {
    return typeof value === 'number' && Number.isInteger(value) && !Number.isSafeInteger(value) && context?.source ? context.source : value;
}

async function ask(path, options = {}) {
    const response = await fetch(path, { ...options, cache: 'no-store', signal: AbortSignal.timeout(patience) });
    const answer = JSON.parse(await response.text(), exact);
    if (!response.ok) throw new Error(answer.error?.message ?? `${path} answered ${response.status}`);
    return answer;
}

/** A method that only reads, with its parameters. */
export function call(method, parameters = {}) {
    return ask(`/v1/${method}`, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(parameters) });
}

/** The past: 'seconds' or 'minutes'. */
export function samples(span) {
    return ask(`/samples/${span}.json`);
}
