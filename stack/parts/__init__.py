"""One technology a file. Each part knows its directory, its ports, its command line and how to ask whether it is ready."""
