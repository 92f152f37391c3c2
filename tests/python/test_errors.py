"""Errors: the type says what to do, the fields say what PostgreSQL said."""

import builtins
import pickle
import threading
import time
import traceback

import pytest
from observer import Observer

import libquery


def failure(pool: libquery.Pool, sql: str) -> libquery.SqlError:
    with pytest.raises(libquery.SqlError) as caught:
        pool.query(sql)
    return caught.value


def test_the_types() -> None:
    for kind in (libquery.ConnectionError, libquery.Busy, libquery.Timeout, libquery.SqlError):
        assert issubclass(kind, libquery.Error)
        assert kind.__module__ == "libquery"
    assert not issubclass(libquery.ConnectionError, builtins.ConnectionError)


def test_a_syntax_error(pool: libquery.Pool) -> None:
    error = failure(pool, "select 'ä', frm")
    assert str(error) == error.message == 'column "frm" does not exist'
    assert (error.sqlstate, error.severity, error.position) == ("42703", "ERROR", 13)
    assert (error.detail, error.constraint, error.statement) == (None, None, None)
    assert error.source_function == "errorMissingColumn"
    assert (error.retryable, error.connection_lost, error.outcome_unknown) == (False,) * 3


def test_a_constraint(pool: libquery.Pool, table: str) -> None:
    pool.query(f"insert into {table} values (1, 'a')")
    error = failure(pool, f"insert into {table} values (1, 'b')")
    assert error.sqlstate == "23505"
    assert error.detail == "Key (id)=(1) already exists."
    assert (error.schema, error.table, error.constraint) == ("public", table, f"{table}_pkey")
    error = failure(pool, f"insert into {table} values (2, null)")
    assert (error.sqlstate, error.column) == ("23502", "name")


def test_every_field_that_a_function_can_raise(pool: libquery.Pool) -> None:
    error = failure(
        pool,
        "do $$ begin raise exception 'm' using errcode = 'ZZ123', detail = 'd', hint = 'h',"
        " schema = 's', table = 't', column = 'c', datatype = 'y', constraint = 'k'; end $$",
    )
    assert (error.message, error.sqlstate, error.detail, error.hint) == ("m", "ZZ123", "d", "h")
    assert (error.schema, error.table, error.column) == ("s", "t", "c")
    assert (error.datatype, error.constraint) == ("y", "k")
    assert error.context is not None
    assert "inline_code_block" in error.context
    assert (error.source_file, error.source_function) == ("pl_exec.c", "exec_stmt_raise")
    assert error.source_line is not None
    assert error.source_line.isdigit()
    text = "".join(traceback.format_exception(error))
    assert "libquery.SqlError: m\nDETAIL: d\nHINT: h\n" in text


def test_an_error_inside_a_function(pool: libquery.Pool) -> None:
    error = failure(pool, "do $$ begin execute 'select nothing_such'; end $$")
    assert error.internal_query == "select nothing_such"
    assert error.internal_position == 8


def test_a_code_of_ones_own_choice_ends_no_connection(dsn: str) -> None:
    with libquery.Pool(dsn, max_size=1) as pool:
        for code in ("08006", "57P01", "08P01"):
            error = failure(
                pool, f"do $$ begin raise exception 'x' using errcode = '{code}'; end $$"
            )
            assert error.sqlstate == code
            assert not error.connection_lost
        assert pool.stats().connected == 1


def test_two_statements_in_one_are_refused(pool: libquery.Pool) -> None:
    assert failure(pool, "select 1; select 2").sqlstate == "42601"


def test_copy_is_refused_and_the_pool_goes_on(pool: libquery.Pool) -> None:
    for sql in ("copy pg_class to stdout", "create temp table t (x int); copy t from stdin"):
        assert failure(pool, sql).sqlstate in ("0A000", "42601")
    assert pool.query("select 1") == [(1,)]


def test_a_serialization_failure_is_retryable(pool: libquery.Pool, table: str) -> None:
    pool.query(f"insert into {table} values (1, 'a')")
    with (
        pytest.raises(libquery.SqlError) as caught,
        pool.transaction(isolation="repeatable read") as tx,
    ):
        tx.query(f"select * from {table}")
        pool.query(f"update {table} set name = 'b'")
        tx.query(f"update {table} set name = 'c'")
    assert caught.value.sqlstate == "40001"
    assert caught.value.retryable


def test_errors_can_be_pickled(pool: libquery.Pool) -> None:
    error = failure(pool, "select 1/0")
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is libquery.SqlError
    assert str(copy) == str(error)
    assert vars(copy) == vars(error)


def test_no_server() -> None:
    with libquery.Pool("host=127.0.0.1 port=1 password=secret") as pool:
        with pytest.raises(libquery.ConnectionError) as caught:
            pool.query("select 1")
        error = caught.value
        assert (error.retryable, error.connection_lost, error.outcome_unknown) == (
            True,
            True,
            False,
        )
        assert "secret" not in str(error)
        assert pool.stats().connect_failed == 1


def test_a_killed_backend(pool: libquery.Pool, observer: Observer) -> None:
    def kill() -> None:
        for pid in observer.wait_for("to be killed"):
            observer.terminate(pid)

    killer = threading.Thread(target=kill)
    killer.start()
    with pytest.raises(libquery.ConnectionError) as caught:
        pool.query("select pg_sleep(20) /* to be killed */")
    killer.join()
    error = caught.value
    assert error.sqlstate == "57P01"
    assert error.connection_lost
    assert error.outcome_unknown
    assert not error.retryable
    assert pool.query("select 1") == [(1,)]


def test_a_timeout_cancels(pool: libquery.Pool, observer: Observer) -> None:
    started = time.monotonic()
    with pytest.raises(libquery.Timeout) as caught:
        pool.query("select pg_sleep(20) /* too slow */", timeout=0.2)
    assert 0.2 <= time.monotonic() - started < 3
    assert not caught.value.outcome_unknown
    observer.wait_for("too slow", count=0)
    assert pool.query("select 1", timeout=5) == [(1,)]


def test_timeouts_that_make_no_sense(pool: libquery.Pool) -> None:
    for timeout in (-1, -0.001, float("nan")):
        with pytest.raises(ValueError, match="timeout must not be negative"):
            pool.query("select 1", timeout=timeout)
    for wrong in ("1", True):
        with pytest.raises(TypeError, match="timeout must be a number of seconds, not"):
            pool.query("select 1", timeout=wrong)  # type: ignore[arg-type]
    with pytest.raises(libquery.Timeout):
        pool.query("select pg_sleep(1)", timeout=0)
    for long in (10**9, 1e300, float("inf"), None):
        assert pool.query("select 1", timeout=long) == [(1,)]
    with pytest.raises(ValueError, match="max_rows must not be negative"):
        pool.query("select 1", max_rows=-1)
    with pytest.raises(TypeError, match="max_rows must be an int, not float"):
        pool.query("select 1", max_rows=1.0)  # type: ignore[arg-type]
