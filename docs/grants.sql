-- A user with only the rights that the functions need, here for the database `code`.
-- test/rights.test.ts runs both functions as this user.
CREATE USER 'beads-dispatch'@'%' IDENTIFIED BY 'change me';
GRANT SELECT ON code.* TO 'beads-dispatch'@'%';
GRANT UPDATE ON code.issues TO 'beads-dispatch'@'%';
GRANT INSERT ON code.events TO 'beads-dispatch'@'%';
GRANT INSERT, DELETE ON code.local_metadata TO 'beads-dispatch'@'%';
GRANT EXECUTE ON PROCEDURE code.dolt_add TO 'beads-dispatch'@'%';
GRANT EXECUTE ON PROCEDURE code.dolt_commit TO 'beads-dispatch'@'%';
