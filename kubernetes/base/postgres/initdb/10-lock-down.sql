-- What PostgreSQL grants to everybody: connecting to any database, and its schema public.
REVOKE ALL ON DATABASE postgres, template1, :"DBNAME" FROM PUBLIC;
REVOKE ALL ON SCHEMA public FROM PUBLIC;
