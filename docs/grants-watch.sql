-- Makes the SQL user of the watcher, or updates it: it reads one database and writes nothing.
--   make grants DB=code PASSWORD=… HOST=… FOR=watch
USE `{{database}}`;
CREATE USER IF NOT EXISTS 'beads-watch'@'%' IDENTIFIED BY '{{password}}';
ALTER USER 'beads-watch'@'%' IDENTIFIED BY '{{password}}';
GRANT SELECT ON `{{database}}`.* TO 'beads-watch'@'%';
