import type { Command } from 'commander';

import { withClusterOptions, type ClusterOptions } from '../cluster/cluster-options.ts';
import { bad, good, print, printData, withOutput, type OutputOptions } from '../output.ts';
import type { Verdict } from './verify.ts';

interface GivenOptions extends ClusterOptions, OutputOptions {
  overlay: string;
  image: string;
  doltImage: string;
  quiet: string;
  keep?: boolean;
}

/** Of the longest check, so that the figures are below each other. */
const WIDTH = 42;

export function addVerify(program: Command): void {
  withClusterOptions(withOutput(program.command('verify')))
    .description(
      'Installs an overlay in a namespace of its own, with a Dolt server and a stand-in for BeadBoard, tries it, and removes it.',
    )
    .option('--overlay <folder>', 'what kubectl kustomize builds', 'kubernetes/base')
    .option('--image <image>', 'of this project, as the cluster can pull it', 'beads-auto-dispatch')
    .option(
      '--dolt-image <image>',
      'of the Dolt server',
      'docker.io/dolthub/dolt-sql-server:1.88.1',
    )
    .option('--quiet <seconds>', 'how long nothing may happen while it is paused', '300')
    .option('--keep', 'leave the namespace, to look into it')
    .action(async (_, command: Command) => {
      const options = command.optsWithGlobals<GivenOptions>();
      const { verify } = await import('./verify.ts');
      const isData = options.output === 'json' || options.output === 'yaml';
      const verdicts = await verify(
        { ...options, quietSeconds: Number(options.quiet), keep: options.keep === true },
        (verdict) => {
          if (!isData) tell(verdict);
        },
      );
      if (!printData(options, verdicts)) {
        const failed = verdicts.filter(({ passed }) => !passed).length;
        print(
          failed === 0 ? `All ${verdicts.length} checks hold.` : `${failed} checks do not hold.`,
        );
      }
      if (verdicts.some(({ passed }) => !passed)) process.exitCode = 1;
    });
}

function tell({ check, passed, figure }: Verdict): void {
  print(`${passed ? good('✓') : bad('✗')} ${check.padEnd(WIDTH)} ${figure}`);
}
