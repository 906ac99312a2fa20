"""Forks of a process with open realms, and the end of the interpreter."""

import subprocess
import sys
import textwrap

COMMON = """
    import gc, os, sys, threading
    from skerry import Configuration, RealmObject, primary_key
    from skerry.blocking import Realm
    from skerry.portal.portal import PortalThread

    class Item(RealmObject):
        _id: int = primary_key()
        count: int = 0

    def configuration(name="things"):
        return Configuration([Item], directory=sys.argv[1], name=name, synchronous="normal")

    def add(realm, key):
        with realm.write() as txn:
            txn.add(Item(_id=key))
"""


def run(folder, program):
    """Run a program and return the lines that it prints; it ends well and complains of nothing."""
    text = textwrap.dedent(COMMON) + textwrap.dedent(program)
    done = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", text, str(folder)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()


def test_a_fork_is_told_to_open_its_own_and_the_parent_goes_on(tmp_path):
    lines = run(
        tmp_path,
        """
        realm = Realm.open(configuration())
        add(realm, 1)
        changes = realm.changed()
        results = realm.query(Item)
        child = os.fork()
        if child == 0:
            calls = [
                lambda: realm.find(Item, 1),
                lambda: realm.write().__enter__(),
                lambda: realm.changed(),
                lambda: next(changes),
                lambda: len(results),
                lambda: results.load(),
            ]
            told = 0
            for call in calls:
                try:
                    call()
                except Exception as error:
                    told += type(error).__name__ == "IllegalStateError" and "fork" in str(error)
            changes.close()
            realm.close()
            del realm, changes, results
            gc.collect()
            with Realm.open(configuration("own")) as own:
                add(own, 1)
                print("child", told, len(calls), len(own.objects(Item)), flush=True)
            sys.exit(0)
        print("parent", os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
        add(realm, 2)
        print("parent", len(realm.objects(Item)), next(changes) == realm.version)
        realm.close()
        """,
    )
    assert lines == ["child 6 6 1", "parent 0", "parent 2 True"]


def test_a_process_pool_that_forks_opens_the_file_for_itself(tmp_path):
    lines = run(
        tmp_path,
        """
        from concurrent.futures import ProcessPoolExecutor
        import multiprocessing

        def work(key):
            with Realm.open(configuration()) as own:
                add(own, key)
                return own.version

        if __name__ == "__main__":
            with Realm.open(configuration()) as realm:
                changes = realm.changed()
                fork = multiprocessing.get_context("fork")
                with ProcessPoolExecutor(2, mp_context=fork) as pool:
                    list(pool.map(work, range(6)))
                while len(realm.objects(Item)) < 6:
                    next(changes)
                print(len(realm.objects(Item)))
        """,
    )
    assert lines == ["6"]


def test_what_was_left_open_is_closed_at_the_end_of_the_interpreter(tmp_path):
    lines = run(
        tmp_path,
        """
        import logging
        realm = Realm.open(configuration())
        add(realm, 1)
        changes = realm.changed()

        def watch():
            for _ in changes:
                pass
            print("ended", realm.is_closed)

        threading.Thread(target=watch, daemon=True).start()
        print("main is over")
        """,
    )
    assert lines[0] == "main is over"
    assert lines[1:] in ([], ["ended True"])


def test_threads_that_outlive_the_main_one_keep_what_is_open(tmp_path):
    lines = run(
        tmp_path,
        """
        realm = Realm.open(configuration())
        main = threading.main_thread()

        def late():
            main.join()
            # Longer than the portal's looks at the interpreter are apart, in looks of its own.
            for key in range(3):
                try:
                    realm.changed().next(0.3)
                except TimeoutError:
                    add(realm, key)
            print(len(realm.objects(Item)), realm.is_closed)

        threading.Thread(target=late).start()
        """,
    )
    assert lines == ["3 False"]


def test_an_uncaught_interrupt_ends_a_program_that_waits(tmp_path):
    lines = run(
        tmp_path,
        """
        import signal

        def interrupt():
            signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)

        try:
            with Realm.open(configuration()) as realm:
                threading.Thread(target=interrupt).start()
                for _ in realm.changed():
                    pass
        except KeyboardInterrupt:
            left = [one for one in threading.enumerate() if isinstance(one, PortalThread)]
            print("interrupted", realm.is_closed, left)
        """,
    )
    assert lines == ["interrupted True []"]
