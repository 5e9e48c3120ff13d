-- Makes the SQL user of the watcher, or updates it: it reads one database and writes nothing.
--   sed -e 's/{{database}}/code/g' -e "s/{{password}}/$PASSWORD/g" docs/grants-watch.sql | mysql -h <host> -u root
USE `{{database}}`;
CREATE USER IF NOT EXISTS 'beads-watch'@'%' IDENTIFIED BY '{{password}}';
ALTER USER 'beads-watch'@'%' IDENTIFIED BY '{{password}}';
GRANT SELECT ON `{{database}}`.* TO 'beads-watch'@'%';
