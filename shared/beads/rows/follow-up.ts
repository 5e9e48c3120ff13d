import * as z from 'zod';

import { parseJson } from '../../runtime/json.ts';
import type { Row, Statement } from '../sql/connection.ts';

/**
 * A follow-up says that the end of something is still to be told: of a dispatch, that its bead has
 * left in progress; of the breaker, that it has closed. It is a row of bd's `local_metadata`, written
 * with what began, and removed with the event that tells the end, so that the end is told once
 * (docs/decisions/0021).
 */
const PREFIX = 'beads-dispatch.follow-up.';
/** The first key behind them: `/` follows `.`. */
const END = 'beads-dispatch.follow-up/';

/** @param token of the transition that began it, or {@link BREAKER}. */
export const followUpKey = (token: string) => PREFIX + token;
export const BREAKER = 'breaker';

/** As many as MAX_IN_FLIGHT allows at most. */
const MOST_FOLLOW_UPS = 10_000;
export const FOLLOW_UPS_STATEMENT: Statement = [
  `SELECT \`key\`, value FROM local_metadata
    WHERE \`key\` >= '${PREFIX}' AND \`key\` < '${END}' ORDER BY \`key\` LIMIT ${MOST_FOLLOW_UPS}`,
];
export const FOLLOW_UP_SQL = 'SELECT `key`, value FROM local_metadata WHERE `key` = ?';

const time = z.iso.datetime().transform((value) => new Date(value));
const begun = z.object({
  bead: z.object({ id: z.string(), title: z.string(), priority: z.int() }),
  attempt: z.int(),
  jobId: z.string(),
  at: time,
});
const opened = z.object({ at: time });

/** A dispatch whose end is to be told. */
export interface FollowUp extends z.output<typeof begun> {
  /** Of its transition, and so the id of `dispatch.dispatched.v1`. */
  token: string;
}

/** What is to be told, as one snapshot has it. */
export interface FollowUps {
  dispatches: FollowUp[];
  /** When the breaker opened; `undefined` while it is closed, as far as was told. */
  breakerOpenedAt: Date | undefined;
}

/** @returns the value of its row. */
export const followUpValue = ({ bead, attempt, jobId, at }: Omit<FollowUp, 'token'>) =>
  JSON.stringify({ bead, attempt, jobId, at });
export const breakerValue = (at: Date) => JSON.stringify({ at });

/** @param rows the answer to {@link FOLLOW_UPS_STATEMENT}; what does not parse is left out. */
export function followUpsOf(rows: readonly Row[]): FollowUps {
  const dispatches = rows.flatMap(({ key, value }) => {
    const parsed = begun.safeParse(parseJson(String(value)));
    return parsed.success ? [{ ...parsed.data, token: String(key).slice(PREFIX.length) }] : [];
  });
  return { dispatches, breakerOpenedAt: openedAtOf(rows) };
}

/** @returns when the breaker opened, if one of the rows is its follow-up. */
export function openedAtOf(rows: readonly Row[]): Date | undefined {
  const row = rows.find(({ key }) => key === followUpKey(BREAKER));
  return opened.safeParse(parseJson(String(row?.['value'] ?? ''))).data?.at;
}
