-- Run in the template of the tests' databases, after the migrations. `emptying.empty_again` makes a
-- copy of it the same as the template again: the rows that migrations write, no others, and each
-- sequence at its beginning.

CREATE SCHEMA emptying;

CREATE TABLE emptying.schema_changes (tag text);

CREATE FUNCTION emptying.note_change() RETURNS event_trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO emptying.schema_changes VALUES (tg_tag);
END $$;

-- Returns why a database cannot be made the same again; null where nothing is in the way.
CREATE FUNCTION emptying.obstacle(pool text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    others boolean := true;
BEGIN
    IF EXISTS (SELECT FROM emptying.schema_changes) THEN
        RETURN 'the schema was changed';
    END IF;
    IF EXISTS (SELECT FROM pg_class
               WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND reltuples >= 0) THEN
        RETURN 'tables were analyzed';
    END IF;
    -- What was deleted stays in the files, where every test would read past it.
    IF (SELECT sum(pg_relation_size(oid)) FROM pg_class
        WHERE relnamespace = 'public'::regnamespace AND relkind = 'r') > 4 * 1024 * 1024 THEN
        RETURN 'it has become large';
    END IF;
    IF EXISTS (SELECT FROM pg_locks JOIN pg_database ON pg_database.oid = pg_locks.database
               WHERE datname = current_database() AND locktype = 'advisory') THEN
        RETURN 'an advisory lock is held';
    END IF;
    -- A connection that was just closed is seen for some milliseconds.
    FOR _ IN 1..40 LOOP
        PERFORM pg_stat_clear_snapshot();
        others := EXISTS (
            SELECT FROM pg_stat_activity
            WHERE datname = current_database() AND backend_type = 'client backend'
            AND pid <> pg_backend_pid() AND (application_name <> pool OR state <> 'idle'));
        EXIT WHEN NOT others;
        PERFORM pg_sleep(0.005);
    END LOOP;
    RETURN CASE WHEN others THEN 'somebody is connected or in a transaction' END;
END $$;

-- Writes `empty_again` with a statement for each table and sequence, since those are planned once.
DO $write$
DECLARE
    one record;
    seed text[];
    questions text[];
    steps text := '';
BEGIN
    FOR one IN
        SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' ORDER BY 1
    LOOP
        EXECUTE format('SELECT array_agg(each::text) FROM public.%I AS each', one.relname) INTO seed;
        IF seed IS NULL THEN
            questions := questions || format('EXISTS (SELECT FROM public.%I)', one.relname);
            steps := steps || format(
                'IF filled[%s] THEN DELETE FROM public.%I; END IF;', cardinality(questions), one.relname);
        ELSE
            steps := steps || format(
                'IF (SELECT array_agg(each::text) FROM public.%1$I AS each) IS DISTINCT FROM %2$L::text[] THEN '
                'DELETE FROM public.%1$I; '
                'INSERT INTO public.%1$I SELECT (each::public.%1$I).* FROM unnest(%2$L::text[]) AS each; '
                'END IF;',
                one.relname, seed);
        END IF;
        steps := steps || E'\n';
    END LOOP;
    -- One statement for all of them: to begin one takes ten times as long as to ask one question.
    steps := format(E'filled := ARRAY[%s];\n', array_to_string(questions, E',\n')) || steps;
    FOR one IN
        SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'S' ORDER BY 1
    LOOP
        steps := steps || format(
            'IF (SELECT is_called FROM public.%1$I) THEN PERFORM setval(''public.%1$I'', 1, false); END IF;'
            || E'\n', one.relname);
    END LOOP;
    EXECUTE format($function$
        CREATE FUNCTION emptying.empty_again(pool text) RETURNS text LANGUAGE plpgsql
        -- Without foreign keys and triggers: every table is emptied, also what is append-only.
        SET session_replication_role = replica SET lock_timeout = '2s' AS $body$
        DECLARE
            why text := emptying.obstacle(pool);
            filled boolean[];
        BEGIN
            IF why IS NOT NULL THEN
                RETURN why;
            END IF;
            %s
            RETURN NULL;
        END $body$
    $function$, steps);
END $write$;

CREATE EVENT TRIGGER note_change ON ddl_command_end EXECUTE FUNCTION emptying.note_change();
