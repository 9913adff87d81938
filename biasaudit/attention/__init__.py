"""Differentiable attention: tensors in, tensors out.

Every function here serves training and evaluation alike; nothing detaches unless asked to.
"""
