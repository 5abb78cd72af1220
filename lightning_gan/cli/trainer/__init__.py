"""What has a Trainer: fit, validate, test and predict, once or in a sweep."""
