"""A converter process that dies or hangs on messages that say so; its arguments are those of the real one."""

import os
import signal
import socket
import sys
import time

from adapter.service.engine.worker import convert_one, serve


def convert(pipeline, task):
    if b"KILL" in task.data:
        os.kill(os.getpid(), signal.SIGKILL)
    if b"HANG" in task.data:
        time.sleep(60)
    return convert_one(pipeline, task)


if __name__ == "__main__":
    with socket.socket(fileno=int(sys.argv[1])) as connection:
        serve(connection, convert)
