"""The durable spool: everything that was accepted, and what became of it.

Two SQLite files in one folder (0700, files 0600), both in WAL mode with `synchronous=FULL`. `intake.db` (`intake.py`) holds
what came from outside: messages as they were sent, and what operators ask for (`requests.py`). `work.db` (`work.py`) holds what
became of them; the engine alone writes it. `retention.py` lets finished messages go, `overview.py` reads both files for the
command line, `files.py` opens them.
"""
