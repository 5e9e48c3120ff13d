-- A user with only the rights that the functions need, here for the database `code`.
-- Demo and tests run the functions as this user. Dolt takes a grant for a table that is not there, so
-- that the same file serves every schema of bd, and may be run again:
--   mysql -h <host> -u root < grants.sql
CREATE USER IF NOT EXISTS 'beads-dispatch'@'%' IDENTIFIED BY 'change me';
-- All tables, since Dolt checks the foreign keys of each one that refers to issues. That lets the user read
-- bd's config, too, where bd keeps the tokens of trackers that it syncs with.
GRANT SELECT ON code.* TO 'beads-dispatch'@'%';
GRANT UPDATE ON code.issues TO 'beads-dispatch'@'%';
GRANT INSERT ON code.events TO 'beads-dispatch'@'%';
GRANT INSERT, DELETE ON code.local_metadata TO 'beads-dispatch'@'%';
-- bd after 1.2: a claim that ends loses its lease, and a journal that is on gets its row.
GRANT DELETE ON code.leases TO 'beads-dispatch'@'%';
GRANT INSERT ON code.bd_events_journal TO 'beads-dispatch'@'%';
GRANT INSERT, UPDATE ON code.bd_events_seq TO 'beads-dispatch'@'%';
-- By name: EXECUTE on the whole database would allow dolt_reset('--hard') and dolt_branch, too.
GRANT EXECUTE ON PROCEDURE code.dolt_add TO 'beads-dispatch'@'%';
GRANT EXECUTE ON PROCEDURE code.dolt_commit TO 'beads-dispatch'@'%';
