-- Runs once, when the volume is first filled. The database abc comes from POSTGRES_DB;
-- ./start.sh --docker --stripe DIR uses this one.
create database stripe;
