"""What a run leaves in its folder, by name; written here and nowhere else."""

from __future__ import annotations

CONFIG = "config.yaml"  # the whole configuration, which --config takes back
METRICS = "metrics.csv"  # every logged value
LOSSES = "losses.png"
HEALTH = "health.jsonl"  # findings, one a line
SAMPLES = "samples"  # pictures, name-step.png
SCORECARDS = "scorecards"  # step-N.json
CHECKPOINTS = "checkpoints"
LAST = "last.ckpt"  # the newest checkpoint among them
BEST = "best.ckpt"  # that with the best score
BEST_SCORE = "best.json"  # which score that is, and why training ended
INIT_FROM = "init_from.json"  # what was taken over from the weights that training began with
REPORT = "report.html"
BENCHMARK = "benchmark.json"

# By one of these a folder is known for a run's.
SIGNS = (CONFIG, METRICS, LOSSES, HEALTH, SAMPLES, SCORECARDS, CHECKPOINTS)
