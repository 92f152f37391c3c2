"""Transactions and batches: all of it or nothing."""

import gc
import threading
import time

import pytest

import libquery


def count(pool: libquery.Pool, table: str) -> int:
    ((number,),) = pool.query(f"select count(*) from {table}")
    assert isinstance(number, int)
    return number


def test_the_end_of_the_block_commits(pool: libquery.Pool, table: str) -> None:
    with pool.transaction() as tx:
        tx.query(f"insert into {table} values ($1, $2)", [1, "a"])
        assert tx.query(f"select * from {table}") == [(1, "a")]
        assert count(pool, table) == 0
    assert count(pool, table) == 1


def test_an_exception_rolls_back(pool: libquery.Pool, table: str) -> None:
    with pytest.raises(KeyError), pool.transaction() as tx:
        tx.query(f"insert into {table} values (1, 'a')")
        raise KeyError
    assert count(pool, table) == 0
    with pytest.raises(libquery.SqlError, match="division by zero"), pool.transaction() as tx:
        tx.query(f"insert into {table} values (1, 'a')")
        tx.query("select 1/0")
    assert count(pool, table) == 0


def test_an_error_that_was_swallowed_does_not_commit(pool: libquery.Pool, table: str) -> None:
    with pytest.raises(libquery.SqlError) as caught, pool.transaction() as tx:
        tx.query(f"insert into {table} values (1, 'a')")
        with pytest.raises(libquery.SqlError):
            tx.query("select 1/0")
    assert caught.value.sqlstate == "25P02"
    assert count(pool, table) == 0


def test_savepoints_are_sql(pool: libquery.Pool, table: str) -> None:
    with pool.transaction() as tx:
        tx.query(f"insert into {table} values (1, 'a')")
        tx.query("savepoint before")
        with pytest.raises(libquery.SqlError):
            tx.query(f"insert into {table} values (1, 'b')")
        tx.query("rollback to before")
    assert count(pool, table) == 1


def test_commit_and_rollback_by_hand(pool: libquery.Pool, table: str) -> None:
    with pool.transaction() as tx:
        tx.query(f"insert into {table} values (1, 'a')")
        tx.rollback()
        with pytest.raises(RuntimeError, match="this transaction has ended"):
            tx.query("select 1")
    assert count(pool, table) == 0
    with pytest.raises(KeyError), pool.transaction() as tx:
        tx.query(f"insert into {table} values (1, 'a')")
        tx.commit()
        raise KeyError
    assert count(pool, table) == 1


def test_a_deferred_constraint_fails_the_commit(pool: libquery.Pool, table: str) -> None:
    pool.query(f"alter table {table} add unique (name) deferrable initially deferred")
    with pytest.raises(libquery.SqlError) as caught, pool.transaction() as tx:
        tx.query(f"insert into {table} values (1, 'a'), (2, 'a')")
    assert caught.value.sqlstate == "23505"
    assert count(pool, table) == 0


def test_modes(pool: libquery.Pool) -> None:
    for isolation in ("read committed", "repeatable read", "serializable"):
        with pool.transaction(isolation=isolation) as tx:
            assert tx.query("show transaction_isolation") == [(isolation,)]
    with pool.transaction(isolation="serializable", read_only=True, deferrable=True) as tx:
        assert tx.query("show transaction_read_only") == [("on",)]
        assert tx.query("show transaction_deferrable") == [("on",)]
        with pytest.raises(libquery.SqlError) as caught:
            tx.query("create table never ()")
        assert caught.value.sqlstate == "25006"
        tx.rollback()
    with pytest.raises(ValueError, match="isolation must be 'read committed' or"):
        pool.batch(["select 1"], isolation="chaos")  # type: ignore[arg-type]


def test_the_timeout_is_of_the_whole_block(pool: libquery.Pool, table: str) -> None:
    started = time.monotonic()
    with pytest.raises(libquery.Timeout), pool.transaction(timeout=0.4) as tx:
        tx.query(f"insert into {table} values (1, 'a')")
        tx.query("select pg_sleep(0.2)", timeout=30)
        tx.query("select pg_sleep(20)", timeout=30)
    assert time.monotonic() - started < 5
    assert count(pool, table) == 0


def test_misuse_is_told(pool: libquery.Pool) -> None:
    tx = pool.transaction()
    with pytest.raises(RuntimeError, match="has not begun"):
        tx.query("select 1")
    with tx:
        pass
    with pytest.raises(RuntimeError, match="for one with block"), tx:
        pass


def test_a_transaction_is_for_one_thread_at_a_time(pool: libquery.Pool) -> None:
    with pool.transaction() as tx:
        worker = threading.Thread(target=tx.query, args=["select pg_sleep(0.4)"])
        worker.start()
        time.sleep(0.15)
        with pytest.raises(RuntimeError, match="this transaction is in use by another thread"):
            tx.query("select 1")
        worker.join()
        assert tx.query("select 1") == [(1,)]


def test_an_open_stream_is_told(pool: libquery.Pool) -> None:
    with pool.transaction() as tx:
        with tx.stream_json("select generate_series(1, 1000000000)") as stream:
            next(stream)
            with pytest.raises(RuntimeError):
                tx.query("select 1")
        # Closing it early cancelled a statement, which aborts the transaction.
        with pytest.raises(libquery.SqlError) as caught:
            tx.query("select 1")
        assert caught.value.sqlstate == "25P02"
        tx.rollback()


def test_a_forgotten_transaction_rolls_back(dsn: str, table: str) -> None:
    with libquery.Pool(dsn, max_size=1) as small:
        tx = small.transaction().__enter__()
        tx.query(f"insert into {table} values (1, 'a')")
        del tx
        gc.collect()
        assert count(small, table) == 0


def test_a_batch(pool: libquery.Pool, table: str) -> None:
    results = pool.batch(
        [
            (f"insert into {table} values ($1, $2), (2, 'b')", [1, "a"]),
            f"select * from {table} order by id",
            (f"delete from {table}", None),
        ]
    )
    assert [rows.command for rows in results] == ["INSERT", "SELECT", "DELETE"]
    assert [rows.affected for rows in results] == [2, 2, 2]
    assert results[1] == [(1, "a"), (2, "b")]
    assert results[1].columns[1].name == "name"
    assert pool.batch([]) == []


def test_large_answers_in_a_batch(pool: libquery.Pool) -> None:
    sql = "select i from generate_series(1, 5000) as g(i)"
    first, second = pool.batch([sql, sql])
    assert len(first) == len(second) == 5000
    first, second = pool.batch([sql, sql], max_rows=2)
    assert first == second == [(1,), (2,)]
    assert first.truncated
    assert second.truncated


def test_a_batch_is_all_or_nothing(pool: libquery.Pool, table: str) -> None:
    with pytest.raises(libquery.SqlError) as caught:
        pool.batch([f"insert into {table} values (1, 'a')", "select 1", "select 1/0", "select 2"])
    assert (caught.value.sqlstate, caught.value.statement) == ("22012", 2)
    assert count(pool, table) == 0
    with pytest.raises(libquery.SqlError) as caught:
        pool.batch(["select 1", "commit", f"insert into {table} values (1, 'a')"])
    assert caught.value.sqlstate == "2D000"
    assert count(pool, table) == 0
    with pytest.raises(libquery.SqlError) as caught:
        pool.batch([f"insert into {table} values (1, 'a')"], read_only=True)
    assert caught.value.sqlstate == "25006"


def test_batches_of_the_wrong_shape(pool: libquery.Pool) -> None:
    with pytest.raises(TypeError, match="statements must be a list, not a str"):
        pool.batch("select 1")
    with pytest.raises(TypeError, match=r"statement 1: must be a str or a tuple \(sql, params\)"):
        pool.batch(["select 1", ["select 1", []]])  # type: ignore[list-item]
    with pytest.raises(TypeError, match=r"statement 0: parameter \$1: cannot send"):
        pool.batch([("select $1", [object()])])  # type: ignore[list-item]
