"""A plug-in of biasaudit: importing it registers everything in it."""

from audit_extras import backbone, metric, reader, term

__all__ = ["backbone", "metric", "reader", "term"]
