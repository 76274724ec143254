<?php
// As much of WordPress and WooCommerce as the snippet of docs/woocommerce.md uses. Runs the visits that
// the environment's VISITS lists, one request each, and prints what is in the cart after each of them.

$actions = [];
function add_action($name, $work, $priority = 10, $arguments = 1) { $GLOBALS['actions'][$name][] = [$work, $arguments]; }
function do_action($name, ...$given) {
    foreach ($GLOBALS['actions'][$name] ?? [] as [$work, $arguments]) $work(...array_slice($given, 0, $arguments));
}
function wp_unslash($text) { return stripslashes($text); }

class WP_Error {}
class Session {
    public $values = [];
    public $has_cookie = false;
    function set_customer_session_cookie($set) { $this->has_cookie = $set; }
    function set($key, $value) { if (!$this->has_cookie) exit('no session'); $this->values[$key] = $value; }
    function get($key) { return $this->values[$key] ?? null; }
}
class Cart {
    public $total = 0;
    public $coupons = [];
    function is_empty() { return $this->total === 0; }
    function has_discount($code) { return in_array(strtolower($code), $this->coupons, true); }
    function apply_coupon($code) { $this->coupons[] = strtolower($code); }
}
class WC_Coupon {
    public $code;
    function __construct($code) { $this->code = strtolower($code); }
}
class WC_Discounts {
    private $cart;
    function __construct($cart) { $this->cart = $cart; }
    function is_coupon_valid($coupon) {
        return $coupon->code === 'ana-7k4qx' && $this->cart->total >= 25 ? true : new WP_Error();
    }
}
class Order {
    public $meta = [];
    function update_meta_data($key, $value) { $this->meta[$key] = $value; }
}
class Shop {
    public $session = null;
    public $cart = null;
}
$shop = new Shop();
if (getenv('HAS_WOOCOMMERCE')) { function WC() { return $GLOBALS['shop']; } }

require getenv('SNIPPET');

$session = new Session();
$cart = new Cart();
$seen = [];
foreach (json_decode(getenv('VISITS'), true) as $visit) {
    // A request of the API has no session before its cart is loaded.
    [$shop->session, $shop->cart] = ($visit['without_session'] ?? false) ? [null, null] : [$session, $cart];
    $_GET = $visit['query'] ?? [];
    do_action('wp_loaded');
    do_action('template_redirect');
    if ($visit['buys'] ?? 0) {
        $cart->total += $visit['buys'];
        do_action('woocommerce_add_to_cart', 'key', 93, 1, 0, [], []);
    }
    $order = new Order();
    if ($visit['checkout'] ?? '') do_action($visit['checkout'], $order, []);
    $seen[] = ['coupons' => $cart->coupons, 'meta' => $order->meta];
}
echo json_encode($seen);
