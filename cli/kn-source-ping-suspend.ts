import { runPingVerb } from './ping.ts';
import { suspend } from './cluster/suspension.ts';

void runPingVerb(
  'suspend',
  'Suspends a PingSource: it keeps its schedule and never fires.',
  suspend,
);
