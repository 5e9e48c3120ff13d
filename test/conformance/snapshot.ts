import type { Tracker } from '../world/tracker.ts';

/**
 * All rows of all tables of a database, whether Dolt keeps their history or not, and its commits.
 */
export interface Snapshot {
  /** By table, then by primary key. */
  tables: ReadonlyMap<string, ReadonlyMap<string, SnapshotRow>>;
  /** Newest first. */
  commits: readonly SnapshotCommit[];
  /** Tables with changes that no commit holds. */
  dirty: readonly string[];
}

export type SnapshotRow = Readonly<Record<string, string | null>>;

export interface SnapshotCommit {
  hash: string;
  message: string;
  author: string;
}

export async function takeSnapshot(tracker: Tracker): Promise<Snapshot> {
  const columns = await tracker.sql(
    `SELECT c.table_name AS t, c.column_name AS c, c.column_key AS k
       FROM information_schema.columns c JOIN information_schema.tables t
         ON t.table_schema = c.table_schema AND t.table_name = c.table_name
      WHERE c.table_schema = DATABASE() AND t.table_type = 'BASE TABLE'
      ORDER BY c.table_name, c.ordinal_position`,
  );
  const tables = new Map<string, Map<string, SnapshotRow>>();
  for (const [table, described] of Map.groupBy(columns, ({ t }) => String(t))) {
    const names = described.map(({ c }) => String(c));
    const key = described.filter(({ k }) => k === 'PRI').map(({ c }) => String(c));
    const list = names.map((name) => `CAST(\`${name}\` AS CHAR) AS \`${name}\``).join(', ');
    const rows = await tracker.sql(`SELECT ${list} FROM \`${table}\``);
    tables.set(
      table,
      new Map(
        rows.map((row): [string, SnapshotRow] => [
          key.map((name) => String(row[name])).join(' '),
          Object.fromEntries(names.map((name) => [name, textOf(row[name])])),
        ]),
      ),
    );
  }
  const commits = await tracker.sql(
    'SELECT commit_hash AS hash, message, author FROM dolt_log LIMIT 50',
  );
  return {
    tables,
    commits: commits.map(({ hash, message, author }) => ({
      hash: String(hash),
      message: String(message),
      author: String(author),
    })),
    dirty: (await tracker.dirtyTables()).toSorted(),
  };
}

/** Every column was cast to text. */
const textOf = (value: unknown): string | null => (typeof value === 'string' ? value : null);
