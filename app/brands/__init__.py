"""The tenant and its shops: look, senders, zones, secrets; and the programme of terms, versioned."""
