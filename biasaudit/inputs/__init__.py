"""The gate: everything that is read from outside comes in here, bounded and checked.

:mod:`files` paths and bytes, :mod:`documents` JSON, TOML and XML, :mod:`tables` CSV,
:mod:`arrays` NPZ, :mod:`pictures` image files. Weights need torch and are read by
:mod:`biasaudit.models.weights`, behind the same :class:`files.Source`.
"""
