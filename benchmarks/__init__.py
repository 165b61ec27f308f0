"""How fast Mesocosm is, beside a plain-Python object loop of the same model: ``python -m benchmarks``."""
