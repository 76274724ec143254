"""WooCommerce: signed by each webhook's own secret over the body alone."""
