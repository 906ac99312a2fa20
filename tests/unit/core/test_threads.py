"""Calls from many threads at once: nothing is lost, nothing deadlocks with the interpreter."""

import threading
from concurrent.futures import ThreadPoolExecutor

from skerry._core import RealmFile
from tests.support.loop import Loop, subscribe

from .conftest import write

THREADS = 8
ROUNDS = 20


def on_threads(work):
    start = threading.Barrier(THREADS)

    def run(index):
        start.wait(timeout=30)
        return work(index)

    with ThreadPoolExecutor(THREADS) as pool:
        return [task.result(timeout=60) for task in [pool.submit(run, i) for i in range(THREADS)]]


def increments(file):
    for _ in range(ROUNDS):
        txn = file.begin_write(60_000)
        try:
            txn.add_integer("Thing", 0, "int", 1)
            txn.commit(0)
        finally:
            txn.rollback()


def test_writers_of_one_handle_take_turns(file):
    write(file, lambda txn: txn.create("Thing", 0, [("int", 0)], [], "error"))
    on_threads(lambda _: increments(file))
    assert file.snapshot().get("Thing", 0)[1] == THREADS * ROUNDS


def test_writers_of_several_handles_take_turns(file, path, schema_json):
    write(file, lambda txn: txn.create("Thing", 0, [("int", 0)], [], "error"))

    def work(_):
        own = RealmFile.open(path, schema_json, synced=False, synchronous="normal")
        increments(own)
        own.close()

    on_threads(work)
    assert file.snapshot().get("Thing", 0)[1] == THREADS * ROUNDS


def test_readers_see_whole_transactions_while_one_writes(file):
    def both(txn, number):
        for key in (1, 2):
            txn.create("Thing", key, [("int", number)], [], "all")

    write(file, lambda txn: both(txn, 0))
    done = threading.Event()

    def work(index):
        if index == 0:
            for number in range(ROUNDS * 5):
                write(file, lambda txn, n=number: both(txn, n))
            done.set()
            return 0
        seen = 0
        while not done.is_set():
            snapshot = file.snapshot()
            first, second = snapshot.query("Thing", "TRUEPREDICATE", [])
            assert first[1] == second[1] == snapshot.get("Thing", 1)[1]
            snapshot.close()
            seen += 1
        return seen

    assert sum(on_threads(work)) > 0


def test_one_snapshot_serves_many_threads(file):
    write(file, lambda txn: [txn.create("Thing", n, [("int", n)], [], "error") for n in range(50)])
    snapshot = file.snapshot()
    for rows in on_threads(lambda i: snapshot.query("Thing", "int >= $0", [i])):
        assert len(rows) in range(50 - THREADS, 51)
    snapshot.close()


def test_the_agent_takes_requests_while_it_works(tmp_path):
    loop = Loop(tmp_path)
    device = loop.device("a", "alice")
    subscribe(device, "ownerId == 'alice'")
    loop.connect(device)
    requests = []

    def work(index):
        if index == 0:
            loop.settle()
        else:
            requests.extend(device.sync.wait_upload(device.session) for _ in range(ROUNDS))

    on_threads(work)
    loop.settle()
    told = {event.request for event in device.of_kind("upload_complete")}
    assert len(requests) == len(set(requests)) == (THREADS - 1) * ROUNDS
    assert told == set(requests)
    device.file.close()
    loop.server.close()
