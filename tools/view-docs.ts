import * as z from 'zod';

import { listedBead } from '../shared/views/list.ts';
import { nextView } from '../shared/views/next.ts';
import { statusView } from '../shared/views/status.ts';
import { storyView } from '../shared/views/story.ts';
import { todayView } from '../shared/views/today.ts';
import { waitingEvent } from '../shared/views/waiting-event.ts';
import { whyView } from '../shared/views/why.ts';
import { stateView, beadView } from '../sources/watch/state-view.ts';

/** What `kn beads … -o json` prints and the watcher's API answers, by the name of the schema. */
export const VIEWS: Readonly<Record<string, { schema: z.ZodType; of: string }>> = {
  status: {
    schema: statusView.extend({ problems: z.array(z.string()) }),
    of: '`kn beads status -o json`',
  },
  list: { schema: z.array(listedBead), of: '`kn beads list -o json`' },
  why: { schema: whyView, of: '`kn beads why ID -o json`' },
  next: { schema: nextView, of: '`kn beads next -o json`' },
  history: { schema: storyView, of: '`kn beads history ID -o json`' },
  today: { schema: todayView, of: '`kn beads today -o json`' },
  outbox: { schema: z.array(waitingEvent), of: '`kn beads outbox -o json`' },
  state: { schema: stateView, of: '`/api/v1/state`' },
  bead: { schema: beadView, of: '`/api/v1/beads/{id}`' },
};

/** @returns a JSON Schema for each, by its path in the repository. Fields may be added. */
export function viewFiles(): Map<string, string> {
  return new Map(
    Object.entries(VIEWS).map(([name, { schema, of }]) => {
      const { $schema, ...rest } = z.toJSONSchema(schema, {
        target: 'draft-7',
        io: 'input',
        override: ({ jsonSchema }) => {
          if (jsonSchema.format !== undefined) delete jsonSchema.pattern;
          if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum;
        },
      });
      const title = of.replaceAll('`', '');
      const $id = `urn:beads-auto-dispatch:views/${name}.schema.json`;
      return [
        `docs/views/${name}.schema.json`,
        `${JSON.stringify({ $schema, $id, title, ...rest }, null, 2)}\n`,
      ];
    }),
  );
}
