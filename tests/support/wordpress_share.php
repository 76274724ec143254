<?php
// As much of WordPress and WooCommerce as the second snippet of docs/woocommerce.md uses: it asks a Tenfold
// that answers what the environment says, and what is printed at each place is reported.

$actions = [];
$asked = [];
$keys = [];
$kept = [];
function add_action($name, $work, $priority = 10, $arguments = 1) { $GLOBALS['actions'][$name] = [$work, $arguments]; }
function get_transient($key) { return $GLOBALS['kept'][$key] ?? false; }
function set_transient($key, $value, $seconds) { $GLOBALS['kept'][$key] = $value; }
function wp_remote_get($url, $given) {
    $GLOBALS['asked'][] = $url;
    $GLOBALS['keys'][] = $given['headers']['Authorization'];
    return ['code' => (int) getenv('STATUS'), 'body' => getenv('ANSWER')];
}
function wp_remote_retrieve_response_code($answer) { return $answer['code'] ?: ''; }
function wp_remote_retrieve_body($answer) { return $answer['body']; }
function esc_html($text) { return htmlspecialchars($text, ENT_QUOTES); }
function esc_url($url) { return htmlspecialchars($url, ENT_QUOTES); }
class WC_Order { function get_billing_email() { return 'ana@example.com'; } }
function wc_get_order($number) { return $number === 118 ? new WC_Order() : false; }
define('TENFOLD_URL', 'https://tenfold.example');
define('TENFOLD_KEY', 'tf_key');

require getenv('SNIPPET');

function printed($name, ...$given) {
    [$work, $arguments] = $GLOBALS['actions'][$name];
    ob_start();
    $work(...array_slice($given, 0, $arguments));
    return ob_get_clean();
}
$mail = 'woocommerce_email_after_order_table';
$seen = [
    'thankyou' => printed('woocommerce_thankyou', 118),
    'no_order' => printed('woocommerce_thankyou', 7),
    'mail' => printed($mail, new WC_Order(), false, false, null),
    'plain_mail' => printed($mail, new WC_Order(), false, true, null),
    'mail_to_admin' => printed($mail, new WC_Order(), true, false, null),
    'view' => printed('woocommerce_view_order', 118),
];
echo json_encode($seen + ['asked' => $asked, 'keys' => $keys]);
