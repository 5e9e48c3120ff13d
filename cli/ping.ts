import { Command } from 'commander';

import { VERSION } from '../shared/runtime/version.ts';
import { Cluster, ClusterError } from './cluster/cluster.ts';
import { withClusterOptions, type ClusterOptions } from './cluster/cluster-options.ts';
import { print } from './output.ts';
import { run } from './run.ts';
import { PING_SOURCE, type Step, type Suspendable } from './cluster/suspension.ts';

/** `kn source ping suspend NAME` and `kn source ping resume NAME`: one verb over one PingSource. */
export async function runPingVerb(
  verb: 'suspend' | 'resume',
  description: string,
  decide: (kind: typeof PING_SOURCE, object: Suspendable) => Step,
): Promise<void> {
  const program = withClusterOptions(new Command(`kn source ping ${verb}`))
    .version(VERSION)
    .description(description)
    .argument('<name>', 'the PingSource')
    .action(async (name: string, options: ClusterOptions) => {
      const cluster = new Cluster(options);
      const step = await cluster.change('PingSource', name, (object) =>
        decide(PING_SOURCE, object),
      );
      if (step === undefined) {
        throw new ClusterError(`there is no PingSource ${name} in namespace ${cluster.namespace}`);
      }
      print(`PingSource '${name}' in namespace '${cluster.namespace}' ${step.said}.`);
      if (step.failed === true) process.exitCode = 1;
    });
  await run(program);
}
