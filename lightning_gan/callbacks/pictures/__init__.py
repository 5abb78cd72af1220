"""Everything that is drawn while a run goes on: pictures of samples, of a mixture, of curves."""
