"""The adversarial game in plain torch; nothing here knows Lightning."""
