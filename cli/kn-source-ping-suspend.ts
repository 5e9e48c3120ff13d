import { runPingVerb } from './ping.ts';
import { suspend } from './suspension.ts';

void runPingVerb(
  'suspend',
  'Suspends a PingSource: it keeps its schedule and never fires.',
  suspend,
);
