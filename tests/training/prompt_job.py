"""What somebody types at a prompt or into a notebook: two processes, then a sample."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
import toys

gan = toys.gan()
before = toys.weights(gan.generator)
trainer = toys.trainer(sys.argv[1], max_steps=2, strategy="gan_ddp", devices=2)
trainer.fit(gan, toys.loader())
changed = not toys.same(before, toys.weights(gan.generator))
print("found", trainer.world_size, gan.progress.images, changed, tuple(gan.sample(2).shape))
try:
    toys.trainer(sys.argv[1], max_steps=1, strategy="ddp_notebook", devices=2).fit(
        toys.gan(), toys.loader()
    )
except Exception as error:
    print("said", str(error).strip().splitlines()[-1])
