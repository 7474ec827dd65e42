// The form: a user's recommendations, and why an item is among them.

import { call } from './daemon.js';
import { bar, decimal, element, fill } from './format.js';

const article = document.querySelector('#ask'), form = article.querySelector('form'), outcome = article.querySelector('.outcome');
const list = article.querySelector('.list'), why = article.querySelector('.why');
/** Only the newest question's answer is shown. */
let asked = 0;

const fallbacks = { none: 'nobody is known who could stand in' };

function describe(answer) {
    const parts = [`position ${answer.position}`];
    if (answer.model) parts.push(`model ${answer.model}`);
    if (answer.fallback) parts.push(`not known as a user; answered from ${fallbacks[answer.fallback] ?? answer.fallback.replaceAll('_', ' ')}`);
    if (answer.seen_complete === false) parts.push('the list of what was seen is not complete');
    return parts.join(' · ');
}

function say(text, isBad = false) {
    outcome.textContent = text;
    outcome.classList.toggle('bad', isBad);
}

async function recommend() {
    const question = ++asked, user = form.elements.user.value, model = form.elements.model.value;
    const parameters = { user, n: Number(form.elements.n.value) || 10, exclude_seen: form.elements.seen.checked };
    if (model) parameters.model = model;
    why.hidden = true;
    say('asking');
    try {
        const answer = await call('recommend', parameters);
        if (question !== asked) return;
        list.hidden = answer.items.length === 0;
        fill(list, answer.items.map((entry, index) => {
            const button = element('button', '', 'Why?');
            button.type = 'button';
            button.setAttribute('aria-label', `Why ${entry.item}?`);
            button.addEventListener('click', () => explain(user, entry.item, model));
            return [index + 1, String(entry.item), decimal(entry.score), button];
        }));
        say(`${answer.items.length === 0 ? 'No items. ' : ''}${describe(answer)}`);
    } catch (error) {
        if (question !== asked) return;
        list.hidden = true;
        say(error.message, true);
    }
}

/** What a term is about, in words. */
function name(term) {
    const feature = (group, what) => (what === undefined ? group : `${group.replaceAll('_', ' ')} ${what}`);
    const one = term.group ? feature(term.group, term.feature) : '';
    const parts = { bias: 'bias', rest: `${term.terms} further terms`, weight: `weight of ${one}`, pair: `${one} with ${feature(term.with_group ?? '', term.with)}`, side: `${one} with its own side`, sets: `${one} in sets of three and more` };
    return parts[term.term] ?? term.term;
}

async function explain(user, item, model) {
    const question = ++asked;
    try {
        const answer = await call('explain', { user, item, n: 12, near: 5, ...(model ? { model } : {}) });
        if (question !== asked) return;
        const most = Math.max(...answer.terms.map((term) => Math.abs(term.value)), 1e-9);
        const title = why.querySelector('h3');
        title.textContent = `Why ${item}: ${decimal(answer.score)} is the sum of`;
        fill(why.querySelector('.terms'), answer.terms.map((term) => [name(term), decimal(term.value), bar(term.value, most, true)]));
        why.querySelector('.near').textContent = answer.near.length === 0 ? '' : `Nearest of what the user took: ${answer.near.map((entry) => `${entry.item} (${decimal(entry.similarity, 2)})`).join(', ')}`;
        why.hidden = false;
        title.focus();
    } catch (error) {
        if (question === asked) say(error.message, true);
    }
}

export function showChoice(stats) {
    const select = form.elements.model, names = stats.models.map((model) => model.name);
    if (select.options.length === names.length + 1) return;
    const standard = element('option', '', 'the one that answers');
    standard.value = '';
    select.replaceChildren(standard, ...names.map((model) => element('option', '', model)));
    form.querySelector('.models').hidden = names.length < 2;
}

form.addEventListener('submit', (event) => {
    event.preventDefault();
    recommend();
});
