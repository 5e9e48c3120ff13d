import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';

import { programFile } from '../../test/world/function.ts';
import type { Row } from '../row.ts';

const ROOT = join(import.meta.dirname, '../..');

/** What one function is shipped as, and what `npm ci --omit=dev` would install for it. */
export function measureSize(): Row[] {
  const installed = productionPackages().reduce((sum, folder) => sum + bytesIn(folder), 0);
  return [['dispatch'], ['reap'], ['dispatch', 'reap']].map((names): Row => {
    const shipped = names.reduce((sum, name) => sum + statSync(programFile(name)).size, 0);
    const part = shipped / installed;
    return {
      what: `size of what is shipped: ${names.join(' and ')}`,
      ours: `${(shipped / 1e6).toFixed(2)} MB, ${names.length === 1 ? 'one file' : 'two files'}`,
      against: `node_modules of the same, without development: ${(installed / 1e6).toFixed(1)} MB`,
      result: `${part.toFixed(3)} ×`,
      goal: names.length === 1 ? '≤ 0.1 ×' : '',
      isMet: names.length === 1 ? part <= 0.1 : undefined,
    };
  });
}

function productionPackages(): string[] {
  const lock: unknown = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8'));
  if (typeof lock !== 'object' || lock === null || !('packages' in lock)) return [];
  return Object.entries(lock.packages ?? {}).flatMap(([path, entry]) =>
    path === '' || (typeof entry === 'object' && entry !== null && 'dev' in entry)
      ? []
      : [join(ROOT, path)],
  );
}

/** Packages within packages are counted on their own. */
function bytesIn(folder: string): number {
  return readdirSync(folder, { withFileTypes: true }).reduce((sum, entry) => {
    if (entry.name === 'node_modules') return sum;
    const path = join(folder, entry.name);
    return sum + (entry.isDirectory() ? bytesIn(path) : statSync(path).size);
  }, 0);
}
