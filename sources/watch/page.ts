/**
 * The page: what runs, what waits and why, and the time line of one bead. One self-contained
 * document without a framework; every text from a bead is set as text and never as markup.
 */

/** @param nonce of the content security policy. */
export const pageWith = (nonce: string): string => `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>beads auto-dispatch</title>
<style nonce="${nonce}">${STYLE}</style>
</head>
<body>
<header><h1>beads auto-dispatch</h1><p id="summary" role="status" aria-live="polite">Loading…</p></header>
<main>
<dl id="counts"></dl>
<div class="scroll"><table>
<caption class="hidden">Beads of the agent that are not closed</caption>
<thead><tr><th>Bead</th><th>State</th><th class="n">Pri</th><th>Why</th><th class="n">Age</th></tr></thead>
<tbody id="beads"></tbody>
</table></div>
<p id="more"></p>
<section id="today" hidden><h2>Finished today</h2><ul id="finished"></ul></section>
<section id="detail" aria-live="polite" hidden><h2 id="name"></h2><p id="verdict"></p><ul id="reasons"></ul>
<svg id="line" role="img" aria-label="Time line of the bead"></svg><ol id="story"></ol></section>
</main>
<script nonce="${nonce}">${SCRIPT}</script>
</body>
</html>
`;

const STYLE = `
:root{color-scheme:light dark;--ink:#1c2530;--soft:#5b6875;--rule:#d8dee4;--paper:#fff;--card:#f5f7f9;
--run:#1f6feb;--ok:#1a7f37;--wait:#9a6700;--stop:#cf222e}
@media (prefers-color-scheme:dark){:root{--ink:#e6edf3;--soft:#9aa7b4;--rule:#30363d;--paper:#0d1117;--card:#161b22;
--run:#58a6ff;--ok:#3fb950;--wait:#d29922;--stop:#ff7b72}}
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.5 system-ui,sans-serif}
header,main{max-width:64rem;margin:0 auto;padding:1rem}
h1{font-size:1.15rem;margin:0}h2{font-size:1.05rem;margin:0 0 .25rem}
#summary{margin:.25rem 0 0;color:var(--soft)}
dl{display:grid;grid-template-columns:repeat(auto-fit,minmax(7rem,1fr));gap:.5rem;margin:0 0 1rem}
dl div{background:var(--card);border-radius:.5rem;padding:.5rem .75rem}
dt{color:var(--soft);font-size:.85rem}dd{margin:0;font-size:1.4rem;font-variant-numeric:tabular-nums}
.scroll{overflow-x:auto}table{border-collapse:collapse;width:100%}
th{text-align:left;color:var(--soft);font-weight:500;font-size:.85rem}
th,td{padding:.4rem .6rem;border-bottom:1px solid var(--rule);vertical-align:top}.n{text-align:right}
td.n{font-variant-numeric:tabular-nums;white-space:nowrap}
td:first-child{min-width:10rem}td small{display:block;color:var(--soft);overflow-wrap:anywhere}
button{font:inherit;color:var(--run);background:none;border:0;padding:0;cursor:pointer;text-align:left}
button:focus-visible{outline:2px solid var(--run);outline-offset:2px}
.in-progress{color:var(--run)}.eligible{color:var(--ok)}.back-off,.skipped{color:var(--wait)}.blocked{color:var(--stop)}
#detail{margin-top:1.25rem;background:var(--card);border-radius:.5rem;padding:1rem}
#line{width:100%;height:3.5rem;display:block;margin:.5rem 0}
#story{margin:0;padding-left:1.25rem}#story li{overflow-wrap:anywhere}#story time{color:var(--soft);margin-right:.5rem}
.hidden{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}
#more{color:var(--soft)}td:nth-child(2){white-space:nowrap}
#today{margin-top:1.25rem}#finished{list-style:none;margin:0;padding:0}#finished li{padding:.25rem .6rem}
#finished small{color:var(--soft);margin-left:.5rem}
@media (max-width:40rem){thead{display:none}tr{display:grid;grid-template-columns:1fr auto;border-bottom:1px solid var(--rule);padding:.5rem 0}
td{border:0;padding:.1rem .3rem}td:nth-child(3){display:none}td:nth-child(4){grid-column:1/3;grid-row:2}td:nth-child(5){grid-row:3;grid-column:1/3;text-align:left;color:var(--soft)}
td:nth-child(5)::before{content:"changed "}td:nth-child(5)::after{content:" ago"}}
`;

/** Rows that are drawn; more would only make the page slow, and nobody reads them. */
const MOST_ROWS = 1_000;

const SCRIPT = `
const at = (id) => document.getElementById(id);
const make = (tag, text, className) => {
  const element = document.createElement(tag);
  if (text !== undefined) element.textContent = text;
  if (className) element.className = className;
  return element;
};
const age = (s) => s < 120 ? s + 's' : s < 7200 ? Math.floor(s / 60) + 'm' : s < 86400 ? Math.floor(s / 3600) + 'h' : Math.floor(s / 86400) + 'd';
const clock = (iso) => new Date(iso).toLocaleTimeString();
const local = (text) => text.replace(/\\d{4}-\\d\\d-\\d\\dT[\\d:.]+Z/g, clock);
let chosen;
async function read(path) {
  const answer = await fetch(path, { headers: { accept: 'application/json' } });
  if (!answer.ok && answer.status !== 404) throw new Error('HTTP ' + answer.status);
  return await answer.json();
}
function opener(id) {
  const button = make('button', id);
  button.addEventListener('click', () => { chosen = id; void detail(); });
  return button;
}
function row(bead) {
  const tr = make('tr');
  const name = make('td');
  name.append(opener(bead.id), make('small', bead.title));
  const why = make('td', bead.why || '–');
  if (bead.message && bead.message !== bead.why) why.append(make('small', local(bead.message) + (bead.dispatchedAt ? ' at ' + clock(bead.dispatchedAt) : '')));
  tr.append(name, make('td', bead.state, bead.state), make('td', bead.priority ?? '–', 'n'), why, make('td', age(bead.ageSeconds), 'n'));
  return tr;
}
async function refresh() {
  try {
    const { status, beads, finished, transitions } = await read('api/v1/state');
    const { breaker, counts, outbox } = status;
    const parts = [status.paused ? 'Dispatch is paused.' : 'Dispatch is running.'];
    if (breaker.state !== 'closed') parts.push('The breaker is ' + breaker.state + (breaker.until ? ' until ' + clock(breaker.until) : '') + '.');
    if (outbox.parked) parts.push(outbox.parked + ' events are parked.');
    for (const miss of status.nearMisses) parts.push(miss.example + ' belongs to "' + miss.assignee + '".');
    parts.push('Read at ' + clock(status.at) + '.');
    at('summary').textContent = parts.join(' ');
    const cells = { 'In progress': counts.inProgress, Eligible: counts.eligible, 'Back-off': counts.backOff, Skipped: counts.skipped, Blocked: counts.blocked, Outbox: outbox.events, Dispatched: transitions.dispatched };
    at('counts').replaceChildren(...Object.entries(cells).map(([title, value]) => {
      const cell = make('div');
      cell.append(make('dt', title), make('dd', value));
      return cell;
    }));
    at('beads').replaceChildren(...beads.slice(0, ${MOST_ROWS}).map(row));
    at('more').textContent = beads.length === 0 ? 'No bead of ' + status.assignee + ' is open.' : beads.length > ${MOST_ROWS} ? (beads.length - ${MOST_ROWS}) + ' more are not shown.' : '';
    at('today').hidden = finished.length === 0;
    at('finished').replaceChildren(...finished.map((bead) => {
      const item = make('li');
      item.append(opener(bead.id), make('small', bead.title), make('small', age(bead.ageSeconds) + ' ago'));
      return item;
    }));
    if (chosen !== undefined) await detail();
  } catch (error) {
    at('summary').textContent = 'The state cannot be read: ' + error.message;
  }
}
async function detail() {
  const { why, history } = await read('api/v1/beads/' + encodeURIComponent(chosen));
  at('detail').hidden = false;
  at('name').textContent = why.id + (why.title ? ' – ' + why.title : '');
  at('verdict').textContent = why.dispatchable ? 'The next tick dispatches it.' : why.status === 'open' ? 'The next tick does not dispatch it:' : '';
  at('reasons').replaceChildren(...[...why.reasons.map(({ message }) => local(message)), ...(why.lastFailure ? [why.lastFailure] : [])].map((text) => make('li', text)));
  at('story').replaceChildren(...history.lines.map((line) => {
    const item = make('li');
    item.append(make('time', new Date(line.at).toLocaleString()), line.what + ' (' + line.actor + ')');
    return item;
  }));
  draw(history.lines);
}
function draw(lines) {
  const svg = at('line');
  const shape = (tag, attributes) => {
    const element = document.createElementNS('http://www.w3.org/2000/svg', tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
    return element;
  };
  const times = lines.map(({ at }) => Date.parse(at));
  const [first, last] = [Math.min(...times), Math.max(...times)];
  const x = (time) => 2 + 96 * (last === first ? 0 : (time - first) / (last - first));
  svg.replaceChildren(shape('line', { x1: '2%', x2: '98%', y1: 28, y2: 28, stroke: 'currentColor', 'stroke-opacity': .3 }),
    ...lines.map((line, index) => {
      const dot = shape('circle', { cx: x(times[index]) + '%', cy: 28, r: 6, fill: 'var(' + (line.what.includes('blocked') || line.what.includes('failed') ? '--stop' : line.what.includes('dispatched') ? '--run' : line.what.startsWith('closed') ? '--ok' : '--soft') + ')' });
      const title = shape('title', {});
      title.textContent = line.what;
      dot.append(title);
      return dot;
    }));
}
void refresh();
const stream = new EventSource('api/v1/events');
let timer;
stream.addEventListener('changed', () => { clearTimeout(timer); timer = setTimeout(refresh, 200); });
`;
