"""Makes `helpers` importable from every test folder: pytest puts the folder of this file on the path.

Property tests look for new examples each time they run. Where `CI` is set they take the same ones each time, so that a change is
judged by what it changes. They have no deadline: a busy machine is no fault.

Hundreds of processes are started. Where the caller asks for no compiled modules beside the sources, they stand in `build/`: a
process that has to compile the program first takes a quarter longer.
"""

import os
from pathlib import Path

from hypothesis import settings

settings.register_profile("search", deadline=None)
settings.register_profile("repeatable", deadline=None, derandomize=True, print_blob=True)
settings.load_profile("repeatable" if os.environ.get("CI") else "search")

if os.environ.pop("PYTHONDONTWRITEBYTECODE", ""):
    os.environ["PYTHONPYCACHEPREFIX"] = str(Path(__file__).resolve().parents[1] / "build" / "compiled")
