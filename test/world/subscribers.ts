import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { BrokerStandIn } from './broker.ts';
import { FunctionProcess } from './function.ts';
import { NtfyStandIn } from './ntfy.ts';
import type { SinkStandIn } from './sink.ts';

/** The two examples as processes, behind a broker that gets its events from a sink. */
export class Subscribers {
  readonly broker: BrokerStandIn;
  readonly ntfy: NtfyStandIn;
  readonly notify: FunctionProcess;
  readonly auditLog: FunctionProcess;
  readonly #folder: string;

  private constructor(
    broker: BrokerStandIn,
    ntfy: NtfyStandIn,
    notify: FunctionProcess,
    auditLog: FunctionProcess,
    folder: string,
  ) {
    this.broker = broker;
    this.ntfy = ntfy;
    this.notify = notify;
    this.auditLog = auditLog;
    this.#folder = folder;
  }

  static async start(sink: SinkStandIn): Promise<Subscribers> {
    const folder = await mkdtemp(join(tmpdir(), 'beads-audit-'));
    const ntfy = await NtfyStandIn.start();
    const [notify, auditLog] = await Promise.all([
      FunctionProcess.start('notify', { NOTIFY_URL: ntfy.topic('beads'), NOTIFY_FORMAT: 'ntfy' }),
      FunctionProcess.start('audit-log', { AUDIT_LOG_FILE: fileIn(folder) }),
    ]);
    const broker = new BrokerStandIn();
    // The notifier picks its events itself, so that its Trigger can let all of them through.
    for (const { url } of [notify, auditLog]) broker.triggers.push({ url, filter: () => true });
    sink.onTaken = (event, exchange) => broker.deliver(event, exchange);
    return new Subscribers(broker, ntfy, notify, auditLog, folder);
  }

  /** The append-only file, one event a line. */
  get file(): string {
    return fileIn(this.#folder);
  }

  async stop(): Promise<void> {
    await Promise.all([this.notify.stop(), this.auditLog.stop()]);
    await this.ntfy.stop();
    await rm(this.#folder, { recursive: true, force: true });
  }
}

const fileIn = (folder: string) => join(folder, 'audit.ndjson');
