"""Settings are refused before anything is loaded."""

from __future__ import annotations

import subprocess
import sys

import pytest

from lightning_gan.errors import InputError
from lightning_gan.evaluation import Plan


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_fake": 1}, "n_fake must be a whole number from 2, got 1"),
        ({"n_real": 10.5}, "n_real must be a whole number from 2, got 10.5"),
        ({"seed": -1}, "seed must be a whole number from 0, got -1"),
        ({"precision_k": True}, "precision_k must be a whole number from 1, got True"),
        ({"split": "tset"}, "split must be one of train, test, got 'tset', did you mean 'test'?"),
        (
            {"features": "inceptoin"},
            "features must be one of auto, judge, inception, got 'inceptoin', "
            "did you mean 'inception'?",
        ),
        ({"metrics": "fid"}, "metrics must be a list of names such as [fid, kid], got 'fid'"),
        ({"metrics": []}, "metrics must be a list of names such as [fid, kid], got []"),
        (
            {"metrics": ["kdi"]},
            "metrics must be one of fid, kid, classifier_score, precision_recall, "
            "density_coverage, duplicates, memorization, class_balance, modes, separation, "
            "conditional_accuracy, got 'kdi', did you mean 'kid'?",
        ),
    ],
)
def test_a_wrong_setting(options, message):
    with pytest.raises(InputError) as caught:
        Plan(**options)
    assert str(caught.value) == message


def test_cards_and_plans_need_no_torch():
    names = "Plan, ScoreCard, compare"
    code = (
        f"from lightning_gan.evaluation import {names}; import sys; print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
