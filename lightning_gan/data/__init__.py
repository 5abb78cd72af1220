"""Lightning data modules over one fast, resumable tensor loader."""
