/**
 * A database shaped like bd's, for where no `bd` is at hand: the columns, keys and defaults that bd
 * 1.0.2 (schema 32) and bd 1.0.5 (schema 49) give the tables which these functions, BeadBoard and
 * the stand-ins touch. bd's own plumbing (wisps, routes, snapshots, federation) is left out.
 */

/** The two generations that are supported, by the number of their last migration. */
export type Generation = 32 | 49;
export const GENERATIONS: readonly Generation[] = [32, 49];

/** @returns the statements that make the tables of a fresh database, in order. */
export function bdSchema(generation: Generation): string[] {
  const modern = generation === 49;
  const long = modern ? 'longtext' : 'text';
  return [
    issues(long, modern),
    modern ? dependenciesSplit : dependenciesPlain,
    `CREATE TABLE labels (
       issue_id varchar(255) NOT NULL, label varchar(255) NOT NULL,
       PRIMARY KEY (issue_id, label), KEY idx_labels_label (label),
       FOREIGN KEY (issue_id) REFERENCES issues (id) ON DELETE CASCADE)`,
    `CREATE TABLE comments (
       id char(36) NOT NULL DEFAULT (uuid()), issue_id varchar(255) NOT NULL,
       author varchar(255) NOT NULL, text ${long} NOT NULL,
       created_at datetime NOT NULL DEFAULT CURRENT_TIMESTAMP,
       PRIMARY KEY (id), KEY idx_comments_issue (issue_id),
       FOREIGN KEY (issue_id) REFERENCES issues (id) ON DELETE CASCADE)`,
    `CREATE TABLE events (
       id char(36) NOT NULL DEFAULT (uuid()), issue_id varchar(255) NOT NULL,
       event_type varchar(32) NOT NULL, actor varchar(255) NOT NULL,
       old_value ${long}, new_value ${long}, comment text,
       created_at datetime NOT NULL DEFAULT CURRENT_TIMESTAMP,
       PRIMARY KEY (id), KEY idx_events_created_at (created_at), KEY idx_events_issue (issue_id),
       FOREIGN KEY (issue_id) REFERENCES issues (id) ON DELETE CASCADE)`,
    'CREATE TABLE config (`key` varchar(255) NOT NULL PRIMARY KEY, value text NOT NULL)',
    'CREATE TABLE metadata (`key` varchar(255) NOT NULL PRIMARY KEY, value text NOT NULL)',
    'CREATE TABLE schema_migrations (version int NOT NULL PRIMARY KEY)',
    'CREATE TABLE custom_statuses (name varchar(64) NOT NULL PRIMARY KEY, category varchar(32) NOT NULL)',
    readyView(modern ? 'depends_on_issue_id' : 'depends_on_id'),
    "INSERT INTO config VALUES ('issue_prefix', 'code')",
    `INSERT INTO schema_migrations VALUES ${numbers(generation)}`,
    "REPLACE INTO dolt_ignore VALUES ('local_metadata', 1), ('wisps', 1), ('wisp_%', 1)",
    'CREATE TABLE local_metadata (`key` varchar(255) NOT NULL PRIMARY KEY, value text NOT NULL)',
  ];
}

const issues = (long: string, modern: boolean) => `
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
    ${modern ? 'is_blocked tinyint(1) NOT NULL DEFAULT 0, KEY (is_blocked, status),' : ''}
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

const dependenciesSplit = `
  CREATE TABLE dependencies (
    id char(36) NOT NULL DEFAULT (uuid()), issue_id varchar(255) NOT NULL,
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

/** Open, not deferred, not ephemeral, and neither it nor a parent of it waits for an open blocker. */
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
