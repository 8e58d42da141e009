"""Types of the JSON objects of both protocols; they document the keys that the gateway reads or writes."""
