import { existsSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';

import { AgentService } from '../shared/agent-service/agent-service.ts';
import { BeadsDatabase, type Beads } from '../shared/beads/beads.ts';
import type { Inspector } from '../shared/beads/inspector.ts';
import type { Bead } from '../shared/beads/rows/bead.ts';
import { toCloudEventFrom } from '../shared/events/to-cloud-event.ts';
import { NOT_ASKED, type Surroundings } from '../shared/rules/next-tick.ts';
import { policyOf, type Policy } from '../shared/rules/policy.ts';
import { createLog } from '../shared/runtime/log.ts';
import { readSettings, type Settings } from '../shared/settings/settings.ts';
import { traceOf } from '../shared/runtime/trace.ts';
import { BeadBoard } from '../shared/targets/beadboard/beadboard.ts';

/** What every command that reads the database works with. */
export interface Context {
  settings: Settings;
  policy: Policy;
  beads: Beads;
  inspector: Inspector;
  /** What BeadBoard and the agent service say, as far as they can be asked from here. */
  surroundings: Surroundings;
  /** What could not be asked, in words. */
  unasked: string[];
}

/** bd's folder: `BEADS_DIR`, or `.beads` here or in a folder above. */
export function findBeadsDir(from = process.cwd()): string | undefined {
  const given = process.env['BEADS_DIR'];
  if (given !== undefined && given !== '') return given;
  for (let folder = resolve(from); ; folder = dirname(folder)) {
    if (existsSync(join(folder, '.beads', 'metadata.json'))) return join(folder, '.beads');
    if (folder === dirname(folder)) return undefined;
  }
}

/** @throws {SettingsError} nothing names a database. */
export function cliSettings(): Settings {
  const folder = findBeadsDir();
  return readSettings(folder === undefined ? process.env : { ...process.env, BEADS_DIR: folder });
}

/** Runs a command's work over one connection; the same variables and rules as the functions. */
export async function withDatabase<T>(
  work: (context: Context) => Promise<T>,
  { asks = false } = {},
): Promise<T> {
  const settings = cliSettings();
  const database = new BeadsDatabase(settings.database, settings.AGENT_ASSIGNEE);
  const toCloudEvent = toCloudEventFrom({
    project: settings.source,
    function: 'cli',
    traceparent: traceOf(undefined),
    extensions: settings.eventExtensions,
  });
  const { surroundings, unasked } = asks
    ? await ask(settings)
    : { surroundings: NOT_ASKED, unasked: [] };
  try {
    return await database.inspect(toCloudEvent, async (beads, inspector) =>
      work({ settings, policy: policyOf(settings), beads, inspector, surroundings, unasked }),
    );
  } finally {
    database.close();
  }
}

async function ask(settings: Settings): Promise<{ surroundings: Surroundings; unasked: string[] }> {
  const { BEADBOARD_URL, DISPATCH_TIMEOUT_MS } = settings;
  const unasked: string[] = [];
  const log = createLog('kn-beads', { level: 'silent', secrets: settings.log.secrets });
  const agentService = AgentService.of(settings, log);
  const freeCapacity = agentService && ((await agentService.freeCapacity()) ?? 'no-answer');
  if (agentService === undefined) unasked.push('the agent service (AGENT_SERVICE_URL is not set)');
  let isBeadBoardBusy: boolean | undefined;
  if (BEADBOARD_URL === undefined) {
    unasked.push('BeadBoard (BEADBOARD_URL is not set)');
  } else {
    try {
      isBeadBoardBusy = await new BeadBoard(BEADBOARD_URL, DISPATCH_TIMEOUT_MS).isBusy();
    } catch {
      unasked.push(`BeadBoard (${BEADBOARD_URL} does not answer)`);
    }
  }
  return { surroundings: { freeCapacity, isBeadBoardBusy }, unasked };
}

/** @throws when there is no such bead, or its row cannot be read. */
export async function theBead(inspector: Inspector, id: string): Promise<Bead> {
  const found = await inspector.find(id);
  if (found === undefined) throw new Error(`there is no bead ${id}`);
  if (!found.ok) throw new Error(`bead ${id} cannot be read: ${found.problem}`);
  return found.bead;
}

/** Who bd would say it was. */
export const actor = () =>
  process.env['BEADS_ACTOR'] || process.env['BD_ACTOR'] || process.env['USER'] || 'unknown';
