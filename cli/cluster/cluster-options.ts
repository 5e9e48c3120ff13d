import { Option, type Command } from 'commander';

/** The global flags of kn, which it passes on to its plugins. */
export interface ClusterOptions {
  namespace?: string;
  kubeconfig?: string;
  context?: string;
  cluster?: string;
  as?: string;
}

/** kn passes its global flags on wherever they stood, before or behind a plugin's own words. */
export function withClusterOptions(command: Command): Command {
  return command
    .option('-n, --namespace <namespace>', 'namespace; by default the one of the context')
    .option('--kubeconfig <file>', 'kubeconfig; by default $KUBECONFIG or ~/.kube/config')
    .option('--context <name>', 'context of the kubeconfig')
    .option('--cluster <name>', 'cluster of the kubeconfig')
    .option('--as <user>', 'user to impersonate')
    .addOption(new Option('--config <file>', 'of kn itself').hideHelp())
    .addOption(new Option('--log-http', 'of kn itself').hideHelp());
}
