"""Files made from headshots: sheet, grid, PDF, CSV, ZIP, overlay, code snippets."""
