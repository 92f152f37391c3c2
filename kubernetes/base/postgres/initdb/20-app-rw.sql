-- The role of query-server. Runs once, on an empty volume.
\set app_password `cat "$APP_RW_PASSWORD_FILE"`
-- PostgreSQL takes an empty password with a mere notice, and then nobody can log in.
SELECT :'app_password' = '' AS has_no_password \gset
\if :has_no_password
DO $$ BEGIN RAISE 'the file that APP_RW_PASSWORD_FILE names is missing or empty'; END $$;
\endif

-- The statement holds the password; it must not reach the log, whatever happens to it.
SET log_statement = 'none';
SET log_min_error_statement = 'panic';
SET log_min_duration_statement = -1;

-- All of it or nothing: the startup probe takes the role for the sign that this script was through.
BEGIN;
CREATE ROLE app_rw LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS
  CONNECTION LIMIT 110 PASSWORD :'app_password';

GRANT CONNECT, TEMPORARY ON DATABASE :"DBNAME" TO app_rw;
CREATE SCHEMA app AUTHORIZATION app_rw;
ALTER ROLE app_rw SET search_path = app;

-- The last line of defence, behind the deadlines of query-server (QUERY_MAX_TIMEOUT_MS is 300 s).
ALTER ROLE app_rw SET statement_timeout = '310s';
ALTER ROLE app_rw SET lock_timeout = '60s';
ALTER ROLE app_rw SET idle_in_transaction_session_timeout = '60s';
SELECT current_setting('server_version_num')::int >= 170000 AS has_transaction_timeout \gset
\if :has_transaction_timeout
ALTER ROLE app_rw SET transaction_timeout = '320s';
\endif
COMMIT;
