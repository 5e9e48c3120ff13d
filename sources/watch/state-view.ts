import * as z from 'zod';

import { TRANSITION_NAMES } from '../../shared/beads/rows/claim-marker.ts';
import { count, seconds } from '../../shared/views/fields.ts';
import { listedBead } from '../../shared/views/list.ts';
import { statusView } from '../../shared/views/status.ts';
import { storyView } from '../../shared/views/story.ts';
import { whyView } from '../../shared/views/why.ts';

/** The shape of `/api/v1/state`: what `kn beads status` and `kn beads list` show. */
export const stateView = z.object({
  status: statusView,
  beads: z.array(listedBead),
  finished: z
    .array(z.object({ id: z.string(), title: z.string(), ageSeconds: seconds }))
    .describe('Beads of the agent that were closed in the last 24 hours, the newest first.'),
  transitions: z
    .record(z.enum(TRANSITION_NAMES), count)
    .describe('How often each is in the history of beads.'),
});
export type StateView = z.output<typeof stateView>;

/** The shape of `/api/v1/beads/{id}`: what `kn beads why` and `kn beads history` show. */
export const beadView = z.object({ why: whyView, history: storyView });
export type BeadView = z.output<typeof beadView>;
