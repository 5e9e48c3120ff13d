-- Makes the SQL user of the functions, or updates it: only the rights that they need on one database. Put in the
-- name of the database and a password; with a name that is not there nothing is changed:
--   make grants DB=code PASSWORD=… HOST=…
-- Demo and tests run the functions as this user. Dolt takes a grant for a table that is not there, so that the
-- same file serves every schema of bd. What the user can do beyond its purpose, and how to close that:
-- docs/security.md.
USE `{{database}}`;
CREATE USER IF NOT EXISTS 'beads-dispatch'@'%' IDENTIFIED BY '{{password}}';
ALTER USER 'beads-dispatch'@'%' IDENTIFIED BY '{{password}}';
-- All tables, since Dolt checks the foreign keys of each one that refers to issues. That lets the user read
-- bd's config, too, where bd keeps the tokens of trackers that it syncs with.
GRANT SELECT ON `{{database}}`.* TO 'beads-dispatch'@'%';
GRANT UPDATE ON `{{database}}`.issues TO 'beads-dispatch'@'%';
GRANT INSERT ON `{{database}}`.events TO 'beads-dispatch'@'%';
GRANT INSERT, DELETE ON `{{database}}`.local_metadata TO 'beads-dispatch'@'%';
-- bd after 1.2: a claim that ends loses its lease, and a journal that is on gets its row.
GRANT DELETE ON `{{database}}`.leases TO 'beads-dispatch'@'%';
GRANT INSERT ON `{{database}}`.bd_events_journal TO 'beads-dispatch'@'%';
GRANT INSERT, UPDATE ON `{{database}}`.bd_events_seq TO 'beads-dispatch'@'%';
-- By name: EXECUTE on the whole database would allow dolt_reset('--hard') and dolt_branch, too.
GRANT EXECUTE ON PROCEDURE `{{database}}`.dolt_add TO 'beads-dispatch'@'%';
GRANT EXECUTE ON PROCEDURE `{{database}}`.dolt_commit TO 'beads-dispatch'@'%';
