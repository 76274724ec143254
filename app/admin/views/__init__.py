"""What screens show: numbers and rows as the texts of their templates; knows no web framework."""
