/**
 * A database shaped like bd's, for where no `bd` is at hand: the columns, keys and defaults that bd
 * gives the tables which these functions, BeadBoard and the stand-ins touch. bd's own plumbing
 * (wisps, routes, snapshots, federation) is left out. test/conformance.test.ts compares with a real
 * bd.
 */

/**
 * Generations of bd's schema, by the number of their last migration: bd 1.0.2, 1.0.5, 1.1 and 1.2,
 * its main branch of August 2026, and as far as single files of its public source tell (2026-10).
 */
export const GENERATIONS = [32, 49, 53, 65, 71] as const;
export type Generation = (typeof GENERATIONS)[number];
/**
 * The newest that was compared with a real bd: what demo and tests have that are not about
 * generations.
 */
export const NEWEST: Generation = 65;

/** @returns the statements that make the tables of a fresh database, in order. */
export function bdSchema(generation: Generation): string[] {
  const since = (migration: number, ...statements: string[]) =>
    generation >= migration ? statements : [];
  const long = generation >= 49 ? 'longtext' : 'text';
  const auxId = `id char(36) NOT NULL${generation >= 51 ? '' : ' DEFAULT (uuid())'}`;
  return [
    ...since(62, ignore('events')),
    ...since(55, ignore('leases')),
    ...since(64, ignore('bd_events_journal', 'bd_events_seq')),
    ignore('local_metadata', 'wisps', 'wisp_%'),
    issues(long, generation),
    generation >= 41 ? dependenciesSplit(auxId) : dependenciesPlain,
    `CREATE TABLE labels (
       issue_id varchar(255) NOT NULL, label varchar(255) NOT NULL,
       PRIMARY KEY (issue_id, label), KEY idx_labels_label (label),
       FOREIGN KEY (issue_id) REFERENCES issues (id) ON DELETE CASCADE)`,
    `CREATE TABLE comments (
       ${auxId}, issue_id varchar(255) NOT NULL,
       author varchar(255) NOT NULL, text ${long} NOT NULL,
       created_at datetime NOT NULL DEFAULT CURRENT_TIMESTAMP,
       PRIMARY KEY (id), KEY idx_comments_issue (issue_id),
       FOREIGN KEY (issue_id) REFERENCES issues (id) ON DELETE CASCADE)`,
    `CREATE TABLE events (
       ${auxId}, issue_id varchar(255) NOT NULL,
       event_type varchar(32) NOT NULL, actor varchar(255) NOT NULL,
       old_value ${long}, new_value ${long}, comment text,
       created_at datetime NOT NULL DEFAULT CURRENT_TIMESTAMP,
       PRIMARY KEY (id), KEY idx_events_created_at (created_at), KEY idx_events_issue (issue_id),
       FOREIGN KEY (issue_id) REFERENCES issues (id) ON DELETE CASCADE)`,
    'CREATE TABLE config (`key` varchar(255) NOT NULL PRIMARY KEY, value text NOT NULL)',
    'CREATE TABLE metadata (`key` varchar(255) NOT NULL PRIMARY KEY, value text NOT NULL)',
    'CREATE TABLE schema_migrations (version int NOT NULL PRIMARY KEY)',
    'CREATE TABLE custom_statuses (name varchar(64) NOT NULL PRIMARY KEY, category varchar(32) NOT NULL)',
    readyView(generation >= 41 ? 'depends_on_issue_id' : 'depends_on_id'),
    "INSERT INTO config VALUES ('issue_prefix', 'code')",
    `INSERT INTO schema_migrations VALUES ${numbers(generation)}`,
    'CREATE TABLE local_metadata (`key` varchar(255) NOT NULL PRIMARY KEY, value text NOT NULL)',
    ...since(
      33,
      ignore('ignored_schema_migrations'),
      'CREATE TABLE ignored_schema_migrations (version int NOT NULL PRIMARY KEY)',
      'INSERT INTO ignored_schema_migrations VALUES (1), (2)',
    ),
    ...since(55, LEASES),
    ...since(64, ...JOURNAL(generation)),
    ...since(67, VERSIONS),
  ];
}

const ignore = (...patterns: string[]) =>
  `REPLACE INTO dolt_ignore VALUES ${patterns.map((pattern) => `('${pattern}', 1)`).join(', ')}`;

const LEASES = `
  CREATE TABLE leases (
    issue_id varchar(255) NOT NULL PRIMARY KEY, holder varchar(255) NOT NULL,
    granted_at datetime NOT NULL, lease_expires_at datetime NOT NULL,
    heartbeat_at datetime NOT NULL, granted_node varchar(255) NOT NULL DEFAULT '',
    KEY idx_leases_expires (lease_expires_at)
  ) COLLATE utf8mb4_0900_bin`;

const JOURNAL = (generation: Generation) => [
  `CREATE TABLE bd_events_journal (
     seq bigint NOT NULL PRIMARY KEY, ts datetime NOT NULL, op varchar(32) NOT NULL,
     issue_id varchar(255) NOT NULL, issue_json longtext, dep_json longtext, comment_json longtext,
     ${generation >= 66 ? "actor varchar(255) NOT NULL DEFAULT ''," : ''}
     ${generation >= 70 ? 'memory_json longtext,' : ''}
     KEY idx_bd_events_journal_issue (issue_id), KEY idx_bd_events_journal_ts (ts))`,
  'CREATE TABLE bd_events_seq (id int NOT NULL PRIMARY KEY, next_seq bigint NOT NULL)',
  'INSERT INTO bd_events_seq VALUES (0, 0)',
];

const VERSIONS = `
  CREATE TABLE issue_versions (
    issue_id varchar(255) NOT NULL, revision bigint NOT NULL, epoch int NOT NULL,
    durable_state json, change_actor varchar(255), change_agent varchar(255), change_message text,
    change_at datetime(6) NOT NULL, removed_at datetime(6), removed_reason varchar(255),
    attribution_status varchar(32) NOT NULL, PRIMARY KEY (issue_id, revision))`;

const issues = (long: string, generation: Generation) => `
  CREATE TABLE issues (
    id varchar(255) NOT NULL, content_hash varchar(64), title varchar(500) NOT NULL,
    description ${long} NOT NULL, design ${long} NOT NULL,
    acceptance_criteria ${long} NOT NULL, notes ${long} NOT NULL,
    status varchar(32) NOT NULL DEFAULT 'open', priority int NOT NULL DEFAULT 2,
    issue_type varchar(32) NOT NULL DEFAULT 'task', assignee varchar(255), estimated_minutes int,
    created_at datetime NOT NULL DEFAULT CURRENT_TIMESTAMP,
    created_by varchar(255) DEFAULT '', owner varchar(255) DEFAULT '',
    updated_at datetime NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP,
    closed_at datetime, closed_by_session varchar(255) DEFAULT '', external_ref varchar(255),
    spec_id varchar(1024), compaction_level int DEFAULT 0, compacted_at datetime,
    compacted_at_commit varchar(64), original_size int, sender varchar(255) DEFAULT '',
    ephemeral tinyint(1) DEFAULT 0, wisp_type varchar(32) DEFAULT '', pinned tinyint(1) DEFAULT 0,
    is_template tinyint(1) DEFAULT 0, mol_type varchar(32) DEFAULT '',
    work_type varchar(32) DEFAULT 'mutex', source_system varchar(255) DEFAULT '',
    metadata json DEFAULT (json_object()), source_repo varchar(512) DEFAULT '',
    close_reason ${long} DEFAULT '', event_kind varchar(32) DEFAULT '',
    actor varchar(255) DEFAULT '', target varchar(255) DEFAULT '', payload text DEFAULT '',
    await_type varchar(32) DEFAULT '', await_id varchar(255) DEFAULT '',
    timeout_ns bigint DEFAULT 0, waiters text DEFAULT '', hook_bead varchar(255) DEFAULT '',
    role_bead varchar(255) DEFAULT '', agent_state varchar(32) DEFAULT '', last_activity datetime,
    role_type varchar(32) DEFAULT '', rig varchar(255) DEFAULT '', due_at datetime,
    defer_until datetime, no_history tinyint(1) DEFAULT 0, started_at datetime,
    ${generation >= 46 ? 'is_blocked tinyint(1) NOT NULL DEFAULT 0, KEY (is_blocked, status),' : ''}
    ${generation >= 54 ? 'row_lock bigint NOT NULL DEFAULT 0,' : ''}
    ${generation >= 60 ? 'storage_class varchar(16),' : ''}
    ${generation >= 67 ? 'current_revision bigint NOT NULL DEFAULT 1,' : ''}
    ${generation >= 70 ? 'participation_generation bigint,' : ''}
    PRIMARY KEY (id), KEY (assignee), KEY (created_at), KEY (external_ref), KEY (issue_type),
    KEY (priority), KEY (spec_id), KEY (status)
  ) COLLATE utf8mb4_0900_bin`;

const dependenciesPlain = `
  CREATE TABLE dependencies (
    issue_id varchar(255) NOT NULL, depends_on_id varchar(255) NOT NULL,
    type varchar(32) NOT NULL DEFAULT 'blocks',
    created_at datetime NOT NULL DEFAULT CURRENT_TIMESTAMP, created_by varchar(255) NOT NULL,
    metadata json DEFAULT (json_object()), thread_id varchar(255) DEFAULT '',
    PRIMARY KEY (issue_id, depends_on_id), KEY (depends_on_id, type),
    FOREIGN KEY (issue_id) REFERENCES issues (id) ON DELETE CASCADE
  ) COLLATE utf8mb4_0900_bin`;

const dependenciesSplit = (auxId: string) => `
  CREATE TABLE dependencies (
    ${auxId}, issue_id varchar(255) NOT NULL,
    type varchar(32) NOT NULL DEFAULT 'blocks',
    created_at datetime NOT NULL DEFAULT CURRENT_TIMESTAMP, created_by varchar(255) NOT NULL,
    metadata json DEFAULT (json_object()), thread_id varchar(255) DEFAULT '',
    depends_on_issue_id varchar(255), depends_on_wisp_id varchar(255),
    depends_on_external varchar(255),
    PRIMARY KEY (id), UNIQUE KEY (issue_id, depends_on_issue_id), KEY (type, depends_on_issue_id),
    FOREIGN KEY (issue_id) REFERENCES issues (id) ON DELETE CASCADE ON UPDATE CASCADE,
    FOREIGN KEY (depends_on_issue_id) REFERENCES issues (id) ON DELETE CASCADE ON UPDATE CASCADE,
    CHECK ((depends_on_issue_id IS NOT NULL) + (depends_on_wisp_id IS NOT NULL)
           + (depends_on_external IS NOT NULL) = 1)
  ) COLLATE utf8mb4_0900_bin`;

/**
 * Open, not deferred, not ephemeral, and neither it nor a parent of it waits for an open blocker.
 */
const readyView = (target: string) => `
  CREATE VIEW ready_issues AS
  WITH RECURSIVE waiting (issue_id, depth) AS (
    SELECT d.issue_id, 0 FROM dependencies d JOIN issues blocker ON blocker.id = d.${target}
     WHERE d.type = 'blocks' AND blocker.status NOT IN ('closed', 'pinned')
    UNION
    SELECT child.issue_id, waiting.depth + 1
      FROM waiting JOIN dependencies child ON child.${target} = waiting.issue_id
     WHERE child.type = 'parent-child' AND waiting.depth < 50
  )
  SELECT i.* FROM issues i
   WHERE i.status = 'open' AND COALESCE(i.ephemeral, 0) = 0
     AND i.id NOT IN (SELECT issue_id FROM waiting)
     AND (i.defer_until IS NULL OR i.defer_until <= UTC_TIMESTAMP())
     AND NOT EXISTS (
       SELECT 1 FROM dependencies d JOIN issues parent ON parent.id = d.${target}
        WHERE d.issue_id = i.id AND d.type = 'parent-child'
          AND parent.defer_until > UTC_TIMESTAMP())`;

function numbers(last: number): string {
  return Array.from({ length: last }, (_, index) => `(${index + 1})`).join(', ');
}
