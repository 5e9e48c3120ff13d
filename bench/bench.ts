import { styleText } from 'node:util';

import { describeMachine } from './kernel.ts';
import { measureDispatch } from './measures/dispatch.ts';
import { measureIdle } from './measures/idle.ts';
import { measureLoad } from './measures/load.ts';
import { measureOperator } from './measures/operator.ts';
import { measureScale } from './measures/scale.ts';
import { measureSize } from './measures/size.ts';
import { measureStart } from './measures/start.ts';
import { word, writePage } from './page.ts';
import type { Row } from './row.ts';
import { BenchWorld } from './world.ts';

/**
 * `make bench`: each figure side by side with what it is compared to, in one run, interleaved.
 * Names of measurements as arguments run those alone.
 */
const MEASURES: Readonly<Record<string, (world: BenchWorld) => Promise<Row[]> | Row[]>> = {
  size: measureSize,
  start: measureStart,
  idle: measureIdle,
  dispatch: measureDispatch,
  scale: measureScale,
  load: measureLoad,
  operator: measureOperator,
};

const chosen = process.argv.slice(2);
// Every process of a measurement is ended with this one.
process.setMaxListeners(100);
const world = await BenchWorld.start();
const machine = `${describeMachine()}; Node ${process.versions.node}; measured on ${new Date().toISOString().slice(0, 10)}.`;
console.log(`${machine}\nMedian and middle half of each; ratios are of runs side by side.\n`);
const rows: Row[] = [];
try {
  for (const [name, measure] of Object.entries(MEASURES)) {
    if (chosen.length > 0 && !chosen.includes(name)) continue;
    for (const row of await measure(world)) {
      rows.push(row);
      print(row);
    }
  }
} finally {
  await world.stop();
}
await writePage(rows, machine);

function print({ what, ours, against, result, goal, isMet }: Row): void {
  const colour = isMet === undefined ? 'yellow' : isMet ? 'green' : 'red';
  console.log(styleText('bold', what));
  console.log(`  ${ours}`);
  console.log(`  ${against}`);
  console.log(`  ${result}   ${goal} ${styleText(colour, word(isMet))}\n`);
}
