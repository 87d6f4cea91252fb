"""What the service reaches, measured: each module is one command, ``python -m benchmarks.<name>``."""
