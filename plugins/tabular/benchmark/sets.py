"""Three tables of scikit-learn's, each cut into rows to train on and rows to test on.

python benchmark/sets.py FOLDER writes cancer, wine and diabetes, each as -train.csv and -test.csv.
The column to tell is ``target``. The diabetes are a mixed table: sex, a class of the body mass
index, an age group, and the progression in thirds.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pandas as pd
from sklearn.datasets import load_breast_cancer, load_diabetes, load_wine
from sklearn.model_selection import train_test_split


def cancer() -> pd.DataFrame:
    """569 tumours with 30 measurements, benign or malignant."""
    found = load_breast_cancer(as_frame=True)
    return found.frame.assign(target=found.target.map(dict(enumerate(found.target_names))))


def wine() -> pd.DataFrame:
    """178 wines with 13 measurements, of three growers."""
    found = load_wine(as_frame=True)
    return found.frame.assign(target=found.target.map(dict(enumerate(found.target_names))))


def diabetes() -> pd.DataFrame:
    """442 patients: four columns of categories and seven of numbers."""
    frame = load_diabetes(as_frame=True, scaled=False).frame
    frame["sex"] = frame["sex"].map({1: "a", 2: "b"})
    frame["age_group"] = (frame.pop("age") // 10 * 10).astype(int).astype(str) + "s"
    edges = [0, 18.5, 25, 30, 100]
    names = ["underweight", "normal", "overweight", "obese"]
    frame["bmi_class"] = pd.cut(frame.pop("bmi"), edges, right=False, labels=names).astype(str)
    frame["target"] = pd.qcut(frame["target"], 3, labels=["low", "middle", "high"]).astype(str)
    return frame


def main(folder: Path) -> None:
    """Write the six files."""
    folder.mkdir(parents=True, exist_ok=True)
    for make in (cancer, wine, diabetes):
        frame = make()
        parts = train_test_split(frame, test_size=0.3, random_state=0, stratify=frame["target"])
        for part, name in zip(parts, ("train", "test"), strict=True):
            part.to_csv(folder / f"{make.__name__}-{name}.csv", index=False)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
