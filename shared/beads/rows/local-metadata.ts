/**
 * bd's own table for what belongs to one server only: in `dolt_ignore` in every schema we support,
 * so that its rows are no history, but an ordinary SQL table that takes part in transactions. These
 * functions keep two kinds of short-lived rows there: intents (intent.ts) and events that are not
 * sent yet (outbox.ts). Their keys begin with `beads-dispatch.`.
 */
export const INSERT_LOCAL_SQL = 'INSERT INTO local_metadata (`key`, value) VALUES (?, ?)';
export const DELETE_LOCAL_SQL = 'DELETE FROM local_metadata WHERE `key` IN (?)';
