"""Doors that stay open (MLLP, HTTP, watched folder), the durable spool behind them, and delivery.

`supervisor.py` starts the processes: the MLLP door and the watcher (this process), HTTP workers, and the engine with its
converters. A door makes a message durable and answers; the engine converts and delivers. They meet in the spool only.
"""
