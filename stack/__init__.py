"""The one-machine stack: real stores, a real broker and the real proxy from wheels, and the platform's processes, under one supervisor."""
