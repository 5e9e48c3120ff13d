import { runPingVerb } from './ping.ts';
import { resume } from './cluster/suspension.ts';

void runPingVerb('resume', 'Resumes a suspended PingSource with the schedule it had.', resume);
