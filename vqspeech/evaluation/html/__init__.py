"""What the pages of the reports share: figures as SVG, the style sheet, tables."""
