// The page: looks at the daemon once a second while somebody looks at the page.

import { showChoice } from './ask.js';
import { Charts } from './charts.js';
import { call } from './daemon.js';
import { bar, fill, short } from './format.js';
import { History } from './history.js';
import { showAbout, showTables, showTiles } from './tables.js';

const history = new History(), charts = new Charts(document.querySelector('#charts'));
const state = document.querySelector('#state'), notice = document.querySelector('#notice'), top = document.querySelector('#top');
let looks = 0, isBusy = false;

// Colours: the system's, or the person's choice, kept in this browser.
const theme = document.querySelector('#theme'), dark = matchMedia('(prefers-color-scheme: dark)');
function colour() {
    document.documentElement.dataset.theme = theme.value === 'auto' ? (dark.matches ? 'dark' : 'light') : theme.value;
    charts.draw(history);
}
try { theme.value = localStorage.getItem('theme') ?? 'auto'; } catch { /* A browser that keeps nothing. */ }
theme.addEventListener('change', () => {
    try { localStorage.setItem('theme', theme.value); } catch { /* The same. */ }
    colour();
});
dark.addEventListener('change', colour);
colour();

function tell(kind, text, problem = '') {
    state.dataset.state = kind;
    const words = state.querySelector('.text');
    if (words.textContent !== text) words.textContent = text;
    notice.hidden = problem === '';
    if (notice.textContent !== problem) notice.textContent = problem;
}

async function showTop() {
    const method = document.querySelector('input[name="list"]:checked').value, answer = await call(method, { n: 10, exclude_seen: false });
    const most = Math.max(1e-9, ...answer.items.map((entry) => entry.score));
    fill(top.querySelector('table'), answer.items.map((entry, index) => [index + 1, String(entry.item), short(entry.score), bar(Math.max(0, entry.score), most)]));
}

async function look() {
    if (isBusy || document.hidden) return;
    isBusy = true;
    try {
        const stats = await call('stats');
        await history.follow(stats.now);
        showAbout(stats);
        showTiles(stats);
        showTables(stats);
        showChoice(stats);
        charts.draw(history);
        if (looks++ % 5 === 0) await showTop();
        const missing = charts.isThere ? '' : 'No charts: the chart library is missing. Install Debian’s libjs-chart.js and restart factord.';
        if (stats.degraded) tell('bad', 'degraded: storage', `Degraded storage: ${stats.degraded_reason}. Learning and answers go on; nothing new is durable until the disk is well again.`);
        else tell('good', 'learning', missing);
        document.documentElement.dataset.looks = looks;
    } catch (error) {
        tell('bad', 'no answer', `The daemon does not answer: ${error.message}. This page goes on trying.`);
    } finally {
        isBusy = false;
    }
}

for (const choice of document.querySelectorAll('input[name="span"]')) {
    choice.addEventListener('change', async () => {
        try {
            await history.load(choice.value);
            charts.draw(history);
        } catch (error) {
            tell('bad', 'no answer', error.message);
        }
    });
}
for (const choice of document.querySelectorAll('input[name="list"]')) choice.addEventListener('change', () => showTop().catch(() => {}));
document.addEventListener('visibilitychange', look);
history.load().catch(() => {}).finally(look);
setInterval(look, 1000);
