"""The person and everything else: networks, outline, alpha, the people beside, corrections by hand."""
