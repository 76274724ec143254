"""The platforms that exist, and which adapter parses a stored delivery."""

from collections.abc import Mapping

from app.brands.rules import Platform
from app.platforms.checkout.adapter import CheckoutAdapter
from app.platforms.protocol import PlatformAdapter
from app.platforms.shopify.adapter import ShopifyAdapter
from app.platforms.woocommerce.adapter import WooCommerceAdapter

PLATFORMS: Mapping[str, PlatformAdapter] = {
    Platform.checkout.value: CheckoutAdapter(),
    Platform.shopify.value: ShopifyAdapter(),
    Platform.woocommerce.value: WooCommerceAdapter(),
}
"""Every platform's adapter, by the name in its webhook endpoint `/hooks/{shop}/{platform}`."""
PARSERS: Mapping[str, PlatformAdapter] = {
    **PLATFORMS,
    "api": PLATFORMS[Platform.checkout],
    "import": PLATFORMS[Platform.checkout],
}
"""The adapter that parses a delivery, by its source; the API and imports write a checkout's
bodies."""


def adapter_of(platform: str) -> PlatformAdapter:
    """The adapter of a shop's platform; the checkout's for a name unknown to this version."""
    return PLATFORMS.get(platform, PLATFORMS[Platform.checkout])
