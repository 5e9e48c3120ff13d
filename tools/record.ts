import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

import xterm from '@xterm/headless';

/**
 * `make recording`: runs the demo on a terminal of 80 columns and 24 lines and makes an animated SVG
 * of what it really prints (docs/demo.svg, or the file that is named).
 */

const COLUMNS = 80;
const ROWS = 24;
/** A picture each so often, where something has changed. */
const FRAME_MS = 250;
/** The last picture stays, so that it can be read. */
const HOLD_MS = 6_000;
const CELL = { width: 8.4, height: 18 };
const PADDING = 14;

const ROOT = join(import.meta.dirname, '..');
/** The terminal keeps all that scrolled away. */
const SCROLLBACK = 1_000;
const [file = join(ROOT, 'docs/demo.svg')] = process.argv.slice(2);

interface Run {
  column: number;
  text: string;
  style: string;
}
interface Frame {
  atMs: number;
  rows: Run[][];
}

const terminal = new xterm.Terminal({
  cols: COLUMNS,
  rows: ROWS,
  scrollback: SCROLLBACK,
  allowProposedApi: true,
});
const frames: Frame[] = [];
// util-linux' script gives the demo a terminal.
const command = `stty cols ${COLUMNS} rows ${ROWS}; exec ${process.execPath} demo/demo.ts`;
const demo = spawn('script', ['-qec', command, '/dev/null'], {
  cwd: ROOT,
  stdio: ['ignore', 'pipe', 'inherit'],
  env: { ...process.env, TERM: 'xterm-256color', FORCE_COLOR: '1' },
});
let startedAt: number | undefined;
demo.stdout.on('data', (data: Buffer) => {
  startedAt ??= performance.now();
  terminal.write(data);
});
const timer = setInterval(look, FRAME_MS);
const [code] = await once(demo, 'close');
clearInterval(timer);
await new Promise<void>((resolve) => terminal.write('', resolve));
look();
if (code !== 0) throw new Error(`the demo ended with ${code}`);
writeFileSync(file, svgOf(frames));
const all = Array.from({ length: terminal.buffer.active.length }, (_, row) =>
  terminal.buffer.active.getLine(row)?.translateToString(true),
);
console.log(all.join('\n'));

function look(): void {
  if (startedAt === undefined) return;
  const rows = read();
  const last = frames.at(-1);
  if (JSON.stringify(last?.rows) === JSON.stringify(rows)) return;
  frames.push({ atMs: performance.now() - startedAt, rows });
}

/** What is on the screen, as runs of one style. */
function read(): Run[][] {
  const { active } = terminal.buffer;
  return Array.from({ length: ROWS }, (_, row) => {
    const line = active.getLine(active.viewportY + row);
    const runs: Run[] = [];
    for (let column = 0; column < COLUMNS; column += 1) {
      const cell = line?.getCell(column);
      if (cell === undefined) continue;
      const text = cell.getChars() || ' ';
      const style = [
        ...(cell.isBold() ? ['b'] : []),
        ...(cell.isDim() ? ['d'] : []),
        ...(cell.isFgPalette() ? [`c${cell.getFgColor()}`] : []),
      ].join(' ');
      const last = runs.at(-1);
      if (last?.style === style) last.text += text;
      else runs.push({ column, text, style });
    }
    return runs.filter(({ text }) => text.trim() !== '');
  });
}

function svgOf(all: readonly Frame[]): string {
  const [width, height] = [COLUMNS * CELL.width + 2 * PADDING, ROWS * CELL.height + 2 * PADDING];
  const totalMs = (all.at(-1)?.atMs ?? 0) + HOLD_MS;
  const percent = (ms: number) => `${((100 * ms) / totalMs).toFixed(3)}%`;
  const styles = all.map(({ atMs }, index) => {
    const [from, to] = [percent(atMs), percent(all[index + 1]?.atMs ?? totalMs)];
    const first = index === 0 ? '' : `0%,${from}{visibility:hidden}`;
    return `@keyframes f${index}{${first}${from},${to}{visibility:visible}${to === '100.000%' ? '' : `${to},100%{visibility:hidden}`}}
#f${index}{animation:f${index} ${Math.round(totalMs)}ms step-end infinite}`;
  });
  const pictures = all.map(
    ({ rows }, index) => `<g id="f${index}" class="f">${rows.map(lineOf).join('')}</g>`,
  );
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" role="img" aria-label="A run of make demo">
<style>text{font:14px ui-monospace,Menlo,Consolas,monospace;white-space:pre;fill:#1f2328}.bg{fill:#f6f8fa}
.f{visibility:hidden}.b{font-weight:bold}.d{opacity:.65}.c1{fill:#cf222e}.c2{fill:#116329}.c3{fill:#7d4e00}.c5{fill:#8250df}.c6{fill:#1b7c83}
@media (prefers-color-scheme:dark){text{fill:#e6edf3}.bg{fill:#161b22}.c1{fill:#ff7b72}.c2{fill:#3fb950}.c3{fill:#d29922}.c5{fill:#bc8cff}.c6{fill:#39c5cf}}
@media (prefers-reduced-motion:reduce){.f{animation:none!important}#f${all.length - 1}{visibility:visible}}
${styles.join('\n')}</style>
<rect class="bg" width="${width}" height="${height}" rx="8"/>
${pictures.join('\n')}
</svg>
`;
}

function lineOf(runs: readonly Run[], row: number): string {
  const y = PADDING + (row + 0.75) * CELL.height;
  return runs
    .map(({ column, text, style }) => {
      const lead = text.length - text.trimStart().length;
      const x = PADDING + (column + lead) * CELL.width;
      const shown = text.trim().replaceAll('&', '&amp;').replaceAll('<', '&lt;');
      const length = (text.trim().length * CELL.width).toFixed(1);
      return `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" textLength="${length}"${style === '' ? '' : ` class="${style}"`}>${shown}</text>`;
    })
    .join('');
}
