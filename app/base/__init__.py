"""The lowest layer: database, due work, money, tokens and languages; it knows no business."""
