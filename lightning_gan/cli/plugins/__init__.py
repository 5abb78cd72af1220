"""``lightning-gan plugins``: list, show, check, doctor, new and schema."""
