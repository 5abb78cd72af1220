"""Measurements that torchmetrics lacks."""
